"""Outcomes: quantities priced by metric and calendar month in canonical order (DOMAIN.md §2, Outcomes)."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from common.decimals import plain
from rating.checks import checked, closed_before, fault_of_outcome
from rating.items.charging import Priced, charged, zero_charge
from rating.items.tiers import tier_amounts
from rating.model.charge import Missing, Settlement
from rating.model.days import month_of
from rating.model.facts import Outcome
from rating.model.master_data import Engagement, OutcomeTerms
from rating.model.rating_context import Contract, RatingContext, Rejection
from rating.tax import Tax, tax_on


@dataclass(frozen=True, slots=True)
class Billable:
    """An outcome that passed every check."""

    outcome: Outcome
    contract: Contract
    terms: OutcomeTerms
    tax: Tax


def settle_outcomes(case: RatingContext, outcomes: Iterable[Outcome]) -> dict[str, Settlement]:
    """The settlement of each outcome by subject."""
    settled: dict[str, Settlement] = {}
    groups: dict[tuple[str, str], list[Billable]] = {}
    for outcome in sorted(outcomes, key=canonical):
        found = check_outcome(case, outcome)
        if isinstance(found, Settlement):
            settled[found.subject] = found
        else:
            groups.setdefault((outcome.metric, month_of(outcome.achieved_on)), []).append(found)
    for group in groups.values():
        settled.update((one.subject, one) for one in _charge(group))
    return settled


def canonical(outcome: Outcome) -> str:
    """The order of a month's outcomes: by day, then id."""
    return f"{outcome.achieved_on}{outcome.outcome_id}"


def check_outcome(case: RatingContext, outcome: Outcome) -> Billable | Settlement:
    """An outcome that is to be charged, or the settlement of one that is not."""
    idle = case.idle(outcome, outcome.status)
    if idle is not None:
        return idle
    contract = checked(case, outcome, fault_of_outcome, outcome.achieved_on, outcome.achieved_on)
    if isinstance(contract, Rejection):
        return case.parked(outcome, contract)
    late = closed_before(case, outcome, outcome.achieved_on)
    if late is not None:
        return case.parked(outcome, late)
    terms = terms_of(contract.engagement, outcome.metric)
    if terms is None:
        message = f"Engagement {case.engagement_id} has no price for {outcome.metric}."
        missing = Missing("metric", outcome.metric, None)
        return case.parked(outcome, Rejection("UNKNOWN_METRIC", message, missing))
    if contract.is_non_billable:
        return zero_charge(outcome, contract, outcome.achieved_on)
    tax = tax_on(contract, case.lookups, outcome.achieved_on)
    if isinstance(tax, Rejection):
        return case.parked(outcome, tax)
    return Billable(outcome, contract, terms, tax)


def terms_of(engagement: Engagement, metric: str) -> OutcomeTerms | None:
    """How a metric is priced; terms without a tier name no price, so the metric is as good as not agreed."""
    terms = next((terms for terms in engagement.outcomes if terms.metric == metric), None)
    return terms if terms is not None and terms.tiers else None


def _charge(group: list[Billable]) -> Iterable[Settlement]:
    currency = group[0].contract.engagement.currency
    total = sum((one.outcome.quantity for one in group[1:]), group[0].outcome.quantity)
    amounts = tier_amounts([one.outcome.quantity for one in group], group[0].terms, currency)
    for one, amount in zip(group, amounts, strict=True):
        yield charge_outcome(one, amount, total)


def charge_outcome(one: Billable, amount: Decimal, total: Decimal) -> Settlement:
    """The charge of an outcome, given its amount and the month's quantity."""
    outcome, currency = one.outcome, one.contract.engagement.currency
    derivation = (
        f"{plain(outcome.quantity)} {one.terms.metric} of {plain(total)} in {month_of(outcome.achieved_on)}, "
        f"priced {one.terms.model}, = {amount} {currency}"
    )
    return charged(outcome, one.contract, outcome.achieved_on, Priced(amount, (), derivation), one.tax)
