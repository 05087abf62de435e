"""Priced time from minutes to settlements: retainer, overtime, amounts, cap (DOMAIN.md §2 rules 7, 8, 10, 11 and 13).

Everything here is in canonical order, and lists that belong together are of one length.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from common.decimals import plain
from rating.model.charge import Charge, Settlement
from rating.model.lookups import Lookups
from rating.model.master_data import Cap, Engagement
from rating.model.rating_context import CAP_EXCEEDED, COVERED_BY_RETAINER, OVER_CAP, Case, Rejection
from rating.time.adjustments import AgreedMinutes
from rating.time.amounts import Priceable, amounts
from rating.time.caps import within_cap
from rating.time.checked_time import PricedWork
from rating.time.components import components
from rating.time.derivation import explain_priced
from rating.time.multipliers import Segment, multiplier_on, overtime_minutes, segments
from rating.time.retainer import covered_minutes
from rating.time.time_charges import priced_charge


@dataclass(frozen=True, slots=True)
class _Bill:
    """Work with what the rules made of it: `full` is its amount before the cap, `amount` what the cap leaves."""

    work: PricedWork
    agreed: AgreedMinutes | None
    billable: int
    segments: Sequence[Segment]
    full: Decimal
    amount: Decimal

    @property
    def is_partly_covered(self) -> bool:
        """Whether the retainer covers any minute."""
        return self.segments[0].covered


def settle_priced(
    case: Case, works: Sequence[PricedWork], billable: Sequence[int], agreed: Mapping[str, AgreedMinutes]
) -> list[Settlement]:
    """The settlement of each piece of work, given its billable minutes and the adjustments agreed by entry_id."""
    engagement = works[0].contract.engagement
    parts = _parts(case.lookups, works, billable, engagement)
    priceable = [Priceable(work.entry, work.rate.line, part) for work, part in zip(works, parts, strict=True)]
    full = amounts(priceable, engagement)
    cap = engagement.cap
    left = full if cap is None else within_cap(full, cap, engagement.currency)
    return [
        _settle(case, _Bill(work, agreed.get(work.entry.entry_id), minutes, part, whole, amount), cap)
        for work, minutes, part, whole, amount in zip(works, billable, parts, full, left, strict=True)
    ]


def _parts(
    lookups: Lookups, works: Sequence[PricedWork], billable: Sequence[int], engagement: Engagement
) -> list[list[Segment]]:
    """Each entry's minutes by what the retainer covers and which multiplier they have."""
    entries = [work.entry for work in works]
    covered = [0] * len(works)
    if engagement.billing_method == "retainer" and engagement.retainer is not None:
        days = [entry.work_date for entry in entries]
        covered = covered_minutes(days, billable, engagement.retainer, engagement.starts_on)
    terms = engagement.multipliers
    found = []
    overtime = overtime_minutes(entries, billable, terms)
    for work, minutes, head, tail in zip(works, billable, covered, overtime, strict=True):
        day = work.entry.work_date
        is_holiday = work.calendar is not None and lookups.is_holiday(work.calendar, day)
        ordinary = multiplier_on(day, is_holiday, False, terms)
        beyond = multiplier_on(day, is_holiday, True, terms) if tail else ordinary
        found.append(segments(minutes, head, tail, ordinary, beyond))
    return found


def _settle(case: Case, bill: _Bill, cap: Cap | None) -> Settlement:
    """Charged, parked by the cap, or both."""
    entry = bill.work.entry
    if cap is None or bill.amount == bill.full:
        return _charged(case, bill, None)
    if cap.policy == "absorb":
        return _charged(case, bill, OVER_CAP)
    currency = bill.work.contract.engagement.currency
    unbilled = bill.full - bill.amount
    rejection = Rejection(CAP_EXCEEDED, f"{unbilled} {currency} are beyond the cap of {plain(cap.amount)} {currency}.")
    if not bill.amount and not bill.is_partly_covered:
        return case.parked(entry, rejection, entry.minutes, unbilled)
    part = _charged(case, bill, None)
    # The charge carries all the minutes, so what is held back holds none.
    held = case.held(entry, rejection, 0, unbilled)
    return Settlement(part.subject, part.engagement_id, "charged", part.worked_minutes, part.charge, held)


def _charged(case: Case, bill: _Bill, over_cap: str | None) -> Settlement:
    charge = _charge(bill, over_cap)
    return Settlement(charge.subject, case.engagement_id, "charged", charge.worked_minutes, charge)


def _charge(bill: _Bill, over_cap: str | None) -> Charge:
    work, parts = bill.work, bill.segments
    return priced_charge(
        work,
        bill.billable,
        bill.amount,
        over_cap or (COVERED_BY_RETAINER if bill.is_partly_covered else None),
        components(parts, work.rate.line.amount, bill.full, bill.amount, work.contract.engagement.currency, over_cap),
        explain_priced(work, bill.agreed, bill.billable, parts, bill.full, bill.amount),
    )
