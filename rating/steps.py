"""The rules in steps: what subjects need of each other is asked for between them (DOMAIN.md §2).

Each step looks at the facts it was given only. Where they are all that terms couple, the steps answer each other
(`rating.settle`). A caller who knows what the other facts leave these takes the steps one by one.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from rating.amount_limits import park_oversized
from rating.items.expenses import settle_expenses
from rating.model.charge import Settlement
from rating.model.facts import Facts
from rating.model.rating_context import RatingContext
from rating.time.adjustments import settle_adjustments
from rating.time.amounts import Priceable
from rating.time.caps import Claim, in_order, settle_claims
from rating.time.time_entries import MeasuredTime, measure_time
from rating.time.time_pricing import claims_of_time, covered_of, priceable_time


class Steps:
    """Time and expenses, measured at once; then `cover`, `price` and `charge`, in that order."""

    def __init__(self, case: RatingContext, facts: Facts) -> None:
        self._case, self._facts, self._engagement = case, facts, case.engagement
        self.time: MeasuredTime = measure_time(case, facts)
        self._settled = list(self.time.settled)
        self._expenses = list[Claim]()
        if facts.expenses:
            passed, self._expenses = settle_expenses(case, facts.expenses)
            self._settled += passed
        self.priceable: Sequence[Priceable] = ()
        self.claims: Sequence[Claim] = ()
        self._free: Sequence[Claim] = ()

    @property
    def currency(self) -> str:
        """The engagement's; empty where it is not known, and nothing has a price."""
        return self._engagement.currency if self._engagement is not None else ""

    def cover(self, covered: Sequence[int] | None = None) -> None:
        """Set how many minutes of each work the retainer covers; None where there are no other works."""
        self.priceable = priceable_time(self._case, self.time, covered_of(self.time) if covered is None else covered)

    def price(self, of_lines: Mapping[int, Decimal] | None = None) -> None:
        """Set the amounts of works that lines round, by place; None where the lines have no others.

        `claims` are then those that a cap limits, if there is one, in its order.
        """
        time = claims_of_time(self.time, self.priceable, of_lines)
        cap = self._engagement.cap if self._engagement is not None else None
        if cap is not None and cap.limits_expenses:
            self.claims, self._free = in_order([*time, *self._expenses]), []
        else:
            self.claims, self._free = time, self._expenses

    def charge(self, left: Sequence[Decimal] | None = None) -> dict[str, Settlement]:
        """The settlement of each subject; `left` is what the cap leaves of each claim, None where it has no others."""
        settled = list(self._settled)
        if self._engagement is not None and (self.claims or self._free):
            currency = self._engagement.currency
            settled += settle_claims(self._case, self.claims, self._engagement.cap, currency, left)
            settled += settle_claims(self._case, self._free, None, currency)
        subjects = {settlement.subject: settlement for settlement in settled}
        if self._facts.adjustments:
            subjects |= settle_adjustments(self._case, self._facts.adjustments, self._facts.time)
        park_oversized(self._case, self._facts, subjects)
        return subjects
