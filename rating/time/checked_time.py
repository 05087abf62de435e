"""Time entries that passed every check, with the masters they were checked against."""

from dataclasses import dataclass
from typing import Literal

from rating.model.facts import TimeEntry
from rating.model.master_data import Calendar, Consultant, Task
from rating.model.rating_context import Contract
from rating.tax import Tax
from rating.time.rates import Rate


@dataclass(frozen=True, slots=True)
class Work:
    """What all checked time has."""

    entry: TimeEntry
    contract: Contract
    task: Task
    consultant: Consultant
    labor_category: str | None


@dataclass(frozen=True, slots=True)
class UnpricedWork(Work):
    """Time that costs nothing: NON_BILLABLE, which needs no tax rule, or COVERED_BY_FEE, which has a tax."""

    reason: Literal["NON_BILLABLE", "COVERED_BY_FEE"]
    tax: Tax | None


@dataclass(frozen=True, slots=True)
class PricedWork(Work):
    """Billable time of a method that is priced; the calendar is null where the engagement names none."""

    tax: Tax
    rate: Rate
    calendar: Calendar | None
