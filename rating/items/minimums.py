"""Minimums: what a closed month's time is short of the least that is charged (DOMAIN.md §2 rule 15)."""

from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction

from common.decimals import plain
from rating.checks import checked, fault_of_period, is_within
from rating.items.charging import Priced, charged
from rating.model.charge import Settlement
from rating.model.days import month_bounds
from rating.model.enumerations import Reason
from rating.model.facts import BillingPeriod, minimum_of
from rating.model.master_data import Engagement, Minimum
from rating.model.money import ZERO, exact, rounded
from rating.model.rating_context import MINIMUM_REACHED, RatingContext, Rejection
from rating.tax import tax_on
from rating.time.time_checks import needs_rates


def settle_minimums(
    case: RatingContext, periods: Iterable[BillingPeriod], sums: Mapping[str, Fraction]
) -> dict[str, Settlement]:
    """The settlement of each closed month's minimum by subject, given what the time of months is charged."""
    terms = minimum_terms(case.engagement)
    if terms is None:
        return {}
    closed = [period for period in periods if _has_a_minimum(period, case.engagement)]
    found = (_settle(case, period, terms, sums.get(period.period, ZERO)) for period in closed)
    return {settlement.subject: settlement for settlement in found}


def minimum_terms(engagement: Engagement | None) -> Minimum | None:
    """The terms of the minimum, where the engagement's method has one and names it."""
    return engagement.minimum if engagement is not None and needs_rates(engagement) else None


def _has_a_minimum(period: BillingPeriod, engagement: Engagement | None) -> bool:
    month = month_bounds(period.period)
    if month is None or engagement is None or period.status != "closed":
        return False
    return is_within(engagement, *month)


def charged_time(settled: Iterable[Settlement]) -> dict[str, Fraction]:
    """What the time of each month is charged, after the cap."""
    sums: dict[str, Fraction] = {}
    for settlement in settled:
        charge = settlement.charge
        if charge is not None and charge.kind == "time":
            sums[charge.period] = sums.get(charge.period, ZERO) + exact(charge.amount)
    return sums


def _settle(case: RatingContext, period: BillingPeriod, terms: Minimum, time: Fraction) -> Settlement:
    subject = minimum_of(period)
    first, last = month_bounds(period.period) or (date.min, date.min)
    contract = checked(case, period, fault_of_period, first, last)
    if isinstance(contract, Rejection):
        return case.parked(period, contract, subject=subject)
    currency = contract.engagement.currency
    amount = rounded(max(ZERO, exact(terms.amount) - time), currency)
    tax = tax_on(contract, case.lookups, first)
    if isinstance(tax, Rejection):
        return case.parked(period, tax, stake=amount, subject=subject)
    charged_time = rounded(time, currency)
    words = f"minimum of {period.period}: {plain(terms.amount)} less time of {charged_time} = {amount} {currency}"
    reason: Reason | None = None if amount else MINIMUM_REACHED
    return charged(period, contract, first, Priced(amount, (), words), tax, reason, subject)
