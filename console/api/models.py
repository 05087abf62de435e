"""Answers of the API. Users without the right to see rates get null for each amount and each field that reveals one."""

from datetime import date, datetime
from decimal import Decimal
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from console.access.user import User
from console.visibility import visible

Item = TypeVar("Item")


class Shape(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    @classmethod
    def shown(cls, thing: object, user: User) -> Self:
        """The thing as this user may see it."""
        return cls.model_validate(visible(thing, user))


class Page(BaseModel, Generic[Item]):
    """One page of a list; send `next` as `after` for the following page; it is null at the end."""

    items: list[Item]
    next: str | None


class Stuck(Shape):
    """An exception. `amount` is stated by settle; `estimate` is our estimate where settle states none."""

    exception_id: str
    engagement_id: str
    engagement: str | None
    client_id: str | None
    client: str | None
    subject: str
    revision: int
    code: str
    message: str
    missing_kind: str
    missing_id: str
    missing_day: date | None
    amount: Decimal | None
    estimate: Decimal | None
    currency: str | None
    minutes: int
    status: str
    first_seen: datetime
    changed_at: datetime
    attempts: int
    owner: str
    region: str


class Stake(Shape):
    """The amount at stake in one currency."""

    currency: str
    told: Decimal
    estimated: Decimal


class Cause(Shape):
    """Exceptions that wait for one missing fact; the largest stake first."""

    code: str
    missing_kind: str
    missing_id: str
    status: str
    subjects: int
    minutes: int
    engagements: int
    stakes: list[Stake] | None
    first_seen: datetime | None


class Step(Shape):
    """One thing that happened to a subject."""

    at: datetime
    stage: str
    what: str
    where: str
    charge_id: str | None
    invoice_id: str | None
    amount: Decimal | None
    currency: str | None


class Charge(Shape):
    """A charge or reversal, with its posting and invoice."""

    charge_id: str
    reverses: str | None
    engagement_id: str
    subject: str
    client_id: str
    consultant_id: str | None
    task_id: str | None
    labor_category: str | None
    work_date: date
    worked_minutes: int
    billable_minutes: int
    rate: Decimal | None
    rate_unit: str | None
    multiplier: Decimal | None
    currency: str
    amount: Decimal | None
    reason: str | None
    tax_category: str | None
    tax_rate: Decimal | None
    approved_by: str | None
    decided_at: datetime
    appended_at: datetime
    derivation: str | None
    components: list[dict[str, object]] | None
    lineage: dict[str, object] | None
    where: str
    posting: str | None
    posting_status: str | None
    posting_reason: str | None
    posted_at: datetime | None
    invoice_id: str | None


class InvoiceCharge(Shape):
    """A charge on an invoice, or of an engagement's list."""

    charge_id: str
    engagement_id: str
    subject: str
    work_date: date
    billable_minutes: int
    currency: str
    amount: Decimal | None


class Invoice(Shape):
    """An invoice or credit note."""

    invoice_id: str
    kind: str
    status: str
    legal_entity: str
    client_id: str
    client: str | None
    engagement_id: str
    currency: str
    issue_date: date
    due_date: date | None
    net: Decimal | None
    tax: Decimal | None
    payable: Decimal | None
    void_reason: str | None


class InvoiceStatus(Shape):
    """A status of an invoice."""

    status: str
    amount: Decimal | None
    currency: str
    at: datetime
    where: str


class InvoiceDetail(BaseModel):
    """An invoice and its statuses."""

    invoice: Invoice
    statuses: list[InvoiceStatus]


class Minutes(Shape):
    """Approved minutes are charged, parked or waived; `residue` is 0, or there is a defect."""

    approved: int
    charged: int
    parked: int
    waived: int
    residue: int


class Ties(Shape):
    """One currency from charge to invoice; `unposted` is on its way, `unexplained` is 0, or there is a defect."""

    currency: str
    charges: int
    charged: Decimal | None
    postings: int
    posted: Decimal | None
    refused: Decimal | None
    invoiced_charges: int
    invoiced: Decimal | None
    documents: Decimal | None
    open: Decimal | None
    unposted: Decimal | None
    unexplained: Decimal | None
    ties: bool


class Reconciliation(BaseModel):
    """Figures that must tie, as of `at`; null before the first computation."""

    at: datetime | None
    minutes: Minutes
    money: list[Ties]


class Figure(Shape):
    """A sum over everything; currency is '' for those of minutes alone."""

    name: str
    currency: str
    records: int
    minutes: int
    amount: Decimal | None


class Aged(Shape):
    """Unbilled work of one stage, region and currency in one bucket of age in days."""

    stage: str
    region: str
    currency: str
    bucket: int = Field(description="0: up to 30 days, 1: 31-60, 2: 61-90, 3: 91-180, 4: older")
    subjects: int
    minutes: int
    amount: Decimal | None


class Slot(Shape):
    """Records received from `starts` (epoch seconds) on, by outcome."""

    starts: int
    counts: dict[str, int]
    failures: int


class ActDone(Shape):
    """One act of the audit."""

    act_id: int
    at: datetime
    name: str
    via: str
    act: str
    subject: str
    reason: str


class Decided(Shape):
    """The numbers of published decisions, of exceptions resolved meanwhile, and of unknown ids."""

    decided: int
    resolved: int
    unknown: int


class Mapped(Shape):
    """The id that a code now maps to; `new` is false if it mapped to that id before."""

    key: str
    canonical_id: str
    revision: int
    new: bool


class Me(BaseModel):
    """The owner of the token, and its rights."""

    name: str
    roles: list[str]
    sees_rates: bool
    sees_names: bool
