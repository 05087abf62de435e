"""The masters as one settling sees them. Every name it asks for is noted, found or not, so that a later change of that
master re-settles the facts that looked there (DOMAIN.md §3).
"""

from bisect import bisect_right
from datetime import date

from rating.model.master_data import (
    Calendar,
    Client,
    Consultant,
    Engagement,
    ExpensePolicy,
    FxRate,
    PerDiem,
    RateCard,
    RateLine,
    Task,
    TaxRule,
)
from rating.model.masters import LineSelector, Masters


class Lookups:
    """Reads a snapshot and keeps the names of what was looked for, in `names`."""

    __slots__ = ("_masters", "names")

    def __init__(self, masters: Masters) -> None:
        self._masters = masters
        self.names: set[str] = set()

    def engagement(self, engagement_id: str) -> Engagement | None:
        """The engagement of that id."""
        self.names.add(f"engagement:{engagement_id}")
        return self._masters.engagements.get(engagement_id)

    def client(self, client_id: str) -> Client | None:
        """The client of that id."""
        self.names.add(f"client:{client_id}")
        return self._masters.clients.get(client_id)

    def task(self, task_id: str) -> Task | None:
        """The task of that id, of whatever engagement."""
        self.names.add(f"task:{task_id}")
        return self._masters.tasks.get(task_id)

    def consultant(self, consultant_id: str) -> Consultant | None:
        """The consultant of that id."""
        self.names.add(f"consultant:{consultant_id}")
        return self._masters.consultants.get(consultant_id)

    def card(self, rate_card_id: str) -> RateCard | None:
        """The rate card of that id."""
        self.names.add(f"card:{rate_card_id}")
        return self._masters.cards.get(rate_card_id)

    def card_lines(self, card: RateCard) -> dict[LineSelector, tuple[RateLine, ...]]:
        """The lines of a card by what they select."""
        return self._masters.card_lines[card.rate_card_id]

    def firm_cards(self) -> tuple[RateCard, ...]:
        """The firm's default cards in order of rate_card_id."""
        self.names.add("firm-cards")
        return self._masters.firm_cards

    def calendar(self, calendar_id: str) -> Calendar | None:
        """The calendar of that id."""
        self.names.add(f"calendar:{calendar_id}")
        return self._masters.calendars.get(calendar_id)

    def is_holiday(self, calendar: Calendar, day: date) -> bool:
        """Whether a day is one of the calendar's holidays."""
        return day in self._masters.holidays[calendar.calendar_id]

    def policy(self, expense_policy_id: str) -> ExpensePolicy | None:
        """The expense policy of that id."""
        self.names.add(f"policy:{expense_policy_id}")
        return self._masters.policies.get(expense_policy_id)

    def tax_rules(self, jurisdiction: str) -> tuple[TaxRule, ...]:
        """The rules of a jurisdiction of all days, in the order in which they win."""
        self.names.add(f"tax:{jurisdiction}")
        return self._masters.tax_rules.get(jurisdiction, ())

    def latest_fx_rate(self, base: str, quote: str, day: date) -> FxRate | None:
        """The latest rate of the pair published on or before a day, however old."""
        self.names.add(f"fx:{base}:{quote}")
        rates = self._masters.fx_rates.get((base, quote), ())
        known = bisect_right(rates, day, key=lambda rate: rate.date)
        return rates[known - 1] if known else None

    def per_diems(self, place: str) -> tuple[PerDiem, ...]:
        """The rates of a place of all days, in the order in which they win."""
        self.names.add(f"per-diem:{place}")
        return self._masters.per_diems.get(place, ())
