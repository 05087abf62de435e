"""`settle`: what the facts of an engagement imply, subject by subject. The law of DOMAIN.md §2 in code.

It depends on nothing but its arguments, and not on the order of the facts in them.
"""

from rating.amount_limits import hold_unbearable
from rating.items.expenses import settle_expenses
from rating.items.fees import settle_fees
from rating.items.milestones import settle_milestones
from rating.items.outcomes import settle_outcomes
from rating.model.charge import (
    Charge,
    Component,
    Lineage,
    MasterRef,
    Missing,
    Parked,
    Settled,
    Settlement,
    negated,
    same_billing,
)
from rating.model.facts import Facts
from rating.model.ids import charge_id, exception_id, posting_id
from rating.model.masters import Masters
from rating.model.rating_context import case_of
from rating.time.adjustments import settle_adjustments
from rating.time.time_entries import settle_time

__all__ = [
    "Charge",
    "Component",
    "Lineage",
    "MasterRef",
    "Missing",
    "Parked",
    "Settled",
    "Settlement",
    "charge_id",
    "exception_id",
    "negated",
    "posting_id",
    "same_billing",
    "settle",
]


def settle(engagement_id: str, facts: Facts, masters: Masters) -> Settled:
    """The settlement of every subject of an engagement, or of the coupling scope whose facts are given.

    `facts` are winning revisions of that engagement. Total: whatever is wrong with a fact parks its subject.
    """
    case = case_of(engagement_id, masters, facts.decisions)
    subjects: dict[str, Settlement] = {}
    if facts.time:
        subjects |= settle_time(case, facts)
    if facts.adjustments:
        subjects |= settle_adjustments(case, facts.adjustments, facts.time)
    if facts.expenses:
        subjects |= settle_expenses(case, facts.expenses)
    if facts.milestones:
        subjects |= settle_milestones(case, facts.milestones)
    if facts.outcomes:
        subjects |= settle_outcomes(case, facts.outcomes)
    if facts.periods:
        subjects |= settle_fees(case, facts.periods)
    hold_unbearable(case, facts, subjects)
    return Settled(subjects, frozenset(case.lookups.names))
