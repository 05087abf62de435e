"""What became of every record of a fuzz: the good ones are billed everywhere, each bad one is named somewhere."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg

from common.errors import InvalidRecord
from operations.quiescence import inputs_of
from schemas.codec import decode_for
from schemas.errors import Undecodable
from streaming.batch import Record
from streaming.topic_reader import read_all, read_valid
from tests.fuzz.bad_records import Bad
from tests.fuzz.sending import Position, Sent
from tests.fuzz.world import Source
from topics.catalogue import FACTS, MASTERS, SETTLE_INPUTS, TOPICS, TRANSACTIONS, current_key, identity
from topics.records import decoded

_KINDS = {"time.entries": "time", "expenses": "expense", "outcomes": "outcome", "milestones": "milestone"}
_SUBJECTS = {**_KINDS, "adjustments": "adjustment"}
_NO_LETTERS = ("metrics",)  # which writes nothing: it counts what it passes over
_PASSED_OVER = {"advisories": {"time.entries", "billing.holds"}}  # dead letters of settle and invoicing
_NOT_CHECKED = {"masters.current", "master.code-map"}  # by those who follow it; `masters` sets the letter of a code


@dataclass(slots=True)
class Found:
    """The figures, and what is wrong, a line each."""

    dead: int = 0
    exceptions: int = 0
    taken: int = 0
    skipped: int = 0
    lost: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    isolated: Counter[str] = field(default_factory=Counter)

    def figures(self) -> str:
        """What became of the bad records, and how much is wrong."""
        return (
            f"dead {self.dead}, exceptions {self.exceptions}, taken as they are {self.taken}, "
            f"on topics that only commands read {self.skipped}; bad ones unnamed {len(self.unnamed)}, "
            f"good ones lost {len(self.lost)}"
        )


class Topics:
    """What stands on the topics after a fuzz."""

    def __init__(self, broker: str) -> None:
        self.letters: dict[str, set[str]] = defaultdict(set)  # key -> stages
        self.errors: dict[tuple[str, str], str] = {}
        for record in read_all(broker, ["dead.letters"]):
            try:
                letter = decoded(record)
            except (Undecodable, InvalidRecord):
                continue
            key = (record.key or b"").decode()
            self.letters[key].add(letter["stage"])
            self.errors[key, letter["stage"]] = letter["error"]
        self.exceptions = {(v["engagement_id"], v["subject"]) for _, v in read_valid(broker, ["billing.exceptions"])}
        self.charges: dict[tuple[str, str], dict[str, str | None]] = defaultdict(dict)  # id -> the charge it reverses
        for _, value in read_valid(broker, ["billing.ready"]):
            self.charges[value["engagement_id"], value["subject"]][value["charge_id"]] = value["reverses"]
        self.posted = Counter(
            v["charge_id"] for _, v in read_valid(broker, ["erp.postings"]) if v["status"] == "posted"
        )
        self.states = {v["charge_id"]: v["state"] for _, v in read_valid(broker, ["charge.states"])}
        self.current = {record.key for record in read_all(broker, ["masters.current"])}
        self.made = {
            (record.topic, (record.key or b"").decode(), identity(record.topic, value))
            for record, value in read_valid(broker, [*MASTERS, *TRANSACTIONS])
        }


def verdict(
    broker: str, database: str, workers: list[str], sent: Sent, sources: list[Source], delivered: set[str]
) -> Found:
    """Hold what stands at rest to what was sent. `delivered` are the charges that the system outside holds."""
    topics, found = Topics(broker), Found()
    with psycopg.connect(database) as connection:
        journal = Counter(row[0] for row in connection.execute("SELECT charge_id FROM hourstream.journal_postings"))
        invoicing = Counter(row[0] for row in connection.execute("SELECT charge_id FROM hourstream.charges"))
    stages = _stages(workers)
    for at, good in sent.good.items():
        if ":".join(map(str, at)) in topics.letters:
            found.lost.append(f"{good.topic} {at} is a dead letter")
        if good.subject is not None:
            for why in _unbilled(topics, good.subject, journal, invoicing, delivered):
                found.lost.append(f"{good.subject}: {why}")
        if (
            good.topic in MASTERS
            and current_key(good.topic, identity(good.topic, good.value)).encode() not in topics.current
        ):
            found.lost.append(f"{good.topic} {identity(good.topic, good.value)} is not on masters.current")
    for source in sources:
        found.lost += [f"{one} was not made by intake" for one in source.wanted() - topics.made]
    for at, bad in sent.bad.items():
        _judge(found, topics, at, bad, stages)
    return found


def _unbilled(
    topics: Topics, subject: tuple[str, str], journal: Counter[str], invoicing: Counter[str], delivered: set[str]
) -> Iterator[str]:
    charges = topics.charges.get(subject, {})
    standing = {one for one, reverses in charges.items() if reverses is None} - set(charges.values())
    if len(standing) != 1:
        yield f"has {len(standing)} charges"
    for one in charges:
        held = {
            "the journal": journal[one],
            "erp.postings": topics.posted[one] - (one in delivered),
            "invoicing": invoicing[one],
            "the system outside": int(one in delivered),
        }
        yield from (f"{n} times in {where}: {one}" for where, n in held.items() if n != 1)
    for one in standing:
        if topics.states.get(one) != "posted":
            yield f"its state is {topics.states.get(one)}"


def _stages(workers: list[str]) -> dict[str, set[str]]:
    """{topic: the stages that set a bad record of it aside}."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in workers:
        for topic in inputs_of(name):
            if name not in _NO_LETTERS and (
                name == "masters" or topic not in _NOT_CHECKED | _PASSED_OVER.get(name, set())
            ):
                found[topic].add("intake" if name.startswith("intake") else name)
    return found


