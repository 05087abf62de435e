"""What settling yields: a charge, a parked subject, or neither, as values that travel like data (DOMAIN.md §3)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from rating.model.enumerations import ChargeKind, RateUnit, Reason, Severity

RULES_VERSION = "2"

State = Literal["charged", "parked", "pending", "void", "waived"]


@dataclass(frozen=True, slots=True)
class MasterRef:
    """A master record that was used, with the revision it had; line_id for rate cards only."""

    kind: str
    id: str
    revision: int
    line_id: str | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a charge comes from; partition and offset are -1 for a fact that was not read from a topic."""

    topic: str
    partition: int
    offset: int
    source: str
    revision: int
    masters: tuple[MasterRef, ...]
    rules_version: str


@dataclass(frozen=True, slots=True)
class Component:
    """A part of a time charge priced alike: minutes, rate per unit, multiplier, amount in the charge's currency."""

    minutes: int
    rate: Decimal
    multiplier: Decimal
    amount: Decimal
    reason: Reason | None


OF_TERMS: Mapping[str, bool] = MappingProxyType({"of_terms": True})
"""Metadata of a field that is the same for all time of one engagement, task, consultant and labor category between two
days of change. The fast path takes such a field from the general path; any other new field turns the fast path off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Every field of DOMAIN.md §3 that follows from the facts; amount in minor units of currency, tax_rate percent."""

    subject: str
    kind: ChargeKind
    engagement_id: str
    client_id: str
    legal_entity: str
    consultant_id: str | None
    task_id: str | None
    labor_category: str | None
    work_date: date
    period: str
    worked_minutes: int
    billable_minutes: int
    rate: Decimal | None
    rate_unit: RateUnit | None
    multiplier: Decimal
    currency: str
    amount: Decimal
    reason: Reason | None
    tax_category: str | None
    tax_rate: Decimal | None
    components: tuple[Component, ...]
    po_number: str | None
    region: str
    approved_by: str | None
    lineage: Lineage
    derivation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCharge(Charge):
    """A charge or reversal as `billing.ready` has it.

    This is the one definition of a charge. Its record, the columns and the insert of `hourstream.charges`, the rows of
    queries, the model of the API and the declared fields of consumers follow from it; a test holds it to the contract.
    """

    charge_id: str
    reverses: str | None
    decided_at: datetime


TERMS_FIELDS: tuple[str, ...] = tuple(each.name for each in fields(Charge) if each.metadata == OF_TERMS)
CHARGE_FIELDS: tuple[str, ...] = tuple(each.name for each in fields(PublishedCharge))


@dataclass(frozen=True, slots=True)
class Missing:
    """The fact a parked subject waits for; the day is null where it would serve every day."""

    kind: str
    id: str
    day: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """Why a subject, or the part of it beyond a cap, is not charged, and what would resolve it.

    `minutes` are the recorded ones it holds back; owner and region are empty where the engagement or client is unknown.
    """

    code: str
    message: str
    missing: Missing | None
    amount_at_stake: Decimal | None
    minutes: int
    waived: bool
    owner: str
    region: str
    revision: int
    severity: Severity = "blocking"


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the rules say of one subject now. Beside a charge, `parked` holds what a cap left over."""

    subject: str
    engagement_id: str
    state: State
    worked_minutes: int
    charge: Charge | None = None
    parked: Parked | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The settlements of an engagement by subject, and the name of every master looked for, found or not."""

    subjects: dict[str, Settlement]
    lookups: frozenset[str]


def same_billing(a: Charge, b: Charge) -> bool:
    """Whether two charges of a subject bill the same, so that nothing is published (DOMAIN.md §3)."""
    return _billed(a) == _billed(b)


def _billed(charge: Charge) -> tuple[object, ...]:
    return (
        charge.client_id,
        charge.legal_entity,
        charge.consultant_id,
        charge.task_id,
        charge.labor_category,
        charge.work_date,
        charge.worked_minutes,
        charge.billable_minutes,
        charge.rate,
        charge.rate_unit,
        charge.multiplier,
        charge.currency,
        charge.amount,
        charge.reason,
        charge.tax_category,
        charge.tax_rate,
        charge.components,
    )


def negated(charge: Charge) -> Charge:
    """The reversal of a charge: amounts and minutes negated, everything else as it was (DOMAIN.md §3)."""
    return replace(
        charge,
        worked_minutes=-charge.worked_minutes,
        billable_minutes=-charge.billable_minutes,
        amount=_minus(charge.amount),
        components=tuple(
            replace(part, minutes=-part.minutes, amount=_minus(part.amount)) for part in charge.components
        ),
    )


def _minus(amount: Decimal) -> Decimal:
    # copy_negate would write a reversed zero as -0.00; Decimal's unary minus would round to its context.
    return amount.copy_negate() if amount else amount
