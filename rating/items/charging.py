"""Makes the charge of a subject that is not time: an amount of a day, and what it was made from (DOMAIN.md §3)."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import assert_never

from rating.lineage import lineage_of
from rating.model.charge import Charge, MasterRef, Settlement
from rating.model.days import month_of
from rating.model.enumerations import ChargeKind, Reason
from rating.model.facts import (
    MINIMUM_PREFIX,
    Adjustment,
    BillingPeriod,
    Decision,
    Expense,
    Fact,
    Milestone,
    Outcome,
    TimeEntry,
    subject_of,
)
from rating.model.money import zero
from rating.model.rating_context import NON_BILLABLE, Contract
from rating.tax import Tax
from rating.time.multipliers import ONCE


@dataclass(frozen=True, slots=True)
class Priced:
    """A subject's rounded amount, the masters it came from, and the sentence that says how."""

    amount: Decimal
    used: tuple[MasterRef, ...]
    derivation: str


def charged(
    fact: Fact,
    contract: Contract,
    day: date,
    priced: Priced,
    tax: Tax,
    reason: Reason | None = None,
    subject: str | None = None,
) -> Settlement:
    """A subject (the fact's own where none is given) charged an amount under a tax treatment."""
    used = (*priced.used, tax.rule) if tax.rule else priced.used
    priced = Priced(priced.amount, used, f"{priced.derivation}; {tax.why}")
    return _settlement(fact, contract, day, priced, tax, reason, subject or subject_of(fact))


def zero_charge(fact: Fact, contract: Contract, day: date) -> Settlement:
    """A subject of a non-billable engagement: a charge of 0 without tax (DOMAIN.md §2 rule 3)."""
    why = f"engagement {contract.engagement.engagement_id} is not billable"
    priced = Priced(zero(contract.engagement.currency), (), why)
    return _settlement(fact, contract, day, priced, None, NON_BILLABLE, subject_of(fact))


def _settlement(
    fact: Fact, contract: Contract, day: date, priced: Priced, tax: Tax | None, reason: Reason | None, subject: str
) -> Settlement:
    engagement = contract.engagement
    charge = Charge(
        subject=subject,
        kind=_kind(fact, subject),
        engagement_id=engagement.engagement_id,
        client_id=engagement.client_id,
        legal_entity=engagement.legal_entity,
        consultant_id=fact.consultant_id if isinstance(fact, Expense) else None,
        task_id=None,
        labor_category=None,
        work_date=day,
        period=month_of(day),
        worked_minutes=0,
        billable_minutes=0,
        rate=None,
        rate_unit=None,
        multiplier=ONCE,
        currency=engagement.currency,
        amount=priced.amount,
        reason=reason,
        tax_category=tax.category if tax else None,
        tax_rate=tax.rate if tax else None,
        components=(),
        po_number=engagement.po_number,
        region=contract.client.region,
        approved_by=fact.approved_by if isinstance(fact, Expense | Adjustment) else None,
        lineage=lineage_of(fact, contract, priced.used),
        derivation=f"{priced.derivation}.",
    )
    return Settlement(subject, engagement.engagement_id, "charged", 0, charge)


def _kind(fact: Fact, subject: str) -> ChargeKind:
    """The prefix of a subject of a fact (DOMAIN.md §3.5)."""
    match fact:
        case Expense():
            return "expense"
        case Milestone():
            return "milestone"
        case Outcome():
            return "outcome"
        case Adjustment():
            return "adjustment"
        case BillingPeriod():
            return "minimum" if subject.startswith(MINIMUM_PREFIX) else "fee"
        case TimeEntry() | Decision():
            raise TypeError(f"{subject} is charged elsewhere or not at all")
        case _:
            assert_never(fact)
