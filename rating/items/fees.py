"""Monthly fees of retainers and subscriptions: once a month that was opened or closed (DOMAIN.md §2, Fees)."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import assert_never

from rating.checks import checked, fault_of_period
from rating.items.charging import Priced, charged
from rating.model.charge import Settlement
from rating.model.days import month_bounds
from rating.model.facts import BillingPeriod, subject_of
from rating.model.master_data import Engagement, Retainer, Subscription
from rating.model.money import exact, rounded
from rating.model.rating_context import RatingContext, Rejection
from rating.tax import tax_on


def settle_fees(case: RatingContext, periods: Iterable[BillingPeriod]) -> dict[str, Settlement]:
    """The settlement of each month's fee by subject; none while the engagement is unknown or names no fee."""
    terms = fee_terms(case.engagement) if case.engagement else None
    if terms is None:
        return {}
    return {subject_of(period): _settle(case, period, terms) for period in periods}


def fee_terms(engagement: Engagement) -> Retainer | Subscription | None:
    """The terms with the fee of a month, where the engagement's method has one and names it."""
    match engagement.billing_method:
        case "retainer":
            return engagement.retainer
        case "subscription":
            return engagement.subscription
        case "time_and_materials" | "fixed_fee" | "outcome" | "non_billable":
            return None
        case _:
            assert_never(engagement.billing_method)


def prorated_fee(terms: Retainer | Subscription, engagement: Engagement, first: date, last: date) -> Fraction:
    """The exact fee of the month first..last: whole, or by the days within the contract's dates (DOMAIN.md §2, F2)."""
    fee = exact(terms.monthly_fee)
    match terms.proration:
        case None | "whole":
            return fee
        case "daily":
            begins, ends = max(first, engagement.starts_on), min(last, engagement.ends_on or last)
            return fee * max(0, (ends - begins).days + 1) / last.day
        case _:
            assert_never(terms.proration)


def _settle(case: RatingContext, period: BillingPeriod, terms: Retainer | Subscription) -> Settlement:
    # A period that is no month is INVALID whatever its days, so any day serves the check.
    first, last = month_bounds(period.period) or (date.min, date.min)
    contract = checked(case, period, fault_of_period, first, last)
    if isinstance(contract, Rejection):
        return case.parked(period, contract, stake=terms.monthly_fee)
    engagement = contract.engagement
    amount = rounded(prorated_fee(terms, engagement, first, last), engagement.currency)
    tax = tax_on(contract, case.lookups, first)
    if isinstance(tax, Rejection):
        return case.parked(period, tax, stake=amount)
    by_days = ", by its days within the contract," if terms.proration == "daily" else ""
    derivation = f"{engagement.billing_method} fee of {period.period}{by_days} = {amount} {engagement.currency}"
    return charged(period, contract, first, Priced(amount, (), derivation), tax)
