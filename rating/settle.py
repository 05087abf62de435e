"""`settle`: what the facts of an engagement imply, subject by subject. The law of DOMAIN.md §2 in code.

It depends on nothing but its arguments, and not on the order of the facts in them.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from rating.amount_limits import park_oversized
from rating.items.fees import settle_fees
from rating.items.milestones import settle_milestones
from rating.items.minimums import charged_time, settle_minimums
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
from rating.model.rating_context import context_of
from rating.steps import Steps

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
    charged: Mapping[str, Fraction] | None = None,
) -> Settled:
    """The settlement of every subject of an engagement, or of the coupling scope whose facts are given.

    `facts` are winning revisions of that engagement; `periods` are those of other scopes, by which the facts may be
    late; `charged` is the amount charged for the time of each month, None if all of that time is in `facts`. The
    function is total: any fault of a fact parks its subject.
    """
    case = context_of(engagement_id, masters, facts.decisions, (*facts.periods, *periods))
    subjects = dict[str, Settlement]()
    if facts.time or facts.expenses or facts.adjustments:
        steps = Steps(case, facts)
        steps.cover()
        steps.price()
        subjects = steps.charge()
    others = dict[str, Settlement]()
    if facts.milestones:
        others |= settle_milestones(case, facts.milestones)
    if facts.outcomes:
        others |= settle_outcomes(case, facts.outcomes)
    if facts.periods:
        others |= settle_fees(case, facts.periods)
        # A minimum looks at what the time of its month is charged in the end.
        time = charged_time(subjects.values()) if charged is None else charged
        others |= settle_minimums(case, facts.periods, time)
    park_oversized(case, facts, others)
    return Settled(subjects | others, frozenset(case.lookups.names))
