"""`settle`: what the facts of an engagement imply, subject by subject. The law of DOMAIN.md §2 in code.

It depends on nothing but its arguments, and not on the order of the facts in them.
"""

from collections.abc import Iterable

from rating.amount_limits import park_oversized
from rating.items.expenses import settle_expenses
from rating.items.fees import settle_fees
from rating.items.milestones import settle_milestones
from rating.items.minimums import settle_minimums
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
from rating.model.facts import BillingPeriod, Facts
from rating.model.ids import charge_id, exception_id, posting_id
from rating.model.masters import Masters
from rating.model.rating_context import RatingContext, context_of
from rating.time.adjustments import settle_adjustments
from rating.time.caps import settle_claims
from rating.time.shared import WHOLE, Shared
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


def settle(
    engagement_id: str,
    facts: Facts,
    masters: Masters,
    periods: Iterable[BillingPeriod] = (),
    shared: Shared = WHOLE,
) -> Settled:
    """The settlement of every subject of an engagement, or of the coupling scope whose facts are given.

    `facts` are winning revisions of that engagement; `periods` are those of other scopes, by which the facts may be
    late; `shared` says what falls on them where others are coupled with them. Total: whatever is wrong with a fact
    parks its subject.
    """
    case = context_of(engagement_id, masters, facts.decisions, (*facts.periods, *periods))
    subjects = _settle_capped(case, facts, shared)
    if facts.adjustments:
        subjects |= settle_adjustments(case, facts.adjustments, facts.time)
    if facts.milestones:
        subjects |= settle_milestones(case, facts.milestones)
    if facts.outcomes:
        subjects |= settle_outcomes(case, facts.outcomes)
    if facts.periods:
        subjects |= settle_fees(case, facts.periods)
    park_oversized(case, facts, subjects)
    if facts.periods:  # a minimum looks at what the time of its month is charged in the end
        minimums = settle_minimums(case, facts.periods, subjects.values())
        park_oversized(case, facts, minimums)
        subjects |= minimums
    return Settled(subjects, frozenset(case.lookups.names))


def _settle_capped(case: RatingContext, facts: Facts, shared: Shared) -> dict[str, Settlement]:
    """Time and expenses, of which a cap may limit both (DOMAIN.md §2 rule 11)."""
    if not facts.time and not facts.expenses:
        return {}
    settled, time = settle_time(case, facts, shared) if facts.time else ([], [])
    passed, expenses = settle_expenses(case, facts.expenses) if facts.expenses else ([], [])
    settled += passed
    engagement = case.engagement
    if engagement is not None and (time or expenses):
        cap, currency = engagement.cap, engagement.currency
        if cap is not None and cap.limits_expenses:
            settled += settle_claims(case, [*time, *expenses], cap, currency, shared.left_of)
        else:
            settled += settle_claims(case, time, cap, currency, shared.left_of)
            settled += settle_claims(case, expenses, None, currency)
    return {settlement.subject: settlement for settlement in settled}
