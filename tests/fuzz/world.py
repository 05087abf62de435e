"""The good records of a fuzz, by topic, with what must come of them; and sound records for the bad ones to break.

What good records name is named by no bad one: contracts `G…`, the others `F…`.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from schemas.codec import shape
from schemas.json_codec import from_json, to_json
from schemas.schema_types import Optional, Text
from sources.engine import Mapper
from sources.files.parse import take
from sources.mapping import catalogue
from tests.contract.sound_records import sound
from tests.unit.agents.tock_records import FILLED, GRADE, LINE, USER, WEEK
from tests.unit.sources.intake import Intake
from tests.unit.tables import contents
from tests.unit.tables.contents import Content, Json
from topics.catalogue import MASTERS, TOPICS

SAMPLES = Path(__file__).parents[2] / "sources"
FUZZED = 12  # contracts that bad records are about
_CONSULTANTS, _MILESTONES = 20, 500
_FIRST_DAY = date(2024, 1, 1)


class Good(NamedTuple):
    """A record in JSON form and the subject that must be charged for it, if any."""

    topic: str
    value: Json
    subject: tuple[str, str] | None = None


def masters() -> Iterator[Content]:
    """The masters of good records and the first revisions of those that bad records break."""
    yield from _firm("G", range(1, 5))
    for n in range(FUZZED):
        yield from _firm(f"F{n}-", [1 + n % 4])
    for n in range(_CONSULTANTS):
        yield contents.consultant(f"GC{n}", "Consultant")


def _firm(prefix: str, numbers: "range | list[int]") -> Iterator[Content]:
    """A client with a rate card, a policy, a consultant, and contracts: the methods of E1 to E4 of `contents`."""
    topic, client = contents.client()
    jurisdiction = "DE" if prefix == "G" else f"{prefix}DE"
    yield topic, client | {"client_id": f"{prefix}CL", "tax_jurisdiction": jurisdiction}
    topic, card = contents.rate_card("100")
    yield topic, card | {"rate_card_id": f"{prefix}RC", "is_firm_default": False}
    rule = {"category": "travel", "allowed": True, "markup_percent": "0"}
    yield "master.expense-policies", {"expense_policy_id": f"{prefix}XP", "rules": [rule]}
    yield contents.consultant(f"{prefix}C", "Consultant")
    yield contents.tax_rule("19", f"{prefix}TX", jurisdiction)
    yield "master.legal-entities", dict(contents.SELLER[1]) | {"legal_entity_id": f"{prefix}LE"}
    for n in numbers:
        _, like = contents.engagement(f"E{n}")
        milestones = [{"milestone_id": str(m), "name": "Stage", "amount": "10"} for m in range(_MILESTONES)]
        yield (
            "master.engagements",
            like
            | {
                "engagement_id": f"{prefix}{n}",
                "client_id": f"{prefix}CL",
                "rate_card_id": f"{prefix}RC",
                "expense_policy_id": f"{prefix}XP",
                "legal_entity": f"{prefix}LE",
                "seller_tax_jurisdiction": jurisdiction,
                "milestones": milestones if prefix == "G" else like["milestones"],
            },
        )
        yield contents.task(f"{prefix}{n}")


def good(topic: str, n: int) -> Good:
    """The n-th good record of a topic; of one that only the stream itself writes, the entry that leads to some."""
    day = (_FIRST_DAY + timedelta(days=n % 366)).isoformat()
    match topic:
        case "expenses":
            return _charged(contents.expense("G1", f"g{n}", day), f"expense:g{n}")
        case "outcomes":
            return _charged(contents.outcome("G4", f"g{n}", "calls", "1", day), f"outcome:g{n}")
        case "milestones":
            one = str(n % _MILESTONES)
            return _charged(contents.milestone("G4", one, _FIRST_DAY.isoformat()), f"milestone:{one}")
        case "adjustments":
            return _charged(contents.amount("G1", f"g{n}"), f"adjustment:g{n}")
        case "billing.periods":
            return Good(*contents.period("G3", f"{2024 + n // 12 % 100}-{1 + n % 12:02}"))
        case "exception.decisions":
            return Good(*contents.decision("G1", f"g{n}", "time:none"))
        case _ if topic in MASTERS or topic in ("billing.holds", "source.billing.statuses", "source.control"):
            return Good(topic, _named(topic, f"good-{n}", "G"))
        case _:
            return _charged(contents.entry("G1", f"g{n}", 60, day, consultant_id=f"GC{n % _CONSULTANTS}"), f"time:g{n}")


def _charged(content: Content, subject: str) -> Good:
    return Good(*content, (str(content[1]["engagement_id"]), subject))


def base(topic: str, n: int) -> Json:
    """A sound record of a topic in JSON form about the contracts that bad records are about, of its own identity.

    Of masters the identity is one of those contracts' own: the next revision of it.
    """
    one = f"F{n % FUZZED}-"
    of = _BASES.get(topic)
    contract = f"{one}{1 + n % FUZZED % 4}"
    if of is not None:
        value = dict(of)
    elif topic in MASTERS:
        found = [value for name, value in _firm(one, [1 + n % FUZZED % 4]) if name == topic]
        return found[0] if found else _named(topic, f"{one}{n}", one)
    else:
        return _named(topic, f"f{n}", one)
    names = {"engagement_id": contract, "task_id": f"{contract}-T1", "consultant_id": f"{one}C"}
    names[TOPICS[topic].id[-1]] = f"f{n}"
    return value | {name: content for name, content in names.items() if name in value}


_BASES: Mapping[str, Json] = dict(
    (
        contents.entry("x", "x"),
        contents.expense("x", "x", "2024-01-30"),
        contents.outcome("x", "x", "calls", "5", "2024-01-30"),
        contents.milestone("x", "1", "2024-01-30"),
        contents.amount("x", "x"),
        contents.decision("x", "x", "time:f1"),
    )
)


_NO_NAMES = ("base", "quote", "date", "kind", "topic")  # of what makes an id


def _named(topic: str, name: str, one: str) -> Json:
    """A record made from the schema, its own ids `name` and those of a contract given."""
    value = to_json(topic, sound(topic))
    for field in TOPICS[topic].id:
        if field in value and isinstance(value[field], str) and field not in _NO_NAMES:
            value[field] = name
        elif field in value and isinstance(value[field], int):
            value[field] = 5_000_000 + sum(map(ord, name)) + int("".join(filter(str.isdigit, name)) or 0)
    if "date" in TOPICS[topic].id:
        number = int("".join(filter(str.isdigit, name)) or 0)
        value["date"] = (date(2000, 1, 1) + timedelta(days=number % 3_000_000)).isoformat()
    changes = {"engagement_id": f"{one}1", "client_id": f"{one}CL", "is_firm_default": False, "jurisdiction": one}
    own = set(TOPICS[topic].id)
    return value | {field: content for field, content in changes.items() if field in value and field not in own}


class Source:
    """A source's rows: good copies of its samples, each under an id of its own, and what intake makes of them."""

    def __init__(self, name: str) -> None:
        self.topics = tuple(topic for topic in catalogue.load(name).topics if topic.startswith("source."))
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._intake = Intake(Mapper(catalogue.load(name)))
        self.codes: list[Content] = []
        self.rows = list(_samples(name, self._code))
        for topic, record in self.rows:
            self._rows.setdefault(topic, []).append(record)
            self._intake.arrives(topic, record["id"], record)
        self._of_samples = set(self._intake.published)  # which bad rows are about too, so that anything may follow

    def _code(self, system: str, kind: str, code: str) -> None:
        value = {"system": system, "kind": kind, "code": code, "canonical_id": f"G-{code}"[:200]}
        if ("master.code-map", value) not in self.codes:
            self.codes.append(("master.code-map", value))
            self._intake.arrives("master.code-map", f"{system}:{kind}:{code}", value | {"revision": 1})

    def row(self, topic: str, n: int) -> dict[str, Any]:
        """A row of a topic in Python form, its id made of `n`."""
        rows = self._rows.get(topic)
        row = sound(topic) if not rows else rows[n % len(rows)]
        return row | {"id": f"{row['id']}-{n}" if _is_text(topic) else 7_000_000 + n}

    def good(self, topic: str, n: int) -> dict[str, Any]:
        """A row that intake must take."""
        row = self.row(topic, n)
        self._intake.arrives(topic, row["id"], row)
        return row

    def wanted(self) -> set[tuple[str, str, str]]:
        """(topic, key, id) of all that the good rows so far must have made."""
        return self._intake.published.keys() - self._of_samples


def _is_text(topic: str) -> bool:
    (of,) = (member.shape for member in shape(topic).fields if member.name == "id")
    return isinstance(of.inner if isinstance(of, Optional) else of, Text)


def _samples(name: str, note_code: Any) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - (system, kind, code)
    if name == "tock":
        for entity, value in (*WEEK, USER, GRADE, LINE):
            yield f"source.tock.{entity}", from_json(f"source.tock.{entity}", FILLED.get(entity, {}) | value)
    for file in sorted((SAMPLES / name / "samples").glob("*")):
        if "broken" in file.name or "bad" in file.name or file.name == "webhook.json":
            continue
        taken = take(catalogue.load(name), file.name, file.read_bytes())
        for code in taken.codes:
            note_code(*code.split(":", 2))
        for row in taken.records:
            yield row.topic, from_json(row.topic, row.record)
