"""Where the facts of an engagement live in a settle partition.

One bucket a consultant and day for time, one a metric and month for outcomes, one of its own for any other subject.
Minutes adjustments and decisions live with the subject they name, or wait for it in a bucket named `about:SUBJECT`. So
an ordinary time entry is one row read and one row written.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date

import msgspec

from rating.model.facts import Fact
from rating.scope import Scope, names, own_scope
from streaming.state_tables import StateRows, StateTable
from tables.settlement.bucket import BucketNames, BucketRow, SmallBucket, Told, name_of
from tables.settlement.large_bucket import MEMBERS, Bucket, LargeBucket, MemberFact
from topics import state_keys

TIME = "day:"  # begins the name of every bucket of time
OUTCOMES = "outcomes:"  # of every bucket of outcomes
ABOUT = "about:"  # and of those in which something waits for its subject
MOST_BYTES = 32 << 10  # of a bucket's row; one that would be larger becomes a row a fact

BUCKETS = StateTable(state_keys.BUCKETS, BucketRow)  # (engagement, bucket name) -> the bucket
PLACES = StateTable(state_keys.PLACES, str)  # (engagement, name of a fact) -> name of its bucket; follows from BUCKETS
_read_fact = msgspec.msgpack.Decoder(MemberFact).decode
_read_names = msgspec.msgpack.Decoder(BucketNames).decode
LOOKED = StateTable(state_keys.LOOKED, bool)  # (look-up, engagement): the engagement's settlements looked there


def places_in(rows: Mapping[bytes, bytes | None]) -> dict[bytes, bytes | None]:
    """The rows of PLACES that follow from rows of BUCKETS and MEMBERS, of which later ones count.

    Facts move and are never forgotten, so the latest bucket that holds one is its place.
    """
    found: dict[bytes, bytes | None] = {}
    for key, row in rows.items():
        if row is None:
            continue
        if MEMBERS.holds(key):
            if _read_fact(row).fact is not None:
                engagement_id, name, member = MEMBERS.parts(key)
                found[PLACES.key(engagement_id, member)] = PLACES.pack(name)
            continue
        if not BUCKETS.holds(key):
            continue
        engagement_id, name = BUCKETS.parts(key)
        place = PLACES.pack(name)
        for stored in _read_names(row).facts:
            found[PLACES.key(engagement_id, stored.name)] = place
        if name.startswith(ABOUT):
            found[PLACES.key(engagement_id, name.removeprefix(ABOUT))] = place
    return found


def day_bucket(consultant_id: str, day: date) -> str:
    """The name of the bucket of a consultant's day."""
    return f"{TIME}{consultant_id}:{day}"


def own_bucket(fact: Fact) -> str:
    """The name of the bucket a fact is in, unless it speaks of another subject: `rating.scope.own_scope`, as a name."""
    own = own_scope(fact)
    match own.kind:
        case "person_day":
            return f"{TIME}{own.of[0]}:{own.of[1]}"
        case "outcomes":
            return f"{OUTCOMES}{own.of[1]}:{own.of[0]}"
        case _:
            return name_of(fact)


def own_scope_of(bucket: str) -> Scope | None:
    """The own scope of the facts of a bucket; None for what waits until its subject is known."""
    if bucket.startswith(TIME):
        consultant_id, _, day = bucket.removeprefix(TIME).rpartition(":")
        return Scope("person_day", (consultant_id, day))
    if bucket.startswith(OUTCOMES):
        month, _, metric = bucket.removeprefix(OUTCOMES).partition(":")
        return Scope("outcomes", (metric, month))
    return None if bucket.startswith(ABOUT) else Scope("subject", (bucket,))


def month_of_outcomes(bucket: str) -> str:
    """The month of a bucket of outcomes."""
    return bucket.split(":", 2)[1]


