"""The transactions that are billed: one frozen dataclass per topic of DOMAIN.md §1, and what they have in common.

A fact is the winning revision of one identity. Equality leaves out `occurred_at` and `origin`, because two records that
differ only there say the same thing (`same_content`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from common.erased import alike_but_erased
from rating.model.absent import optional_texts
from rating.model.enumerations import (
    AdjustmentKind,
    ApprovalStatus,
    DecisionKind,
    MilestoneStatus,
    PeriodStatus,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a fact was read: topic, partition, offset, and the record's timestamp in milliseconds UTC."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeEntry:
    """`time.entries`: minutes a consultant recorded on a task."""

    entry_id: str
    engagement_id: str
    task_id: str
    consultant_id: str
    work_date: date
    minutes: int
    labor_category: str | None = None
    billable: bool
    status: ApprovalStatus
    approved_by: str | None = None
    note: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    source: str
    revision: int
    occurred_at: datetime = field(compare=False)
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expense:
    """`expenses`: an amount in its own currency; `quantity` are the days of a per diem, null is 1."""

    expense_id: str
    engagement_id: str
    consultant_id: str
    category: str
    incurred_on: date
    amount: Decimal
    currency: str
    receipt: str | None = None
    status: ApprovalStatus
    approved_by: str | None = None
    place: str | None = None
    quantity: Decimal | None = None
    source: str
    revision: int
    occurred_at: datetime = field(compare=False)
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """`milestones`: a stage of the engagement."""

    milestone_id: str
    engagement_id: str
    status: MilestoneStatus
    completed_on: date
    source: str
    revision: int
    occurred_at: datetime = field(compare=False)
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`outcomes`: a measured quantity of one metric."""

    outcome_id: str
    engagement_id: str
    metric: str
    quantity: Decimal
    achieved_on: date
    status: ApprovalStatus
    source: str
    revision: int
    occurred_at: datetime = field(compare=False)
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """`adjustments`: a signed amount to charge, or the minutes that replace a time entry's."""

    adjustment_id: str
    engagement_id: str
    subject: str | None = None
    kind: AdjustmentKind
    amount: Decimal | None = None
    minutes: int | None = None
    reason: str
    effective_on: date
    status: ApprovalStatus
    approved_by: str | None = None
    source: str
    revision: int
    occurred_at: datetime = field(compare=False)
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingPeriod:
    """`billing.periods`: a month (YYYY-MM) opened or closed for an engagement; its id is the period."""

    engagement_id: str
    period: str
    status: PeriodStatus
    source: str
    revision: int
    occurred_at: datetime = field(compare=False)
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`exception.decisions`: what a person decided about a parked subject."""

    decision_id: str
    engagement_id: str
    subject: str
    subject_revision: int
    decision: DecisionKind
    reason: str
    by: str
    source: str
    revision: int
    occurred_at: datetime = field(compare=False)
    origin: Origin | None = field(default=None, compare=False)


Fact: TypeAlias = TimeEntry | Expense | Milestone | Outcome | Adjustment | BillingPeriod | Decision


@dataclass(frozen=True, slots=True)
class Facts:
    """The winning revisions of one engagement, or of one coupling scope of it, in any order."""

    time: tuple[TimeEntry, ...] = ()
    expenses: tuple[Expense, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    periods: tuple[BillingPeriod, ...] = ()
    decisions: tuple[Decision, ...] = ()


MINIMUM_PREFIX = "minimum:"
FACT_TYPES: dict[str, type[Fact]] = {
    "time.entries": TimeEntry,
    "expenses": Expense,
    "milestones": Milestone,
    "outcomes": Outcome,
    "adjustments": Adjustment,
    "billing.periods": BillingPeriod,
    "exception.decisions": Decision,
}
_ID_FIELDS: dict[type[Fact], str] = {
    TimeEntry: "entry_id",
    Expense: "expense_id",
    Milestone: "milestone_id",
    Outcome: "outcome_id",
    Adjustment: "adjustment_id",
    BillingPeriod: "period",
    Decision: "decision_id",
}
_OPTIONAL_TEXTS = {topic: optional_texts(shape) for topic, shape in FACT_TYPES.items()}
_SUBJECT_PREFIXES: dict[type[Fact], str] = {
    TimeEntry: "time:",
    Expense: "expense:",
    Milestone: "milestone:",
    Outcome: "outcome:",
    Adjustment: "adjustment:",
    BillingPeriod: "fee:",
}


def fact(topic: str, record: Mapping[str, object], origin: Origin | None = None) -> Fact:
    """The fact of a decoded record of one of the settle topics; absent optional fields and empty optional texts are
    None.

    Raises KeyError for a topic that carries no facts, TypeError for a record that lacks a required field.
    """
    if "" in record.values():
        texts = _OPTIONAL_TEXTS[topic]
        record = {name: None if value == "" and name in texts else value for name, value in record.items()}
    return FACT_TYPES[topic](**record, origin=origin)  # type: ignore[arg-type]


def gathered(facts: Iterable[Fact]) -> Facts:
    """Facts of one engagement, of any kinds, as `Facts`."""
    found = list(facts)
    return Facts(
        time=tuple(one for one in found if isinstance(one, TimeEntry)),
        expenses=tuple(one for one in found if isinstance(one, Expense)),
        milestones=tuple(one for one in found if isinstance(one, Milestone)),
        outcomes=tuple(one for one in found if isinstance(one, Outcome)),
        adjustments=tuple(one for one in found if isinstance(one, Adjustment)),
        periods=tuple(one for one in found if isinstance(one, BillingPeriod)),
        decisions=tuple(one for one in found if isinstance(one, Decision)),
    )


def each(facts: Facts) -> Iterator[Fact]:
    """Every fact of `Facts`, one by one."""
    yield from facts.time
    yield from facts.expenses
    yield from facts.milestones
    yield from facts.outcomes
    yield from facts.adjustments
    yield from facts.periods
    yield from facts.decisions


def identity(a_fact: Fact) -> str:
    """The fact's own id, unique within its topic and engagement (DOMAIN.md §1)."""
    found: str = getattr(a_fact, _ID_FIELDS[type(a_fact)])
    return found


def subject_of(a_fact: Fact) -> str:
    """The subject a fact is about: its own, or for a decision the one it names."""
    if isinstance(a_fact, Decision):
        return a_fact.subject
    return _SUBJECT_PREFIXES[type(a_fact)] + identity(a_fact)


def subjects_of(a_fact: Fact) -> tuple[str, ...]:
    """Every subject that a fact makes: a billing period has a fee and a minimum (DOMAIN.md §2 rule 15)."""
    if isinstance(a_fact, BillingPeriod):
        return subject_of(a_fact), minimum_of(a_fact)
    return (subject_of(a_fact),)


def minimum_of(period: BillingPeriod) -> str:
    """The subject of a month's minimum."""
    return f"{MINIMUM_PREFIX}{period.period}"


def same_content(a: object, b: object) -> bool:
    """Whether two facts, or two masters, say the same: all fields but occurred_at and origin (DOMAIN.md §1).

    A value that is erased says the same as when it was sealed.
    """
    return a == b or alike_but_erased(a, b)
