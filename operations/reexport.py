"""Compares a file without ids with what its source has standing on the stream, before it is published.

It reads the whole of the source's topics and of `source.reviews`, so it takes as long as these are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from privacy.decrypt import readable, reading
from privacy.vault import Vault
from schemas.json_codec import to_json
from sources import reviews
from sources.engine import Canonical
from sources.files.dry_run import Trial
from sources.files.parse import Taken
from sources.files.reconcile import Plan, State, Work, compare
from sources.files.records import SourceRow
from sources.mapping import catalogue
from sources.mapping.ast import SourceMapping
from sources.mapping.contracts import DeclaredContracts, Json
from streaming.topic_reader import read_valid
from topics.topic_names import EXPENSES, TIME_ENTRIES

_HISTORY = ("entry_id", "expense_id", "occurred_at", "source", "revision")
_DAYS = {TIME_ENTRIES: "work_date", EXPENSES: "incurred_on"}
_STATES: Mapping[str, State] = {
    reviews.PUBLISH: "published",
    reviews.ASK: "asked",
    reviews.HOLD: "held",
    reviews.WITHDRAW: "withdrawn",
}


@dataclass(slots=True)
class Standing:
    """A source's records and reviews as they stand: {(entity, id): ...}."""

    records: dict[tuple[str, str], SourceRow] = field(default_factory=dict)
    holds: dict[tuple[str, str], reviews.Hold | None] = field(default_factory=dict)
    reviews: dict[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)

    def state(self, entity: str, record_id: str) -> State:
        """Whether a record counts."""
        review = self.reviews.get((entity, record_id))
        if review is not None:
            refused = review["verdict"] == reviews.WITHDRAW and self.holds.get((entity, record_id)) is not None
            if review["verdict"] == reviews.PUBLISH and review["message"] != reviews.AGAIN:
                return "kept"
            return "refused" if refused else _STATES[str(review["verdict"])]
        return "held" if self.holds.get((entity, record_id)) is not None else "published"


def standing_of(broker: str, mapping: SourceMapping, vault: Vault | None) -> Standing:
    """Read what stands of a source's entities whose ids are made of their values."""
    entities = {each.topic: each.name for each in mapping.entities.values() if each.file is not None and each.file.key}
    found, look = Standing(), reading(vault)
    for record, value in read_valid(broker, [*entities, reviews.TOPIC]):
        if record.topic == reviews.TOPIC:
            if value["system"] == mapping.system:
                found.reviews[reviews.review_of(value)] = value
            continue
        entity, key = entities[record.topic], (record.key or b"").decode(errors="replace")
        content: dict[str, Json] = {
            name: readable(look, said) if isinstance(said, str) else said
            for name, said in to_json(record.topic, value).items()
        }
        place = entity, key
        before = found.records.get(place)
        if before is None or before.record != content:
            found.holds[place] = reviews.hold_in(record.headers)
        found.records[place] = SourceRow(record.topic, entity, key, content, 0, b"", made_id=True)
    return found


def plan_for(
    mapping: SourceMapping, standing: Standing, clear: Taken, ids: Iterable[str], closes: str | None
) -> dict[str, Plan]:
    """The plan of each entity of a file, with the ids that its records get."""
    named = [(row, own) for row, own in zip(clear.records, ids, strict=True) if row.made_id]
    entities = {row.entity for row, _ in named}
    if closes:
        entities |= {each for each in clear.entities if (layout := mapping.entities[each].file) and layout.key}
    new = _works(mapping, ((row, own, f"{clear.name}:{row.line}") for row, own in named))
    old = _works(
        mapping,
        (
            (row, own, f"source:{mapping.system}:{entity}:{own}")
            for (entity, own), row in standing.records.items()
            if entity in entities
        ),
    )
    plans = {}
    for entity in entities:
        before = {own: work for (of, own), work in old.items() if of == entity}
        for own, work in before.items():
            work.state = standing.state(entity, own)
        plans[entity] = compare((work for (of, _), work in new.items() if of == entity), before, closes)
    return plans


def _works(mapping: SourceMapping, rows: Iterable[tuple[SourceRow, str, str]]) -> dict[tuple[str, str], Work]:
    """{(entity, id): the work that a row records}, without the rows that make no record yet."""
    trial = Trial(mapping, DeclaredContracts())
    found = {}
    for row, own, said in rows:
        before = len(trial.made)
        if trial.judge([SourceRow(row.topic, row.entity, row.id, row.record, row.line, row.raw)]) is not None:
            continue
        for made in trial.made[before:]:
            if made.topic in _DAYS:
                found[row.entity, own] = _work(own, made, said)
    return found


def _work(own: str, made: Canonical, said: str) -> Work:
    record = made.record
    day = record[_DAYS[made.topic]]
    quantity = f"{record['minutes']} minutes" if "minutes" in record else f"{record['amount']} {record['currency']}"
    engagement = str(record["engagement_id"])
    return Work(
        own,
        made.topic,
        str(record["consultant_id"]),
        day if isinstance(day, date) else date.fromisoformat(str(day)),
        engagement,
        str(record.get("task_id") or record.get("category") or ""),
        quantity,
        str(record.get("note") or ""),
        f"{said} ({quantity} on {day}, {engagement})",
        tuple(sorted((name, str(value)) for name, value in record.items() if name not in _HISTORY)),
    )


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a file means for records before it: how many rows stand already under another id, wait for a person, raise a
    question, and are withdrawn."""

    same: int = 0
    held: int = 0
    asked: int = 0
    withdrawn: int = 0


def corrected(
    broker: str, clear: Taken, encrypted: Taken, closes: str | None, vault: Vault | None
) -> tuple[Taken, Corrections]:
    """The file to publish, with its holds and reviews. `clear` is the file before its personal data was encrypted."""
    if not any(row.made_id for row in clear.records) and not closes:
        return encrypted, Corrections()
    mapping = catalogue.load(clear.system)
    return with_plans(mapping, standing_of(broker, mapping, vault), clear, encrypted, closes)


def with_plans(
    mapping: SourceMapping, standing: Standing, clear: Taken, encrypted: Taken, closes: str | None
) -> tuple[Taken, Corrections]:
    """The same, beside what is known to stand."""
    plans = plan_for(mapping, standing, clear, [row.id for row in encrypted.records], closes)
    records, reviewed, same = list[SourceRow](), list(encrypted.reviews), 0
    for row in encrypted.records:
        plan = plans.get(row.entity, Plan())
        if row.id in plan.same:
            same += 1
            continue
        hold = plan.holds.get(row.id) or row.hold or _still_waiting(standing, row)
        records.append(replace(row, hold=hold))
    for entity, plan in plans.items():
        reviewed += [
            {"entity": entity, "record_id": own, "verdict": verdict, "message": message, "replaces": list(replaces)}
            for own, (verdict, message, replaces) in plan.reviews.items()
        ]
    verdicts = [review["verdict"] for review in reviewed]
    held = sum(row.hold is not None for row in records) + verdicts.count(reviews.HOLD)
    found = Corrections(same, held, verdicts.count(reviews.ASK), verdicts.count(reviews.WITHDRAW))
    return replace(encrypted, records=records, reviews=reviewed), found


def _still_waiting(standing: Standing, row: SourceRow) -> reviews.Hold | None:
    """The hold of a record that waits and comes again."""
    place = row.entity, row.id
    return None if place in standing.reviews else standing.holds.get(place)
