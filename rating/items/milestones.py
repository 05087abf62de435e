"""Milestones: a completed stage is charged its amount (DOMAIN.md §2, Milestones)."""

from collections.abc import Iterable

from rating.checks import fault_of_milestone, ready
from rating.items.charging import Priced, charged, zero_charge
from rating.model.charge import Missing, Settlement
from rating.model.facts import Milestone, subject_of
from rating.model.money import rounded_money
from rating.model.rating_context import RatingContext, Rejection
from rating.tax import tax_on


def settle_milestones(case: RatingContext, milestones: Iterable[Milestone]) -> dict[str, Settlement]:
    """The settlement of each milestone by subject."""
    return {subject_of(milestone): _settle(case, milestone) for milestone in milestones}


def _settle(case: RatingContext, milestone: Milestone) -> Settlement:
    idle = case.idle(milestone, milestone.status)
    if idle is not None:
        return idle
    contract = ready(case, milestone, fault_of_milestone, milestone.completed_on)
    if isinstance(contract, Rejection):
        return case.parked(milestone, contract)
    agreed = contract.engagement.milestones
    terms = next((terms for terms in agreed if terms.milestone_id == milestone.milestone_id), None)
    if terms is None:
        message = f"Engagement {case.engagement_id} has no milestone {milestone.milestone_id}."
        missing = Missing("milestone", milestone.milestone_id, None)
        return case.parked(milestone, Rejection("UNKNOWN_MILESTONE", message, missing))
    if contract.is_non_billable:
        return zero_charge(milestone, contract, milestone.completed_on)
    currency = contract.engagement.currency
    amount = rounded_money(terms.amount, currency)
    tax = tax_on(contract, case.lookups, milestone.completed_on)
    if isinstance(tax, Rejection):
        return case.parked(milestone, tax, stake=amount)
    priced = Priced(amount, (), f"milestone {terms.name} completed = {amount} {currency}")
    return charged(milestone, contract, milestone.completed_on, priced, tax)
