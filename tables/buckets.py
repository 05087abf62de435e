"""Where the facts of an engagement live in a settle partition, and what was last published of them.

A bucket holds the facts that settle together, with their published charges and exceptions: one bucket a consultant and
day for time, one a metric and month for outcomes, one of its own for any other subject. Minutes adjustments and
decisions live with the subject they name, or wait for it in a bucket named `about:SUBJECT`. So an ordinary time entry
is one row read and one row written.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from billing.charges import Charge
from billing.facts import Adjustment, Decision, Fact, Facts, Outcome, TimeEntry, each, gathered, subject_of
from billing.scope import names
from tables.exceptions import StandingException
from tables.rows import StateRows, Table

TIME = "day:"  # begins the name of every bucket of time


@dataclass(frozen=True, slots=True)
class Published:
    """What `billing.ready` and `billing.exceptions` last said of a subject; `n` counts its charges so far."""

    n: int = 0
    charge: Charge | None = None
    exception: StandingException | None = None


@dataclass(frozen=True, slots=True)
class BucketRow:
    """A bucket as it is stored."""

    facts: Facts
    published: dict[str, Published]


PLACES = Table(b"p", str)  # (engagement, name of a fact) -> name of the bucket that holds it
BUCKETS = Table(b"b", BucketRow)  # (engagement, bucket name) -> the bucket
LOOKED = Table(b"l", bool)  # (look-up, engagement): the engagement's settlements looked there


@dataclass(slots=True)
class Bucket:
    """A bucket while a batch works on it."""

    engagement_id: str
    name: str
    facts: dict[str, Fact] = field(default_factory=dict)
    published: dict[str, Published] = field(default_factory=dict)

    def stored(self) -> BucketRow:
        """The row to keep."""
        return BucketRow(gathered(self.facts.values()), self.published)

    def attached_to(self, subject: str) -> list[str]:
        """Names of what lives here because they speak of `subject`: its adjustments, its decisions, theirs."""
        about = {subject}
        about |= {name_of(f) for f in self.facts.values() if isinstance(f, Adjustment) and names(f) == subject}
        return [n for n, f in self.facts.items() if n != subject and (n in about or names(f) in about)]


def name_of(fact: Fact) -> str:
    """A fact's name within its engagement: its subject; a decision, which is none, has a name of its own."""
    return f"decision:{fact.decision_id}" if isinstance(fact, Decision) else subject_of(fact)


def _own_bucket(fact: Fact) -> str:
    if isinstance(fact, TimeEntry):
        return f"{TIME}{fact.consultant_id}:{fact.work_date}"
    if isinstance(fact, Outcome):
        return f"outcomes:{fact.achieved_on:%Y-%m}:{fact.metric}"
    return name_of(fact)


class Buckets:
    """The buckets of one partition, loaded as they are needed and written back once."""

    def __init__(self, state: StateRows) -> None:
        self._state = state
        self._loaded: dict[tuple[str, str], Bucket] = {}
        self.dirty: dict[tuple[str, str], Bucket] = {}
        self.touched_ms: dict[tuple[str, str], int] = {}  # append time of the last record that touched it

    def prefetch(self, facts: list[Fact]) -> None:
        """Load in two multi-gets what `facts` will most likely need."""
        self._state.load([PLACES.key(f.engagement_id, name_of(f)) for f in facts])
        self._state.load([BUCKETS.key(f.engagement_id, _own_bucket(f)) for f in facts])

    def bucket(self, engagement_id: str, name: str) -> Bucket:
        """The bucket, empty if it is new."""
        key = engagement_id, name
        if (bucket := self._loaded.get(key)) is None:
            bucket = self._load(engagement_id, name, BUCKETS.get(self._state, *key))
        return bucket

    def _load(self, engagement_id: str, name: str, row: BucketRow | None) -> Bucket:
        bucket = self._loaded[engagement_id, name] = Bucket(engagement_id, name)
        if row is not None:
            bucket.facts = {name_of(fact): fact for fact in each(row.facts)}
            bucket.published = dict(row.published)
        return bucket

    def from_name(self, engagement_id: str, start: str = "") -> Iterator[Bucket]:
        """The engagement's written buckets named `start` or after, by name. Buckets still dirty are not all here."""
        after = BUCKETS.key(engagement_id, start) if start else b""
        for (_, name), row in BUCKETS.scan_packed(self._state, engagement_id, start=after):
            loaded = self._loaded.get((engagement_id, name))
            yield loaded if loaded is not None else self._load(engagement_id, name, BUCKETS.unpack(row))

    def all_time(self, engagement_id: str) -> list[Bucket]:
        """Every bucket of time of the engagement, dirty ones included, by name."""
        written = [b for b in self.from_name(engagement_id, TIME) if b.name.startswith(TIME)]
        new = [b for (e, name), b in self.dirty.items() if e == engagement_id and name.startswith(TIME)]
        return sorted({b.name: b for b in (*written, *new)}.values(), key=lambda b: b.name)

    def find(self, engagement_id: str, name: str) -> tuple[Bucket | None, Fact | None]:
        """Where a fact lives, or what speaks of it waits for it; and its winning revision so far."""
        place = PLACES.get(self._state, engagement_id, name)
        if place is None:
            return None, None
        bucket = self.bucket(engagement_id, place)
        return bucket, bucket.facts.get(name)

    def place(self, fact: Fact, now_ms: int) -> None:
        """Put a new or better revision where it belongs; what speaks of it comes along."""
        engagement_id, own = fact.engagement_id, name_of(fact)
        before, _ = self.find(engagement_id, own)
        home = self._home(fact)
        if before is not None and before is not home:
            for moved in before.attached_to(own):
                self._move(moved, before, home, now_ms)
            if own in before.facts:
                self._move(own, before, home, now_ms)
        home.facts[own] = fact
        PLACES.put(self._state, home.name, engagement_id, own)
        self.touch(home, now_ms)

    def _home(self, fact: Fact) -> Bucket:
        target = names(fact)
        if target is None:
            return self.bucket(fact.engagement_id, _own_bucket(fact))
        place = PLACES.get(self._state, fact.engagement_id, target)
        if place is None:  # what speaks of a subject before it is known waits where the subject will look
            place = f"about:{target}"
            PLACES.put(self._state, place, fact.engagement_id, target)
        return self.bucket(fact.engagement_id, place)

    def _move(self, name: str, source: Bucket, target: Bucket, now_ms: int) -> None:
        target.facts[name] = source.facts.pop(name)
        if name in source.published:
            target.published[name] = source.published.pop(name)
        PLACES.put(self._state, target.name, source.engagement_id, name)
        self.touch(source, now_ms)
        self.touch(target, now_ms)

    def touch(self, bucket: Bucket, now_ms: int) -> None:
        """Have the bucket settled again and written back."""
        key = bucket.engagement_id, bucket.name
        self.dirty[key] = bucket
        self.touched_ms[key] = max(now_ms, self.touched_ms.get(key, 0))

    def write(self, bucket: Bucket) -> None:
        """Put the bucket into the state, or remove it when nothing is left in it."""
        if bucket.facts or bucket.published:
            BUCKETS.put(self._state, bucket.stored(), bucket.engagement_id, bucket.name)
        else:
            BUCKETS.delete(self._state, bucket.engagement_id, bucket.name)
