"""Time under a cap, settled day by day: only those whose charge can differ (DOMAIN.md §2 rule 11).

A sum tree holds the amount before the cap of every entry in order of (day, subject), and what the cap left of it. So
the room before an entry is known without reading the others, and so is where the cap is reached: only entries near
there can change when others move. The result equals `rating.settle` over all time of the engagement.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import TypeAlias

from rating.model.charge import Settled
from rating.model.facts import subject_of
from rating.model.master_data import Engagement
from rating.model.money import in_minor_units, minor_money, rounded_money
from rating.time.caps import Claim, Left
from streaming.state_tables import StateRows, Table
from tables.settlement.bucket_store import Buckets
from tables.settlement.large_bucket import Bucket
from tables.settlement.sum_tree import Item, Moved, Sums, SumTree

CAPPED = Table(b"k", int)  # (engagement) -> the revision of the engagement by which its sums were made

SettleBucket: TypeAlias = Callable[[Bucket, Left], Settled]


class CapSums:
    """The sums of one engagement whose time is coupled by its cap and nothing else."""

    def __init__(self, state: StateRows, engagement: Engagement) -> None:
        self._state, self._engagement = state, engagement
        self._tree = SumTree(state, engagement.engagement_id, "cap")
        self._cap = 0
        if engagement.cap is not None:
            self._cap = in_minor_units(rounded_money(engagement.cap.amount, engagement.currency), engagement.currency)
        self._moved = Moved()
        self._taken = set[str]()
        self._again = dict[str, Bucket]()

    def are_kept(self) -> bool:
        """Whether the sums are of this revision of the engagement, and of amounts that only use room."""
        made_by = CAPPED.get(self._state, self._engagement.engagement_id)
        return made_by == self._engagement.revision and self._tree.all().dip == 0

    def clear(self) -> None:
        """Forget the sums."""
        self._tree.clear()

    def make(self, claims: Sequence[Claim]) -> list[Decimal]:
        """What the cap leaves of all claims of the engagement; cleared sums are made of them."""
        before, left = Sums(), list[Decimal]()
        for claim in claims:
            amount = self._minor(claim.full)
            kept = self._left(amount, before)
            self._tree.put(Item(_key(claim), amount, kept))
            before = before.then(amount)
            left.append(self._money(kept))
        return left

    def keep(self) -> None:
        """Write the sums."""
        self._tree.write()
        CAPPED.put(self._state, self._engagement.revision, self._engagement.engagement_id)

    def settle_some(
        self, buckets: Buckets, dirty: Sequence[Bucket], settle: SettleBucket
    ) -> list[tuple[Bucket, Settled]] | None:
        """What can differ because of some days: theirs, and those near where the cap is or was reached.

        None where an amount gives room back: then all days must be settled.
        """
        for bucket in dirty:
            for subject in bucket.touched:
                self._drop(_key_in(bucket, subject))
        found = dict[str, tuple[Bucket, Settled]]()
        for bucket in dirty:
            found[bucket.name] = bucket, settle(bucket, partial(self._take, bucket))
            if bucket.name not in self._taken:  # nothing in it is priced
                self._take(bucket, ())
        if self._tree.all().dip:
            return None
        for item, left in self._changed():
            self._tree.keep(item.key, left)
            moved, _ = buckets.find(self._engagement.engagement_id, item.key[_DAY:])
            if moved is not None:
                self._again[moved.name] = moved
        for name, bucket in self._again.items():
            found[name] = bucket, settle(bucket, self._look)
        return list(found.values())

    def _take(self, bucket: Bucket, claims: Sequence[Claim]) -> list[Decimal]:
        """Have the sums hold these claims of a bucket, and none of its other subjects."""
        self._taken.add(bucket.name)
        now = {_key(claim): self._minor(claim.full) for claim in claims}
        for subject in bucket.subjects():
            if (key := _key_in(bucket, subject)) not in now:
                self._drop(key)
        for key, amount in now.items():
            before = self._tree.get(key)
            if before is None or before.amount != amount:
                self._tree.put(Item(key, amount, before.kept if before else 0))
                self._moved.note(key, amount - (before.amount if before else 0))
        for key, amount in now.items():
            self._tree.keep(key, self._left(amount, self._tree.before(key)))
        return self._look(claims)

    def _look(self, claims: Sequence[Claim]) -> list[Decimal]:
        items = (self._tree.get(_key(claim)) for claim in claims)
        return [self._money(item.kept if item is not None else 0) for item in items]

    def _drop(self, key: str) -> None:
        item = self._tree.get(key)
        if item is not None:
            self._tree.remove(key)
            self._moved.note(key, -item.amount)

    def _changed(self) -> list[tuple[Item, int]]:
        """Items of which the cap leaves something else now, with that."""
        near = self._tree.crossing(self._cap, self._moved)
        found = ((item, self._left(item.amount, Sums(total=before))) for item, before in near)
        return [(item, left) for item, left in found if left != item.kept]

    def _left(self, amount: int, before: Sums) -> int:
        room = self._cap - min(before.total, self._cap + before.dip)
        return amount if amount <= 0 else min(amount, max(room, 0))

    def _minor(self, amount: Decimal) -> int:
        return in_minor_units(amount, self._engagement.currency)

    def _money(self, units: int) -> Decimal:
        return minor_money(units, self._engagement.currency)


_DAY = 10  # characters of a key before the subject


def _key(claim: Claim) -> str:
    return f"{claim.day}{subject_of(claim.fact)}"


def _key_in(bucket: Bucket, subject: str) -> str:
    """The key of a subject of a day's bucket, whose name ends in the day."""
    return f"{bucket.name[-_DAY:]}{subject}"
