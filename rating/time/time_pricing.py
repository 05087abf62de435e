"""Priced time from minutes to claims: retainer, overtime, amounts (DOMAIN.md §2 rules 7, 8, 10 and 13).

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
from rating.time.shared import Shared
from rating.time.time_charges import priced_charge


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


def price_time(
    case: RatingContext,
    works: Sequence[PricedWork],
    billable: Sequence[int],
    agreed: Mapping[str, AgreedMinutes],
    shared: Shared,
) -> list[Claim]:
    """The claim of each piece of work, given its billable minutes and the adjustments agreed by entry_id."""
    engagement = works[0].contract.engagement
    parts = _parts(case.lookups, works, billable, engagement, shared)
    priceable = [
        Priceable(work.entry, work.rate, work.labor_category, part) for work, part in zip(works, parts, strict=True)
    ]
    full = amounts(priceable, engagement)
    return [
        _claim(_Bill(work, agreed.get(work.entry.entry_id), minutes, part, whole))
        for work, minutes, part, whole in zip(works, billable, parts, full, strict=True)
    ]


def _claim(bill: _Bill) -> Claim:
    entry = bill.work.entry
    return Claim(entry, entry.work_date, bill.full, entry.minutes, bill.is_partly_covered, partial(_charged, bill))


def _parts(
    lookups: Lookups,
    works: Sequence[PricedWork],
    billable: Sequence[int],
    engagement: Engagement,
    shared: Shared,
) -> list[list[Segment]]:
    """Each entry's minutes by what the retainer covers and which multiplier they have."""
    entries = [work.entry for work in works]
    covered: Sequence[int] = [0] * len(works)
    if shared.covered_of is not None:
        covered = shared.covered_of(entries, billable)
    elif engagement.billing_method == "retainer" and engagement.retainer is not None:
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
