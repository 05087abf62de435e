"""A bucket: the facts of an engagement that settle together, with what was last published of them, as one row.

The row keeps both as the records they are on their topics, byte for byte. A bucket that only grows by plain time is
never taken apart (`append`); otherwise its records are read when they are first asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from rating.model.charge import Charge
from rating.model.facts import Adjustment, Decision, Fact, Origin, TimeEntry, fact, subject_of, subjects_of
from rating.scope import names
from rating.time.time_checks import minutes_of_the_day
from schemas.codec import decode, decode_for
from schemas.registry import topic_of
from streaming.batch import Record
from tables.settlement.charge_record import READY, charge_of
from tables.settlement.exception_record import StandingException


class StoredFact(msgspec.Struct, array_like=True, frozen=True):
    """A winning revision: its record, where it was read, and the minutes it adds to its consultant's day."""

    name: str
    wire: bytes
    partition: int
    offset: int
    timestamp_ms: int
    minutes: int


class Published(msgspec.Struct, array_like=True, frozen=True):
    """What was last said of a subject: its charges so far (`n`), the present one with its minutes, its exception."""

    n: int = 0
    charge: bytes | None = None  # a record of billing.ready
    minutes: int = 0
    exception: StandingException | None = None

    def read_charge(self) -> Charge | None:
        """The present charge."""
        return None if self.charge is None else charge_of(decode_for(READY, self.charge))


class BucketRow(msgspec.Struct, array_like=True):
    """A bucket as it is stored."""

    facts: list[StoredFact]
    published: list[tuple[str, Published]]


class _Named(msgspec.Struct, array_like=True, frozen=True):
    """The beginning of a `StoredFact`, which is all that is read of it."""

    name: str


class BucketNames(msgspec.Struct, array_like=True, frozen=True):
    """A bucket's row, read for the names of its facts only."""

    facts: list[_Named]


@dataclass(frozen=True, slots=True)
class Told:
    """A fact with the record that told it."""

    fact: Fact
    record: Record


class Bucket:
    """A bucket while a batch works on it."""

    __slots__ = ("_facts", "_published", "_row", "engagement_id", "name")

    def __init__(self, engagement_id: str, name: str, row: BucketRow | None = None) -> None:
        self.engagement_id, self.name = engagement_id, name
        self._row = row or BucketRow([], [])
        self._facts: dict[str, Told] | None = None
        self._published: dict[str, Published] | None = None

    @property
    def told(self) -> dict[str, Told]:
        """The winning revisions by name, to read and to change."""
        if self._facts is None:
            self._facts = {stored.name: _told(stored) for stored in self._row.facts}
        return self._facts

    @property
    def published(self) -> dict[str, Published]:
        """What was last said by subject, to read and to change."""
        if self._published is None:
            self._published = dict(self._row.published)
        return self._published

    @property
    def is_whole(self) -> bool:
        """Whether nothing asked for its records yet, so that `append` may add to them."""
        return self._facts is None and self._published is None

    def minutes(self) -> int:
        """Minutes recorded on the day so far. Of a bucket that `is_whole`."""
        return sum([stored.minutes for stored in self._row.facts])

    def append(self, stored: StoredFact, published: Published) -> None:
        """Add a settled fact. To a bucket that `is_whole`."""
        self._row.facts.append(stored)
        self._row.published.append((stored.name, published))

    def row(self) -> BucketRow:
        """The row to keep; without facts and anything published it is none."""
        facts = self._row.facts if self._facts is None else [_stored(name, told) for name, told in self._facts.items()]
        if self._published is None:
            return BucketRow(facts, self._row.published)
        return BucketRow(facts, [(s, said) for s, said in self._published.items() if said.n or said.exception])

    def attached_to(self, subject: str) -> list[str]:
        """Names of what lives here because they speak of `subject`: its adjustments, its decisions, theirs."""
        facts = {name: told.fact for name, told in self.told.items()}
        about = {subject}
        about |= {name_of(f) for f in facts.values() if isinstance(f, Adjustment) and names(f) == subject}
        return [n for n, f in facts.items() if n != subject and (n in about or names(f) in about)]


def name_of(fact: Fact) -> str:
    """A fact's name within its engagement: its subject; a decision, which is none, has a name of its own."""
    return f"decision:{fact.decision_id}" if isinstance(fact, Decision) else subject_of(fact)


def subjects_in(told: Iterable[Told]) -> Iterator[str]:
    """The subjects that facts make."""
    for each in told:
        yield from () if isinstance(each.fact, Decision) else subjects_of(each.fact)


def approved_minutes(fact: Fact | None) -> int:
    """The recorded minutes of an approved time entry (DOMAIN.md §5.1); 0 for all else."""
    return fact.minutes if isinstance(fact, TimeEntry) and fact.status == "approved" else 0


def _told(stored: StoredFact) -> Told:
    decoded = decode(stored.wire)
    topic = topic_of(decoded.subject)
    record = Record(topic, stored.partition, stored.offset, stored.timestamp_ms, None, stored.wire, ())
    return Told(fact(topic, decoded.record, origin_of(record)), record)


def _stored(name: str, told: Told) -> StoredFact:
    at = told.record
    minutes = minutes_of_the_day(told.fact) if isinstance(told.fact, TimeEntry) else 0
    return StoredFact(name, at.value or b"", at.partition, at.offset, at.timestamp_ms, minutes)


def origin_of(record: Record) -> Origin:
    """Where a record was read."""
    return Origin(record.topic, record.partition, record.offset, record.timestamp_ms)
