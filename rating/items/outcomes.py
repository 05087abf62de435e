"""Outcomes: quantities priced by metric and calendar month in canonical order (DOMAIN.md §2, Outcomes)."""

from collections.abc import Iterable
from dataclasses import dataclass

from common.decimals import plain
from rating.checks import checked, closed_before, fault_of_outcome
from rating.items.charging import Priced, charged, charged_nothing
from rating.items.tiers import tier_amounts
from rating.model.charge import Missing, Settlement
from rating.model.days import month_of
from rating.model.facts import Outcome
from rating.model.master_data import OutcomeTerms
from rating.model.rating_context import Case, Contract, Rejection
from rating.tax import Tax, tax_on


@dataclass(frozen=True, slots=True)
class _Billable:
    """An outcome that passed every check."""

    outcome: Outcome
    contract: Contract
    terms: OutcomeTerms
    tax: Tax


def settle_outcomes(case: Case, outcomes: Iterable[Outcome]) -> dict[str, Settlement]:
    """The settlement of each outcome by subject."""
    settled: dict[str, Settlement] = {}
    groups: dict[tuple[str, str], list[_Billable]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: (outcome.achieved_on, outcome.outcome_id)):
        found = _check(case, outcome)
        if isinstance(found, Settlement):
            settled[found.subject] = found
        else:
            groups.setdefault((outcome.metric, month_of(outcome.achieved_on)), []).append(found)
    for group in groups.values():
        settled.update((one.subject, one) for one in _charge(group))
    return settled


def _check(case: Case, outcome: Outcome) -> _Billable | Settlement:
    idle = case.idle(outcome, outcome.status)
    if idle is not None:
        return idle
    contract = checked(case, outcome, fault_of_outcome, outcome.achieved_on, outcome.achieved_on)
    if isinstance(contract, Rejection):
        return case.parked(outcome, contract)
    late = closed_before(case, outcome, outcome.achieved_on)
    if late is not None:
        return case.parked(outcome, late)
    terms = next((terms for terms in contract.engagement.outcomes if terms.metric == outcome.metric), None)
    # Terms without a tier name no price, so the metric is as good as not agreed.
    if terms is None or not terms.tiers:
        message = f"Engagement {case.engagement_id} has no price for {outcome.metric}."
        missing = Missing("metric", outcome.metric, None)
        return case.parked(outcome, Rejection("UNKNOWN_METRIC", message, missing))
    if contract.is_non_billable:
        return charged_nothing(outcome, contract, outcome.achieved_on)
    tax = tax_on(contract, case.lookups, outcome.achieved_on)
    if isinstance(tax, Rejection):
        return case.parked(outcome, tax)
    return _Billable(outcome, contract, terms, tax)


def _charge(group: list[_Billable]) -> Iterable[Settlement]:
    currency = group[0].contract.engagement.currency
    terms = group[0].terms
    month = month_of(group[0].outcome.achieved_on)
    total = plain(sum((one.outcome.quantity for one in group[1:]), group[0].outcome.quantity))
    amounts = tier_amounts([one.outcome.quantity for one in group], terms, currency)
    for one, amount in zip(group, amounts, strict=True):
        derivation = (
            f"{plain(one.outcome.quantity)} {terms.metric} of {total} in {month}, priced {terms.model}, "
            f"= {amount} {currency}"
        )
        yield charged(one.outcome, one.contract, one.outcome.achieved_on, Priced(amount, (), derivation), one.tax)