def _judge(found: Found, topics: Topics, at: Position, bad: Bad, stages: dict[str, set[str]]) -> None:
    key, due = ":".join(map(str, at)), stages.get(at[0], set())
    has = topics.letters.get(key, set())
    why = _why_broken(at, bad)
    if bad.broken and why is None and at[0] != "masters.current":
        found.unnamed.append(f"{at} ({bad.what}) breaks its contract and was taken")
    if not due:
        found.skipped += 1
    elif why is not None:
        found.dead += bool(has)
        found.unnamed += [f"{at} ({bad.what}) has no dead letter of {stage}: {why}" for stage in due - has]
    elif has:
        found.dead += 1
        for stage in has:
            found.isolated[f"{stage}: {topics.errors[key, stage]}"[:160]] += 1
    elif subject := _subject(at, bad):
        found.exceptions += subject in topics.exceptions
        found.taken += subject not in topics.exceptions
        if (
            at[0] in _SUBJECTS
            and subject not in topics.exceptions
            and subject not in topics.charges
            and _is_due(at, bad)
        ):
            found.unnamed.append(f"{at} ({bad.what}): nothing is known of {subject}")
    else:
        found.taken += 1


def _why_broken(at: Position, bad: Bad) -> str | None:
    """What breaks its contract; None for a record that keeps it."""
    if at[0] == "masters.current":
        return None
    try:
        decoded(Record(at[0], at[1], at[2], 0, bad.key, bad.value, ()))
    except (Undecodable, InvalidRecord) as error:
        return str(error)
    return None


def _subject(at: Position, bad: Bad) -> tuple[str, str] | None:
    topic, value = at[0], decode_for(at[0], bad.value or b"") if TOPICS[at[0]].subject else {}
    if topic in SETTLE_INPUTS and topic in _SUBJECTS:
        return value["engagement_id"], f"{_SUBJECTS[topic]}:{value[TOPICS[topic].id[0]]}"
    if topic in FACTS and topic in MASTERS:
        return "", f"conflict:{topic}:{identity(topic, value)}"
    if topic.startswith("source.") and "id" in value:
        return "", f"{topic.replace('.', ':')}:{value['id']}"
    return None


def _is_due(at: Position, bad: Bad) -> bool:
    """Whether something must be known of a fact: approved or completed, and no minutes that only replace others."""
    value = decode_for(at[0], bad.value or b"")
    return value["status"] in ("approved", "completed") and value.get("kind") != "minutes"
