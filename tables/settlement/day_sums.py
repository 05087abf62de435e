"""Time that an engagement couples, settled day by day: only the entries whose charge can differ.

A sum tree holds a number of every priced entry in order of (day, subject), and the share that the engagement gave it of
what all of them use up: room under a cap (tables.settlement.cap_sums), minutes of a retainer
(tables.settlement.retainer_sums). So what is left for an entry is known without reading the others. The result equals
`rating.settle` over all time of the engagement.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from rating.model.charge import Settled
from rating.model.master_data import Engagement
from streaming.state_tables import StateRows, StateTable
from tables.settlement.bucket_store import Buckets
from tables.settlement.large_bucket import Bucket
from tables.settlement.sum_tree import Item, SumTree
from topics import state_keys

SUMMED = StateTable(
    state_keys.SUMMED, int
)  # (engagement) -> the revision of the engagement by which its sums were made
DAY = 10  # characters of a key before the subject

SettleBucket: TypeAlias = Callable[[Bucket], Settled]


class DaySums(ABC):
    """The sums of one engagement. `bucket` is the one that is being settled, None for all of them at once."""

    def __init__(self, state: StateRows, engagement: Engagement, name: str) -> None:
        self.engagement, self.tree = engagement, SumTree(state, engagement.engagement_id, name)
        self._state = state
        self._bucket: Bucket | None = None
        self._takes, self._taken = True, set[str]()

    @abstractmethod
    def note(self, key: str, change: int) -> None:
        """A number changed by so much."""

    @abstractmethod
    def share(self, item: Item) -> int:
        """What an entry has of what all of them use up."""

    @abstractmethod
    def near(self) -> Iterable[Item]:
        """The entries whose share can have changed."""

    def are_kept(self) -> bool:
        """Whether the sums are of this revision of the engagement."""
        return SUMMED.get(self._state, self.engagement.engagement_id) == self.engagement.revision

    def clear(self) -> None:
        """Forget the sums: they are made of what is settled next."""
        self.tree.clear()

    def keep(self) -> None:
        """Write the sums."""
        self.tree.write()
        SUMMED.put(self._state, self.engagement.revision, self.engagement.engagement_id)

    def settle_some(
        self, buckets: Buckets, dirty: Sequence[Bucket], settle: SettleBucket
    ) -> list[tuple[Bucket, Settled]] | None:
        """What can differ because of some days: theirs, and those whose shares are others now.

        None where a number is negative: then all days must be settled together.
        """
        for bucket in dirty:
            for subject in bucket.touched:
                self._drop(_key_in(bucket, subject))
        found = dict[str, tuple[Bucket, Settled]]()
        for bucket in dirty:
            self._bucket = bucket
            found[bucket.name] = bucket, settle(bucket)
            if bucket.name not in self._taken:  # nothing in it is priced
                self.shares({})
        if self.tree.all().dip:
            return None
        again, self._takes = dict[str, Bucket](), False
        for item, share in [(item, self.share(item)) for item in self.near()]:
            if share != item.kept:
                self.tree.keep(item.key, share)
                moved, _ = buckets.find(self.engagement.engagement_id, item.key[DAY:])
                if moved is not None:
                    again[moved.name] = moved
        for bucket in again.values():
            found[bucket.name] = bucket, settle(bucket)
        return list(found.values())

    def shares(self, numbers: Mapping[str, int]) -> list[int]:
        """The shares of entries that are being settled, given their numbers by key, in order."""
        if self._takes:
            self._take(numbers)
        items = (self.tree.get(key) for key in numbers)
        return [item.kept if item is not None else 0 for item in items]

    def _take(self, numbers: Mapping[str, int]) -> None:
        """Have the sums hold these numbers of a bucket, and none of its other subjects."""
        if self._bucket is not None:
            self._taken.add(self._bucket.name)
            for subject in self._bucket.subjects():
                if (key := _key_in(self._bucket, subject)) not in numbers:
                    self._drop(key)
        for key, number in numbers.items():
            before = self.tree.get(key) or Item(key, 0)
            self.tree.put(Item(key, number, before.kept))
            if number != before.amount:
                self.note(key, number - before.amount)
        for key, number in numbers.items():
            self.tree.keep(key, self.share(Item(key, number)))

    def _drop(self, key: str) -> None:
        item = self.tree.get(key)
        if item is not None:
            self.tree.remove(key)
            self.note(key, -item.amount)


def _key_in(bucket: Bucket, subject: str) -> str:
    """The key of a subject of a day's bucket, whose name ends in the day."""
    return f"{bucket.name[-DAY:]}{subject}"
