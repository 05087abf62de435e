"""Monthly fees of retainers and subscriptions: once a month that was opened or closed (DOMAIN.md §2, Fees)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from rating.checks import checked, fault_of_period
from rating.items.charging import Priced, charged
from rating.model.charge import Settlement
from rating.model.days import month_bounds
from rating.model.facts import BillingPeriod, subject_of
from rating.model.master_data import Engagement
from rating.model.money import rounded_money
from rating.model.rating_context import Case, Rejection
from rating.tax import tax_on


def settle_fees(case: Case, periods: Iterable[BillingPeriod]) -> dict[str, Settlement]:
    """The settlement of each month's fee by subject; none while the engagement is unknown or names no fee."""
    fee = monthly_fee(case.engagement) if case.engagement else None
    if fee is None:
        return {}
    return {subject_of(period): _settle(case, period, fee) for period in periods}


def monthly_fee(engagement: Engagement) -> Decimal | None:
    """The fee of a month, where the engagement's method has one and names it."""
    if engagement.billing_method == "retainer" and engagement.retainer:
        return engagement.retainer.monthly_fee
    if engagement.billing_method == "subscription" and engagement.subscription:
        return engagement.subscription.monthly_fee
    return None


def _settle(case: Case, period: BillingPeriod, fee: Decimal) -> Settlement:
    # A period that is no month is INVALID whatever its days, so any day serves the check.
    first, last = month_bounds(period.period) or (date.min, date.min)
    contract = checked(case, period, fault_of_period, first, last)
    if isinstance(contract, Rejection):
        return case.parked(period, contract, stake=fee)
    tax = tax_on(contract, case.lookups, first)
    if isinstance(tax, Rejection):
        return case.parked(period, tax, stake=fee)
    engagement = contract.engagement
    amount = rounded_money(fee, engagement.currency)
    derivation = f"{engagement.billing_method} fee of {period.period} = {amount} {engagement.currency}"
    return charged(period, contract, first, Priced(amount, (), derivation), tax)
