"""Adjustments: a signed amount of its own, or minutes in place of a time entry's (DOMAIN.md §2, Adjustments)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from rating.checks import TIME_PREFIX, fault_of_adjustment, ready
from rating.items.charging import Priced, charged
from rating.model.charge import Missing, Settlement
from rating.model.facts import Adjustment, TimeEntry
from rating.model.money import rounded_money
from rating.model.rating_context import RatingContext, Rejection
from rating.tax import tax_on


@dataclass(frozen=True, slots=True)
class AgreedMinutes:
    """Minutes to bill in place of an entry's recorded ones, and the adjustment that says so."""

    adjustment_id: str
    minutes: int


def settle_adjustments(
    case: RatingContext, adjustments: Iterable[Adjustment], entries: Iterable[TimeEntry]
) -> dict[str, Settlement]:
    """The settlement of each adjustment by subject; one of minutes has one only while it is parked or waived.

    `entries` are the engagement's time entries, of whatever status.
    """
    known_entries = {entry.entry_id for entry in entries}
    found = (_settle(case, adjustment, known_entries) for adjustment in adjustments)
    return {settlement.subject: settlement for settlement in found if settlement is not None}


def agreed_minutes(adjustments: Iterable[Adjustment], entries: Iterable[TimeEntry]) -> dict[str, AgreedMinutes]:
    """By entry_id, the minutes that replace the worked ones: of the greatest (effective_on, adjustment_id).

    An adjustment that is parked applies to nothing.
    """
    known_entries = {entry.entry_id for entry in entries}
    approved = [found for found in adjustments if found.kind == "minutes" and found.status == "approved"]
    approved.sort(key=lambda adjustment: (adjustment.effective_on, adjustment.adjustment_id))
    return {
        _entry_id(adjustment): AgreedMinutes(adjustment.adjustment_id, adjustment.minutes)
        for adjustment in approved
        if adjustment.minutes is not None and _minutes_rejection(adjustment, known_entries) is None
    }


def _settle(case: RatingContext, adjustment: Adjustment, known_entries: Collection[str]) -> Settlement | None:
    if adjustment.kind == "amount":
        return _settle_amount(case, adjustment)
    if adjustment.status != "approved":
        return None
    rejection = _minutes_rejection(adjustment, known_entries)
    return None if rejection is None else case.parked(adjustment, rejection)


def _settle_amount(case: RatingContext, adjustment: Adjustment) -> Settlement:
    idle = case.idle(adjustment, adjustment.status)
    if idle is not None:
        return idle
    contract = ready(case, adjustment, fault_of_adjustment, adjustment.effective_on)
    if isinstance(contract, Rejection):
        return case.parked(adjustment, contract, stake=adjustment.amount)
    tax = tax_on(contract, case.lookups, adjustment.effective_on)
    if isinstance(tax, Rejection):
        return case.parked(adjustment, tax, stake=adjustment.amount)
    currency = contract.engagement.currency
    # Without an amount it is INVALID, so here it has one.
    amount = rounded_money(adjustment.amount or Decimal(0), currency)
    priced = Priced(amount, (), f"adjustment ({adjustment.reason}) = {amount} {currency}")
    return charged(adjustment, contract, adjustment.effective_on, priced, tax)


def _minutes_rejection(adjustment: Adjustment, known_entries: Collection[str]) -> Rejection | None:
    fault = fault_of_adjustment(adjustment)
    if fault is not None:
        return Rejection("INVALID", fault)
    if _entry_id(adjustment) not in known_entries:
        subject = f"{TIME_PREFIX}{_entry_id(adjustment)}"
        message = f"The engagement has no {subject} to adjust."
        return Rejection("UNKNOWN_SUBJECT", message, Missing("subject", subject, None))
    return None


def _entry_id(adjustment: Adjustment) -> str:
    return (adjustment.subject or "").removeprefix(TIME_PREFIX)
