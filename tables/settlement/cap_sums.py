"""What a cap leaves of time, by sums of the amounts before it (DOMAIN.md §2 rule 11)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rating.model.facts import subject_of
from rating.model.master_data import Cap, Engagement
from rating.model.money import in_minor_units, minor_money, rounded_money
from rating.time.caps import Claim
from rating.time.shared import Shared
from streaming.state_tables import StateRows
from tables.settlement.day_sums import DaySums
from tables.settlement.sum_tree import Item, Moved


class CapSums(DaySums):
    """Amounts in minor units; the share of an entry is what the cap leaves of its amount."""

    def __init__(self, state: StateRows, engagement: Engagement, cap: Cap) -> None:
        super().__init__(state, engagement, "cap")
        self._cap = in_minor_units(rounded_money(cap.amount, engagement.currency), engagement.currency)
        self._moved = Moved()
        self.shared = Shared(left_of=self._left_of)

    def are_kept(self) -> bool:
        return super().are_kept() and not self.tree.all().dip

    def note(self, key: str, change: int) -> None:
        self._moved.note(key, change)

    def share(self, item: Item) -> int:
        before = self.tree.before(item.key)
        room = self._cap - min(before.total, self._cap + before.dip)
        return item.amount if item.amount <= 0 else min(item.amount, max(room, 0))

    def near(self) -> Iterable[Item]:
        return [item for item, _ in self.tree.crossing(self._cap, self._cap, self._moved)]

    def _left_of(self, claims: Sequence[Claim]) -> list[Decimal]:
        currency = self.engagement.currency
        numbers = {f"{claim.day}{subject_of(claim.fact)}": in_minor_units(claim.full, currency) for claim in claims}
        return [minor_money(units, currency) for units in self.shares(numbers)]
