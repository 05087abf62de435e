"""A bucket: the facts of an engagement that settle together, with what was last published of them.

While it is small it is one row, which keeps both as the records they are on their topics, byte for byte. A bucket that
only grows by plain time is never taken apart (`append`); otherwise its records are read when they are first asked for.
One that outgrows a row is many (tables.settlement.large_bucket).
"""

from collections.abc import Iterable, Iterator, Mapping
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


class LargeHead(msgspec.Struct, array_like=True, frozen=True):
    """What the row of a large bucket says in place of facts.

    How many rows it has, the minutes recorded on its day, how many of its facts speak of others, and whether sums are
    kept of it (tables.settlement.outcome_settling).
    """

    members: int = 0
    minutes: int = 0
    speakers: int = 0
    summed: bool = False


class BucketRow(msgspec.Struct, array_like=True):
    """A bucket as it is stored; with a `large` head it has its facts in rows of their own."""

    facts: list[StoredFact]
    published: list[tuple[str, Published]]
    large: LargeHead | None = None


class Named(msgspec.Struct, array_like=True, frozen=True):
    """The beginning of a `StoredFact`, which is all that is read of it."""

    name: str


class BucketNames(msgspec.Struct, array_like=True, frozen=True):
    """A bucket's row, read for the names of its facts only."""

    facts: list[Named]


@dataclass(frozen=True, slots=True)
class Told:
    """A fact with the record that told it."""

    fact: Fact
    record: Record


class SmallBucket:
    """A bucket that is one row."""

    __slots__ = ("_facts", "_published", "_row", "all_touched", "engagement_id", "name", "touched")

    def __init__(self, engagement_id: str, name: str, row: BucketRow | None = None) -> None:
        self.engagement_id, self.name = engagement_id, name
        self.touched = set[str]()  # names of facts that came, changed or went since it was last settled
        self.all_touched = False  # whether something changed that all of them look at
        self._row = row or BucketRow([], [])
        self._facts: dict[str, Told] | None = None
        self._published: dict[str, Published] | None = None

    def _told(self) -> dict[str, Told]:
        if self._facts is None:
            self._facts = {stored.name: told_of(stored) for stored in self._row.facts}
        return self._facts

    def _said(self) -> dict[str, Published]:
        if self._published is None:
            self._published = dict(self._row.published)
        return self._published

    @property
    def is_whole(self) -> bool:
        """Whether nothing asked for its records yet, so that `append` may add to them."""
        return self._facts is None and self._published is None

    def is_settled(self) -> None:
        """Note that nothing is to be settled any more."""
        self.touched.clear()
        self.all_touched = False

    def told(self, name: str) -> Told | None:
        """A winning revision."""
        return self._told().get(name)

    def published(self, subject: str) -> Published | None:
        """What was last said of a subject."""
        return self._said().get(subject)

    def all_told(self) -> Iterable[Told]:
        """Every winning revision."""
        return self._told().values()

    def subjects(self) -> Iterable[str]:
        """The name of everything here, told or published."""
        return dict.fromkeys((*self._said(), *self._told()))

    def tell(self, name: str, told: Told) -> None:
        """Put a winning revision in."""
        self._told()[name] = told

    def publish(self, subject: str, published: Published) -> None:
        """Note what was said of a subject."""
        self._said()[subject] = published

    def take(self, name: str) -> tuple[Told | None, Published | None]:
        """Take a fact out, and what was said of it."""
        return self._told().pop(name, None), self._said().pop(name, None)

    def minutes(self) -> int:
        """Minutes recorded on the day so far. Of a bucket that `is_whole`."""
        return sum([stored.minutes for stored in self._row.facts])

    def append(self, stored: StoredFact, published: Published) -> None:
        """Add a settled fact. To a bucket that `is_whole`."""
        self._row.facts.append(stored)
        self._row.published.append((stored.name, published))

    def row(self) -> BucketRow:
        """The row to keep; without facts and anything published it is none."""
        facts = self._row.facts if self._facts is None else [stored(name, told) for name, told in self._facts.items()]
        if self._published is None:
            return BucketRow(facts, self._row.published)
        return BucketRow(facts, [(s, said) for s, said in self._published.items() if says_something(said)])

    def attached_to(self, subject: str) -> list[str]:
        """Names of what lives here because they speak of `subject`: its adjustments, its decisions, theirs."""
        return attached({name: told.fact for name, told in self._told().items()}, subject)


def attached(facts: Mapping[str, Fact], subject: str) -> list[str]:
    """Names of the facts that speak of `subject`, or of an adjustment that does."""
    about = {subject}
    about |= {name_of(f) for f in facts.values() if isinstance(f, Adjustment) and names(f) == subject}
    return [n for n, f in facts.items() if n != subject and (n in about or names(f) in about)]


def says_something(published: Published) -> bool:
    """Whether anything was ever said that must be remembered."""
    return bool(published.n) or published.exception is not None


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


def told_of(stored: StoredFact) -> Told:
    """The fact of a stored record."""
    decoded = decode(stored.wire)
    topic = topic_of(decoded.subject)
    record = Record(topic, stored.partition, stored.offset, stored.timestamp_ms, None, stored.wire, ())
    return Told(fact(topic, decoded.record, origin_of(record)), record)


def stored(name: str, told: Told) -> StoredFact:
    """A fact as its record."""
    at = told.record
    minutes = minutes_of_the_day(told.fact) if isinstance(told.fact, TimeEntry) else 0
    return StoredFact(name, at.value or b"", at.partition, at.offset, at.timestamp_ms, minutes)


def origin_of(record: Record) -> Origin:
    """Where a record was read."""
    return Origin(record.topic, record.partition, record.offset, record.timestamp_ms)
