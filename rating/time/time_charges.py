"""Makes the charge of checked time (DOMAIN.md §3)."""

from collections.abc import Sequence
from decimal import Decimal

from rating.lineage import calendar_ref, consultant_ref, lineage_of, rate_ref, task_ref
from rating.model.charge import Charge, Component, MasterRef
from rating.model.days import month_of
from rating.model.enumerations import Reason
from rating.model.money import zero
from rating.model.rating_context import COVERED_BY_RETAINER
from rating.time.adjustments import AgreedMinutes
from rating.time.checked_time import PricedWork, UnpricedWork
from rating.time.derivation import explain_unpriced
from rating.time.multipliers import ONCE
from rating.time.rates import CardRate


def unpriced_charge(work: UnpricedWork, billable: int, agreed: AgreedMinutes | None) -> Charge:
    """The charge of 0 of time that is not billable or that a fee covers, with its billable minutes."""
    amount = zero(work.contract.engagement.currency)
    return _charge(work, billable, amount, work.reason, (), ONCE, explain_unpriced(work, billable, agreed))


def priced_charge(
    work: PricedWork,
    billable: int,
    amount: Decimal,
    reason: Reason | None,
    components: Sequence[Component],
    derivation: str,
) -> Charge:
    """The charge of priced time; its multiplier is the highest of the minutes no retainer covers."""
    multiplier = max((part.multiplier for part in components if part.reason != COVERED_BY_RETAINER), default=ONCE)
    return _charge(work, billable, amount, reason, tuple(components), multiplier, derivation)


def _charge(
    work: UnpricedWork | PricedWork,
    billable: int,
    amount: Decimal,
    reason: Reason | None,
    components: tuple[Component, ...],
    multiplier: Decimal,
    derivation: str,
) -> Charge:
    entry, engagement, tax = work.entry, work.contract.engagement, work.tax
    rate = work.rate if isinstance(work, PricedWork) else None
    return Charge(
        subject=f"time:{entry.entry_id}",
        kind="time",
        engagement_id=entry.engagement_id,
        client_id=engagement.client_id,
        legal_entity=engagement.legal_entity,
        consultant_id=entry.consultant_id,
        task_id=entry.task_id,
        labor_category=work.labor_category,
        work_date=entry.work_date,
        period=month_of(entry.work_date),
        worked_minutes=entry.minutes,
        billable_minutes=billable,
        rate=rate.amount if rate else None,
        rate_unit=rate.unit if rate else None,
        multiplier=multiplier,
        currency=engagement.currency,
        amount=amount,
        reason=reason,
        tax_category=tax.category if tax else None,
        tax_rate=tax.rate if tax else None,
        components=components,
        po_number=engagement.po_number,
        region=work.contract.client.region,
        approved_by=entry.approved_by,
        lineage=lineage_of(entry, work.contract, masters_used(work)),
        derivation=derivation,
    )


def masters_used(work: UnpricedWork | PricedWork) -> list[MasterRef]:
    """The masters that checked time was charged by, beside its engagement and client."""
    used = [task_ref(work.task), consultant_ref(work.consultant)]
    if isinstance(work, PricedWork):
        if isinstance(work.rate, CardRate):  # a blended rate is the engagement's, which is in every lineage
            used.append(rate_ref(work.rate))
        if work.calendar is not None:
            used.append(calendar_ref(work.calendar))
    if work.tax is not None and work.tax.rule is not None:
        used.append(work.tax.rule)
    return used
