"""Which minutes a retainer covers, by sums of billable minutes (DOMAIN.md §2 rule 10).

A second tree holds the billable minutes of each month, and the minutes that were left to it at its beginning: they
follow from the months before it, so a change is carried on month by month.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from rating.model.days import month_number
from rating.model.facts import TimeEntry, subject_of
from rating.model.master_data import Engagement, Retainer
from rating.time.retainer import left_by_month
from rating.time.shared import Shared
from streaming.state_tables import StateRows
from tables.settlement.day_sums import DaySums
from tables.settlement.sum_tree import Item, Moved, SumTree

_MONTH = 7  # characters of a key that are its month


class RetainerSums(DaySums):
    """Billable minutes; the share of an entry is its covered minutes."""

    def __init__(self, state: StateRows, engagement: Engagement, retainer: Retainer) -> None:
        super().__init__(state, engagement, "retainer")
        self._terms = retainer
        self._months = SumTree(state, engagement.engagement_id, "retainer months")
        self._moved: dict[str, Moved] = defaultdict(Moved)
        self._left: dict[str, int] | None = None
        self.shared = Shared(covered_of=self._covered_of)

    def clear(self) -> None:
        super().clear()
        self._months.clear()

    def keep(self) -> None:
        for month, left in self._left_now().items():
            self._months.keep(month, left)
        self._months.write()
        super().keep()

    def note(self, key: str, change: int) -> None:
        month = key[:_MONTH]
        self._moved[month].note(key, change)
        before = self._months.get(month) or Item(month, 0)
        self._months.put(Item(month, before.amount + change, before.kept))
        self._left = None

    def share(self, item: Item) -> int:
        month = item.key[:_MONTH]
        used = self.tree.before(item.key).total - self.tree.before(month).total
        return min(item.amount, max(self._left_now().get(month, 0) - used, 0))

    def near(self) -> Iterable[Item]:
        left = self._left_now()
        for month, _ in list(self._months.items()):
            before, now = month.kept, left[month.key]
            moved = self._moved.get(month.key, Moved())
            if before != now:
                moved = Moved(month.key, moved.up, moved.down)
            base = self.tree.before(month.key).total
            for item, _ in self.tree.crossing(base + min(before, now), base + max(before, now), moved):
                if item.key[:_MONTH] != month.key:
                    break
                yield item

    def _left_now(self) -> dict[str, int]:
        """Minutes left to each month at its beginning."""
        if self._left is None:
            used = {item.key: item.amount for item, _ in self._months.items()}
            numbers = {month_number_of(month): minutes for month, minutes in used.items()}
            left = left_by_month(numbers, self._terms, self.engagement.starts_on)
            self._left = {month: left[month_number_of(month)] for month in used}
        return self._left

    def _covered_of(self, entries: Sequence[TimeEntry], billable: Sequence[int]) -> list[int]:
        keys = (f"{entry.work_date}{subject_of(entry)}" for entry in entries)
        return self.shares(dict(zip(keys, billable, strict=True)))


def month_number_of(month: str) -> int:
    """The number of a month written YYYY-MM."""
    return month_number(date.fromisoformat(f"{month}-01"))
