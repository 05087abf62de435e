"""What a cap leaves of amounts, by sums of the amounts before them (DOMAIN.md §2 rule 11)."""

from collections.abc import Iterator

from streaming.state_tables import StateRows
from tables.settlement.ordered_numbers import OrderedNumbers


class CapSums:
    """Amounts in minor units, and what a cap leaves of them."""

    def __init__(self, state: StateRows, engagement_id: str, before: int | None, now: int | None) -> None:
        self._numbers = OrderedNumbers(state, engagement_id, "cap")
        self._now = now or 0
        self._before = before if before is not None else self._now
        self.replace = self._numbers.replace
        self.write = self._numbers.tree.write

    def left(self, key: str, amount: int) -> int:
        """What the cap leaves of an amount."""
        return self._numbers.share(self._now, key, amount)

    def displaced(self) -> Iterator[str]:
        """The keys of which the cap leaves another part now."""
        return self._numbers.tree.differing(self._before, self._now, self._numbers.before)