class Buckets:
    """The buckets of one partition, loaded as they are needed and written back once."""

    def __init__(self, state: StateRows) -> None:
        self._state = state
        self._loaded: dict[tuple[str, str], Bucket] = {}
        self.dirty: dict[tuple[str, str], Bucket] = {}
        self._dirty_of: dict[str, dict[str, Bucket]] = {}  # the same by engagement
        self.touched_ms: dict[tuple[str, str], int] = {}  # append time of the last record that touched it
        self.grown: dict[tuple[str, str], Bucket] = {}  # settled already, and to be written

    def prefetch(self, wanted: list[tuple[str, str, str]]) -> None:
        """Load in one multi-get what facts will most likely need, given as (engagement, name, own bucket)."""
        self._state.load(
            [PLACES.key(engagement_id, name) for engagement_id, name, _ in wanted]
            + [BUCKETS.key(engagement_id, bucket) for engagement_id, _, bucket in wanted]
        )

    def bucket(self, engagement_id: str, name: str) -> Bucket:
        """The bucket, empty if it is new."""
        key = engagement_id, name
        if (bucket := self._loaded.get(key)) is None:
            bucket = self._load(engagement_id, name, BUCKETS.get(self._state, *key))
        return bucket

    def _load(self, engagement_id: str, name: str, row: BucketRow | None) -> Bucket:
        bucket: Bucket
        if row is not None and row.large is not None:
            bucket = LargeBucket(self._state, engagement_id, name, row.large)
        else:
            bucket = SmallBucket(engagement_id, name, row)
        self._loaded[engagement_id, name] = bucket
        return bucket

    def rows(self, engagement_id: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """(name, row) of the engagement's written buckets whose names begin so, by name."""
        start = BUCKETS.key(engagement_id, prefix) if prefix else b""
        for (_, name), row in BUCKETS.scan_packed(self._state, engagement_id, start=start):
            if not name.startswith(prefix):
                return
            yield name, row

    def named(self, engagement_id: str, prefix: str, keep: Callable[[str], bool] = lambda _: True) -> list[Bucket]:
        """The engagement's buckets whose names begin so and are to be kept, dirty ones included, by name."""
        found: dict[str, Bucket] = {}
        for name, row in self.rows(engagement_id, prefix):
            if keep(name):
                loaded = self._loaded.get((engagement_id, name))
                found[name] = loaded or self._load(engagement_id, name, BUCKETS.unpack(row))
        for name, bucket in self._dirty_of.get(engagement_id, {}).items():
            if name.startswith(prefix) and keep(name):
                found[name] = bucket
        return [bucket for _, bucket in sorted(found.items())]

    def find(self, engagement_id: str, name: str) -> tuple[Bucket | None, Fact | None]:
        """Where a fact lives, or what speaks of it waits for it; and its winning revision so far."""
        place = PLACES.get(self._state, engagement_id, name)
        if place is None:
            return None, None
        bucket = self.bucket(engagement_id, place)
        told = bucket.told(name)
        return bucket, None if told is None else told.fact

    def place(self, told: Told, now_ms: int) -> None:
        """Put a new or better revision where it belongs; what speaks of it comes along."""
        fact = told.fact
        engagement_id, own = fact.engagement_id, name_of(fact)
        before, _ = self.find(engagement_id, own)
        home = self._home(fact)
        if before is not None and before is not home:
            for moved in before.attached_to(own):
                self._move(moved, before, home, now_ms)
            if before.told(own) is not None:
                self._move(own, before, home, now_ms)
        home.tell(own, told)
        PLACES.put(self._state, home.name, engagement_id, own)
        self.touch(home, own, now_ms)

    def _home(self, fact: Fact) -> Bucket:
        target = names(fact)
        if target is None:
            return self.bucket(fact.engagement_id, own_bucket(fact))
        place = PLACES.get(self._state, fact.engagement_id, target)
        if place is None:  # what speaks of a subject before it is known waits where the subject will look
            place = f"{ABOUT}{target}"
            PLACES.put(self._state, place, fact.engagement_id, target)
        return self.bucket(fact.engagement_id, place)

    def _move(self, name: str, source: Bucket, target: Bucket, now_ms: int) -> None:
        told, published = source.take(name)
        if told is not None:
            target.tell(name, told)
        if published is not None:
            target.publish(name, published)
        PLACES.put(self._state, target.name, source.engagement_id, name)
        self.touch(source, name, now_ms)
        self.touch(target, name, now_ms)

    def touch(self, bucket: Bucket, name: str | None, now_ms: int) -> None:
        """Have the bucket settled again for what happened to a fact in it (None: to all), and written back."""
        key = bucket.engagement_id, bucket.name
        if name is None:
            bucket.all_touched = True
        else:
            bucket.touched.add(name)
        self.dirty[key] = bucket
        self._dirty_of.setdefault(bucket.engagement_id, {})[bucket.name] = bucket
        self.touched_ms[key] = max(now_ms, self.touched_ms.get(key, 0))

    def are_settled(self) -> None:
        """Note that nothing touched is to be settled any more."""
        self.dirty.clear()
        self._dirty_of.clear()
        self.touched_ms.clear()

    def write(self, bucket: Bucket) -> None:
        """Put the bucket into the state, or remove it when nothing is left in it."""
        key = BUCKETS.key(bucket.engagement_id, bucket.name)
        row: BucketRow | None
        if isinstance(bucket, SmallBucket):
            row = bucket.row()
            value = BUCKETS.pack(row)
            if len(value) <= MOST_BYTES:
                if row.facts or row.published:
                    self._state.put(key, value)
                else:
                    self._state.delete(key)
                return
            bucket = LargeBucket.of(self._state, bucket.engagement_id, bucket.name, row)
            self._loaded[bucket.engagement_id, bucket.name] = bucket
        row = bucket.write()
        if row is None:
            self._state.delete(key)
        else:
            self._state.put(key, BUCKETS.pack(row))
