"""Which minutes a retainer covers, by sums of billable minutes (DOMAIN.md §2 rule 10)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from rating.model.days import month_number
from rating.model.master_data import Engagement
from rating.time.retainer import left_by_month
from streaming.state_tables import StateRows
from tables.settlement.ordered_numbers import MONTH, OrderedNumbers
from tables.settlement.shared_terms import RetainerTerms
from tables.settlement.sum_tree import Item, SumTree


class RetainerSums:
    """Billable minutes by month, and what a retainer covers of them.

    A month's minutes, of which the rest rolls over, are a number of the month in a tree of its own.
    """

    def __init__(
        self, state: StateRows, engagement: Engagement, before: RetainerTerms | None, now: RetainerTerms | None
    ) -> None:
        self._state, self._engagement = state, engagement
        self._terms = now
        self._months = SumTree(state, engagement.engagement_id, "months")
        self._trees: dict[str, OrderedNumbers] = {}
        self._left: dict[str, int] | None = None
        self._left_before = self._left_by(before or now)

    def replace(self, old: Iterable[str], new: Mapping[str, int]) -> None:
        """Have these minutes, and none of the other keys of `old`."""
        by_month: dict[str, tuple[list[str], dict[str, int]]] = {}
        for key in old:
            by_month.setdefault(key[:MONTH], ([], {}))[0].append(key)
        for key, minutes in new.items():
            by_month.setdefault(key[:MONTH], ([], {}))[1][key] = minutes
        for month, (old_keys, minutes_now) in by_month.items():
            numbers = self._of(month)
            numbers.replace(old_keys, minutes_now)
            self._months.put(Item(month, numbers.tree.all().total))
        self._left = None

    def covered(self, key: str, minutes: int) -> int:
        """The minutes of an entry that the retainer covers."""
        month = key[:MONTH]
        return self._of(month).share(self._left_now().get(month, 0), key, minutes)

    def displaced(self) -> Iterator[str]:
        """The keys of which other minutes are covered now."""
        for month, left in self._left_now().items():
            numbers, before = self._trees.get(month), self._left_before.get(month, left)
            if numbers is not None or before != left:
                numbers = numbers or self._of(month)
                yield from numbers.tree.differing(before, left, numbers.before)

    def write(self) -> None:
        """Put what changed into the state."""
        self._months.write()
        for numbers in self._trees.values():
            numbers.tree.write()

    def _of(self, month: str) -> OrderedNumbers:
        numbers = self._trees.get(month)
        if numbers is None:
            numbers = OrderedNumbers(self._state, self._engagement.engagement_id, f"minutes:{month}")
            self._trees[month] = numbers
        return numbers

    def _left_now(self) -> dict[str, int]:
        if self._left is None:
            self._left = self._left_by(self._terms)
        return self._left

    def _left_by(self, terms: RetainerTerms | None) -> dict[str, int]:
        """Minutes left to each month at its beginning."""
        if terms is None:
            return {}
        used = {item.key: item.amount for item, _ in self._months.items()}
        numbers = {_month_number(month): minutes for month, minutes in used.items()}
        left = left_by_month(numbers, terms.included_minutes, terms.rollover_months, self._engagement.starts_on)
        return {month: left[_month_number(month)] for month in used}


def _month_number(month: str) -> int:
    """The number of a month written YYYY-MM."""
    return month_number(date.fromisoformat(f"{month}-01"))
