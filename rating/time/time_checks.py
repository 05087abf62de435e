"""Time's own checks, after those every subject passes, in the order of DOMAIN.md §2 rules 2, 3 and 9."""

from collections.abc import Iterable
from datetime import date
from typing import assert_never

from rating.checks import MINUTES_OF_A_DAY, checked, closed_before, fault_of_time
from rating.model.charge import Missing
from rating.model.facts import TimeEntry
from rating.model.lookups import Lookups
from rating.model.master_data import Calendar, Consultant, Engagement, Task
from rating.model.rating_context import COVERED_BY_FEE, NON_BILLABLE, Contract, RatingContext, Rejection
from rating.tax import tax_on
from rating.time.checked_time import PricedWork, UnpricedWork
from rating.time.rates import find_rate, labor_category

PersonDay = tuple[str, date]
"""(consultant_id, work_date)"""


def needs_rates(engagement: Engagement) -> bool:
    """Whether billable time of the engagement is priced by the hour or day (DOMAIN.md §2 rules 2 and 9)."""
    match engagement.billing_method:
        case "time_and_materials" | "retainer":
            return True
        case "fixed_fee" | "subscription" | "outcome" | "non_billable":
            return False
        case _:
            assert_never(engagement.billing_method)


def minutes_of_the_day(entry: TimeEntry) -> int:
    """What an entry adds to its day: its minutes if it is approved and not INVALID (DOMAIN.md §2 rule 2)."""
    return entry.minutes if entry.status == "approved" and fault_of_time(entry) is None else 0


def overfull_days(entries: Iterable[TimeEntry]) -> frozenset[PersonDay]:
    """The consultant-days whose approved, not INVALID entries exceed 24 hours (DOMAIN.md §2 rule 2)."""
    recorded: dict[PersonDay, int] = {}
    for entry in entries:
        person_day = (entry.consultant_id, entry.work_date)
        recorded[person_day] = recorded.get(person_day, 0) + minutes_of_the_day(entry)
    return frozenset(person_day for person_day, minutes in recorded.items() if minutes > MINUTES_OF_A_DAY)


def check_time(
    case: RatingContext, entry: TimeEntry, overfull: frozenset[PersonDay]
) -> UnpricedWork | PricedWork | Rejection:
    """The work of an approved entry, or the first check it fails."""
    contract = checked(case, entry, fault_of_time, entry.work_date, entry.work_date)
    if isinstance(contract, Rejection):
        return contract
    late = closed_before(case, entry, entry.work_date)
    if late is not None:
        return late
    task = _open_task(case.lookups, entry)
    if isinstance(task, Rejection):
        return task
    consultant = case.lookups.consultant(entry.consultant_id)
    if consultant is None:
        missing = Missing("consultant", entry.consultant_id, None)
        return Rejection("UNKNOWN_CONSULTANT", f"Consultant {entry.consultant_id} is not known.", missing)
    if (entry.consultant_id, entry.work_date) in overfull:
        message = f"Consultant {entry.consultant_id} has recorded more than 24 hours on {entry.work_date}."
        return Rejection("DAY_OVER_24H", message)
    category = labor_category(entry, task, consultant)
    if contract.is_non_billable or not entry.billable or not task.billable:
        return UnpricedWork(entry, contract, task, consultant, category, NON_BILLABLE, None)
    if needs_rates(contract.engagement):
        return _priced_work(case.lookups, entry, contract, task, consultant, category)
    tax = tax_on(contract, case.lookups, entry.work_date)
    if isinstance(tax, Rejection):
        return tax
    return UnpricedWork(entry, contract, task, consultant, category, COVERED_BY_FEE, tax)


def _open_task(lookups: Lookups, entry: TimeEntry) -> Task | Rejection:
    task = lookups.task(entry.task_id)
    if task is None or task.engagement_id != entry.engagement_id:
        belongs = "is not known" if task is None else f"belongs to engagement {task.engagement_id}"
        return Rejection("UNKNOWN_TASK", f"Task {entry.task_id} {belongs}.", Missing("task", entry.task_id, None))
    if task.closed_on is not None and entry.work_date >= task.closed_on:
        return Rejection("TASK_CLOSED", f"Task {entry.task_id} is closed from {task.closed_on}.")
    return task


def _priced_work(
    lookups: Lookups,
    entry: TimeEntry,
    contract: Contract,
    task: Task,
    consultant: Consultant,
    category: str | None,
) -> PricedWork | Rejection:
    rate = find_rate(contract, lookups, entry, category)
    if isinstance(rate, Rejection):
        return rate
    calendar = _calendar(lookups, contract.engagement)
    if isinstance(calendar, Rejection):
        return calendar
    tax = tax_on(contract, lookups, entry.work_date)
    if isinstance(tax, Rejection):
        return tax
    return PricedWork(entry, contract, task, consultant, category, tax, rate, calendar)


def _calendar(lookups: Lookups, engagement: Engagement) -> Calendar | Rejection | None:
    if not engagement.holiday_calendar:
        return None
    calendar = lookups.calendar(engagement.holiday_calendar)
    if calendar is None:
        missing = Missing("calendar", engagement.holiday_calendar, None)
        return Rejection("UNKNOWN_CALENDAR", f"Calendar {engagement.holiday_calendar} is named but not known.", missing)
    return calendar
