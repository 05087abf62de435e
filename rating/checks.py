"""The checks every subject passes first, in the order of DOMAIN.md §2 rule 1. The first failure is the code."""

from collections.abc import Callable
from datetime import date
from typing import TypeVar, assert_never

from common.decimals import plain
from rating.model.charge import Missing
from rating.model.days import month_bounds, month_of
from rating.model.facts import Adjustment, BillingPeriod, Expense, Fact, Milestone, Outcome, TimeEntry
from rating.model.master_data import Engagement
from rating.model.rating_context import Contract, RatingContext, Rejection

MINUTES_OF_A_DAY = 1440
TIME_PREFIX = "time:"

_F = TypeVar("_F", bound=Fact)


def checked(
    case: RatingContext, fact: _F, fault: Callable[[_F], str | None], first: date, last: date
) -> Contract | Rejection:
    """The contract a subject is charged under, whose dates must meet first..last, or what forbids charging it.

    `fault` names what is INVALID in the fact; `first` is the subject's day.
    """
    contract = ready(case, fact, fault, first)
    if isinstance(contract, Contract) and not is_within(contract.engagement, first, last):
        return _outside(contract.engagement, first)
    return contract


def ready(case: RatingContext, fact: _F, fault: Callable[[_F], str | None], day: date) -> Contract | Rejection:
    """As `checked`, without OUTSIDE_CONTRACT_DATES: what milestones and adjustments pass."""
    found = fault(fact)
    if found is not None:
        return Rejection("INVALID", found)
    contract = case.contract
    if isinstance(contract, Contract):
        held = _hold(contract.engagement, day)
        if held is not None:
            return Rejection("ENGAGEMENT_NOT_ACTIVE", held)
    return contract


def _hold(engagement: Engagement, day: date) -> str | None:
    if engagement.status == "draft":
        return f"Engagement {engagement.engagement_id} is a draft."
    if engagement.on_hold_from is not None and day >= engagement.on_hold_from:
        return f"Engagement {engagement.engagement_id} is on hold from {engagement.on_hold_from}."
    return None


def closed_before(case: RatingContext, fact: Fact, day: date) -> Rejection | None:
    """PERIOD_CLOSED for work that came after its month was closed, where such work is parked (DOMAIN.md §2 rule 14)."""
    month = month_of(day)
    closed_at = case.closed_at.get(month)
    if closed_at is None or fact.occurred_at <= closed_at:
        return None
    message = f"{month} was closed at {closed_at.isoformat()}, this is of {fact.occurred_at.isoformat()}."
    return Rejection("PERIOD_CLOSED", message, Missing("period", month, None))


def is_within(engagement: Engagement, first: date, last: date) -> bool:
    """Whether any day of first..last is within the dates of the contract (DOMAIN.md §2 rule 1)."""
    return max(first, engagement.starts_on) <= min(last, engagement.ends_on or last)


def _outside(engagement: Engagement, day: date) -> Rejection:
    until = f" to {engagement.ends_on}" if engagement.ends_on else ""
    message = f"{day} is outside engagement {engagement.engagement_id}, which runs from {engagement.starts_on}{until}."
    return Rejection("OUTSIDE_CONTRACT_DATES", message)


def fault_of_time(entry: TimeEntry) -> str | None:
    """What is INVALID in a time entry."""
    if entry.task_id and entry.consultant_id and entry.source and 0 <= entry.minutes <= MINUTES_OF_A_DAY:
        return None
    return _empty(task_id=entry.task_id, consultant_id=entry.consultant_id, source=entry.source) or _minutes(
        entry.minutes
    )


def fault_of_expense(expense: Expense) -> str | None:
    """What is INVALID in an expense."""
    if expense.quantity is not None and expense.quantity < 0:
        return f"quantity {plain(expense.quantity)} is negative."
    return _empty(
        consultant_id=expense.consultant_id,
        category=expense.category,
        currency=expense.currency,
        source=expense.source,
    )


def fault_of_milestone(milestone: Milestone) -> str | None:
    """What is INVALID in a milestone."""
    return _empty(source=milestone.source)


def fault_of_outcome(outcome: Outcome) -> str | None:
    """What is INVALID in an outcome."""
    if outcome.quantity < 0:
        return f"quantity {plain(outcome.quantity)} is negative."
    return _empty(metric=outcome.metric, source=outcome.source)


def fault_of_adjustment(adjustment: Adjustment) -> str | None:
    """What is INVALID in an adjustment of either kind."""
    empty = _empty(reason=adjustment.reason, source=adjustment.source)
    if empty:
        return empty
    match adjustment.kind:
        case "amount":
            return "An adjustment of kind amount needs an amount." if adjustment.amount is None else None
        case "minutes":
            return _fault_of_agreed_minutes(adjustment)
        case _:
            assert_never(adjustment.kind)


def _fault_of_agreed_minutes(adjustment: Adjustment) -> str | None:
    if adjustment.minutes is None:
        return "An adjustment of kind minutes needs minutes."
    if not (adjustment.subject or "").startswith(TIME_PREFIX):
        return "An adjustment of kind minutes needs a time subject."
    return _minutes(adjustment.minutes)


def fault_of_period(period: BillingPeriod) -> str | None:
    """What is INVALID in a billing period."""
    if month_bounds(period.period) is None:
        return f"period {period.period!r} is no month (YYYY-MM)."
    return _empty(source=period.source)


def _empty(**required: str) -> str | None:
    for name, value in required.items():
        if not value:
            return f"{name} is empty."
    return None


def _minutes(minutes: int) -> str | None:
    if 0 <= minutes <= MINUTES_OF_A_DAY:
        return None
    return f"minutes {minutes} is not within 0 to {MINUTES_OF_A_DAY}."
