"""Time entries: checked one by one, then measured in canonical order (DOMAIN.md §2 rules 2 to 6)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rating.model.charge import Charge, Settlement
from rating.model.facts import Facts
from rating.model.rating_context import NON_BILLABLE, RatingContext, Rejection
from rating.time.adjustments import AgreedMinutes, agreed_minutes
from rating.time.checked_time import PricedWork, UnpricedWork
from rating.time.rounding import billable_minutes
from rating.time.time_charges import unpriced_charge
from rating.time.time_checks import check_time, overfull_days


@dataclass(frozen=True, slots=True)
class MeasuredTime:
    """Time with its billable minutes: what is `settled` already, and `works` to be priced, in canonical order.

    `agreed` are the adjusted minutes by entry_id.
    """

    settled: Sequence[Settlement] = ()
    works: Sequence[PricedWork] = ()
    billable: Sequence[int] = ()
    agreed: Mapping[str, AgreedMinutes] = field(default_factory=dict)


def measure_time(case: RatingContext, facts: Facts) -> MeasuredTime:
    """The time entries that are settled by their checks and terms, and the billable minutes of those with a price."""
    if not facts.time:
        return MeasuredTime()
    settled: list[Settlement] = []
    covered: list[UnpricedWork] = []
    priced: list[PricedWork] = []
    overfull = overfull_days(facts.time)
    for entry in sorted(facts.time, key=lambda entry: (entry.work_date, entry.entry_id)):
        found = case.idle(entry, entry.status) or check_time(case, entry, overfull)
        if isinstance(found, Settlement):
            settled.append(found)
        elif isinstance(found, Rejection):
            settled.append(case.parked(entry, found, entry.minutes))
        elif isinstance(found, PricedWork):
            priced.append(found)
        elif found.reason == NON_BILLABLE:
            settled.append(_charged(unpriced_charge(found, 0, None)))
        else:
            covered.append(found)
    # The engagement's method makes all billable time either priced or covered by a fee.
    agreed = agreed_minutes(facts.adjustments, facts.time) if facts.adjustments and (priced or covered) else {}
    settled += _covered_by_fee(covered, agreed)
    return MeasuredTime(settled, priced, _billable(priced, agreed) if priced else [], agreed)


def _covered_by_fee(works: Sequence[UnpricedWork], agreed: Mapping[str, AgreedMinutes]) -> Iterable[Settlement]:
    if not works:
        return []
    return [
        _charged(unpriced_charge(work, minutes, agreed.get(work.entry.entry_id)))
        for work, minutes in zip(works, _billable(works, agreed), strict=True)
    ]


def _billable(works: Sequence[UnpricedWork | PricedWork], agreed: Mapping[str, AgreedMinutes]) -> list[int]:
    entries = [work.entry for work in works]
    worked = [agreed.get(entry.entry_id, entry).minutes for entry in entries]
    return billable_minutes(entries, worked, works[0].contract.engagement.rounding)


def _charged(charge: Charge) -> Settlement:
    return Settlement(charge.subject, charge.engagement_id, "charged", charge.worked_minutes, charge)
