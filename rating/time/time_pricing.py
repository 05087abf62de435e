"""Measured time from minutes to claims: overtime, amounts (DOMAIN.md §2 rules 7, 8, 10 and 13).

Everything here is in canonical order, and lists that belong together are of one length.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from rating.model.charge import Settlement
from rating.model.enumerations import Reason
from rating.model.lookups import Lookups
from rating.model.master_data import Engagement
from rating.model.rating_context import COVERED_BY_RETAINER, RatingContext
from rating.time.adjustments import AgreedMinutes
from rating.time.amounts import Priceable, amounts
from rating.time.caps import Claim
from rating.time.checked_time import PricedWork
from rating.time.components import components
from rating.time.derivation import explain_priced
from rating.time.multipliers import Segment, multiplier_on, overtime_minutes, segments
from rating.time.retainer import covered_minutes
from rating.time.time_charges import priced_charge
from rating.time.time_entries import MeasuredTime


@dataclass(frozen=True, slots=True)
class _Bill:
    """Work with what the rules made of it: `full` is its amount before the cap."""

    work: PricedWork
    agreed: AgreedMinutes | None
    billable: int
    segments: Sequence[Segment]
    full: Decimal

    @property
    def is_partly_covered(self) -> bool:
        """Whether the retainer covers any minute."""
        return self.segments[0].covered


def covered_of(time: MeasuredTime) -> Sequence[int]:
    """The minutes of each work that the retainer covers, where these works are all there are."""
    engagement = time.works[0].contract.engagement if time.works else None
    if engagement is None or engagement.billing_method != "retainer" or engagement.retainer is None:
        return [0] * len(time.works)
    days = [work.entry.work_date for work in time.works]
    return covered_minutes(days, time.billable, engagement.retainer, engagement.starts_on)


def priceable_time(case: RatingContext, time: MeasuredTime, covered: Sequence[int]) -> list[Priceable]:
    """Each work with its minutes by what the retainer covers and which multiplier they have."""
    if not time.works:
        return []
    parts = _parts(case.lookups, time, covered, time.works[0].contract.engagement)
    return [
        Priceable(work.entry, work.rate, work.labor_category, part)
        for work, part in zip(time.works, parts, strict=True)
    ]


def claims_of_time(
    time: MeasuredTime, priceable: Sequence[Priceable], of_lines: Mapping[int, Decimal] | None = None
) -> list[Claim]:
    """The claim of each work.

    `of_lines` are the amounts that lines give it, by place; None where these works are all of their lines.
    """
    if not time.works:
        return []
    full = amounts(priceable, time.works[0].contract.engagement, of_lines)
    return [
        _claim(_Bill(work, time.agreed.get(work.entry.entry_id), minutes, item.segments, whole))
        for work, minutes, item, whole in zip(time.works, time.billable, priceable, full, strict=True)
    ]


def _claim(bill: _Bill) -> Claim:
    entry = bill.work.entry
    return Claim(entry, entry.work_date, bill.full, entry.minutes, bill.is_partly_covered, partial(_charged, bill))


def _parts(lookups: Lookups, time: MeasuredTime, covered: Sequence[int], engagement: Engagement) -> list[list[Segment]]:
    entries = [work.entry for work in time.works]
    terms = engagement.multipliers
    found = []
    overtime = overtime_minutes(entries, time.billable, terms)
    for work, minutes, head, tail in zip(time.works, time.billable, covered, overtime, strict=True):
        day = work.entry.work_date
        is_holiday = work.calendar is not None and lookups.is_holiday(work.calendar, day)
        ordinary = multiplier_on(day, is_holiday, False, terms)
        beyond = multiplier_on(day, is_holiday, True, terms) if tail else ordinary
        found.append(segments(minutes, head, tail, ordinary, beyond))
    return found


def _charged(bill: _Bill, amount: Decimal, over_cap: Reason | None) -> Settlement:
    """The work charged what the cap leaves of it."""
    work, parts = bill.work, bill.segments
    currency = work.contract.engagement.currency
    charge = priced_charge(
        work,
        bill.billable,
        amount,
        over_cap or (COVERED_BY_RETAINER if bill.is_partly_covered else None),
        components(parts, work.rate.amount, bill.full, amount, currency, over_cap),
        explain_priced(work, bill.agreed, bill.billable, parts, bill.full, amount),
    )
    return Settlement(charge.subject, charge.engagement_id, "charged", charge.worked_minutes, charge)
