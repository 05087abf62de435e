"""Time entries: checked one by one, then billed together in canonical order (DOMAIN.md §2 rules 2 to 10)."""

from collections.abc import Iterable, Mapping, Sequence

from rating.model.charge import Charge, Settlement
from rating.model.facts import Facts
from rating.model.rating_context import NON_BILLABLE, RatingContext, Rejection
from rating.time.adjustments import AgreedMinutes, agreed_minutes
from rating.time.caps import Claim
from rating.time.checked_time import PricedWork, UnpricedWork
from rating.time.rounding import billable_minutes
from rating.time.shared import Shared
from rating.time.time_charges import unpriced_charge
from rating.time.time_checks import check_time, overfull_days
from rating.time.time_pricing import price_time


def settle_time(case: RatingContext, facts: Facts, shared: Shared) -> tuple[list[Settlement], list[Claim]]:
    """The time entries that are settled, and the priced ones as claims, which a cap may limit."""
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
    claims: list[Claim] = []
    # The engagement's method makes all billable time either priced or covered by a fee.
    if priced or covered:
        agreed = agreed_minutes(facts.adjustments, facts.time) if facts.adjustments else {}
        claims = price_time(case, priced, _billable(priced, agreed), agreed, shared) if priced else []
        settled += _covered_by_fee(covered, agreed)
    return settled, claims


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
