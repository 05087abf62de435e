"""Answers of the API. Users without the right to see rates get null for each amount and each field that reveals one."""

from collections.abc import Callable, Collection
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, Generic, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from console.access.audit import Act
from console.access.user import User
from console.visibility import OPEN_DECIMALS, TELLING, visible
from rating.unbilled_work import AGE_BUCKETS
from warehouse.queries import exceptions, invoices, reconciliation, throughput, traced_charges, unbilled
from warehouse.trace_steps import TraceStep

Item = TypeVar("Item")
Answer = TypeVar("Answer", bound="Shape")


class Shape(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    @classmethod
    def shown(cls, thing: object, user: User) -> Self:
        """The thing as this user may see it."""
        return cls.model_validate(visible(thing, user))


def of_row(row: type, *, without: Collection[str] = ()) -> Callable[[type[Answer]], type[Answer]]:
    """The model with the fields of a row of a query besides its own; null where a user may not see rates."""

    def made(model: type[Answer]) -> type[Answer]:
        hints = {name: _answered(hint) for name, hint in get_type_hints(row).items() if name not in without}
        hidden = {name for name, hint in hints.items() if hint is Decimal and name not in OPEN_DECIMALS} | TELLING
        found: dict[str, Any] = {
            name: (hint | None if name in hidden else hint, ...)
            for name, hint in hints.items()
            if name not in model.model_fields
        }
        return create_model(model.__name__, __base__=model, __module__=model.__module__, __doc__=model.__doc__, **found)

    return made


def _answered(hint: Any) -> Any:  # noqa: ANN401 - whatever a row declares
    """The type of an answer's field: codes are texts there, since a user may read another word in their place."""
    if get_origin(hint) is Literal:
        return str
    if get_origin(hint) is Union or isinstance(hint, UnionType):
        return reduce(or_, map(_answered, get_args(hint)))
    return hint


class Page(BaseModel, Generic[Item]):
    """One page of a list; send `next` as `after` for the following page; it is null at the end."""

    items: list[Item]
    next: str | None


@of_row(exceptions.ExceptionRow)
class Stuck(Shape):
    """An exception. `amount` is stated by settle; `estimate` is our estimate where settle states none."""


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
    severity: str


@of_row(TraceStep)
class Step(Shape):
    """One thing that happened to a subject."""


@of_row(
    traced_charges.TracedCharge,
    without=(
        "kind",
        "legal_entity",
        "period",
        "po_number",
        "region",
        "issue_date",
        "run_at",
        "posting_system",
        "posting_period",
        "invoice_status",
    ),
)
class Charge(Shape):
    """A charge or reversal, with its posting and invoice."""


@of_row(invoices.OnInvoice)
class InvoiceCharge(Shape):
    """A charge on an invoice, or of an engagement's list."""


@of_row(invoices.InvoiceRow)
class Invoice(Shape):
    """An invoice or credit note."""


@of_row(invoices.StatusRow, without=("invoice_id",))
class InvoiceStatus(Shape):
    """A status of an invoice."""


class InvoiceDetail(BaseModel):
    """An invoice and its statuses."""

    invoice: Invoice
    statuses: list[InvoiceStatus]


@of_row(reconciliation.MinutesTotals)
class Minutes(Shape):
    """Approved minutes are charged, parked or waived; `residue` is 0, or there is a defect."""

    residue: int


@of_row(reconciliation.CurrencyTies)
class Ties(Shape):
    """One currency from charge to invoice; `unposted` is on its way, `unexplained` is 0, or there is a defect."""


class Reconciliation(BaseModel):
    """Figures that must tie, as of `at`; null before the first computation."""

    at: datetime | None
    minutes: Minutes
    money: list[Ties]


@of_row(reconciliation.TotalRow)
class Figure(Shape):
    """A sum over everything; currency is '' for those of minutes alone."""


@of_row(unbilled.AgedWork)
class Aged(Shape):
    """Unbilled work of one stage, region and currency in one bucket of age in days."""

    bucket: int = Field(description="days: " + ", ".join(f"{n}: {name}" for n, name in enumerate(AGE_BUCKETS)))


@of_row(throughput.ThroughputSlot)
class Slot(Shape):
    """Records received from `starts` (epoch seconds) on, by outcome."""

    failures: int


@of_row(Act)
class ActDone(Shape):
    """One act of the audit."""


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
