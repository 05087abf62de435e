"""Plain time: entries whose charge follows from their own minutes and from terms that hold over a span of days.

Most time is plain: time and materials by the hour, rounded entry by entry, without multipliers and without a cap.
Nothing here says what such an entry costs; that is asked of `settle`, once for the terms and once for the minutes.
Here is only when the answer may be used again: for which entries, and between which days.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from billing.case import case_of
from billing.charges import Charge, MasterRef
from billing.derivation import around_minutes
from billing.facts import Facts, TimeEntry
from billing.lineage import lineage_of
from billing.lookups import Lookups
from billing.master_data import Engagement, RateLine
from billing.masters import Masters
from billing.rates import cards_searched, selectors
from billing.settle import settle
from billing.time_charges import masters_used
from billing.time_checks import check_time
from billing.work import PricedWork

_NO_DAY_IS_OVERFULL: frozenset[tuple[str, date]] = frozenset()

PriceTerms = tuple[int, str, Decimal, Decimal, str]
"""(increment, rounding mode, rate an hour, discount percent, currency): with the minutes, all that a price needs."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What entries of one engagement, task, consultant and own labor category share over a span of days."""

    labor_category: str | None
    line: RateLine
    tax_category: str
    tax_rate: Decimal
    masters: tuple[MasterRef, ...]
    opening: str  # of the derivation, before what depends on the minutes
    closing: str  # and after it
    price: PriceTerms
    lookups: frozenset[str]


def is_plain(engagement: Engagement) -> bool:
    """Whether each entry of the engagement is charged by itself, whatever else its consultant's day holds."""
    extra = engagement.multipliers
    return (
        engagement.billing_method == "time_and_materials"
        and engagement.cap is None
        and engagement.rounding.scope == "entry"
        and not (extra.weekend or extra.holiday or extra.overtime)
    )


def plain_terms(entry: TimeEntry, masters: Masters) -> Terms | None:
    """The terms of an approved entry that is not INVALID; None where it is not plain time or a check fails."""
    case = case_of(entry.engagement_id, masters, ())
    if case.engagement is None or not is_plain(case.engagement):
        return None
    work = check_time(case, entry, _NO_DAY_IS_OVERFULL)
    if not isinstance(work, PricedWork) or work.rate.line.unit != "hour":
        return None
    engagement, line = work.contract.engagement, work.rate.line
    opening, closing = around_minutes(work)
    return Terms(
        labor_category=work.labor_category,
        line=line,
        tax_category=work.tax.category,
        tax_rate=work.tax.rate,
        masters=lineage_of(entry, work.contract, masters_used(work)).masters,
        opening=opening,
        closing=closing,
        price=(
            engagement.rounding.increment_minutes,
            engagement.rounding.mode,
            line.amount,
            engagement.discount_percent,
            engagement.currency,
        ),
        lookups=frozenset(case.lookups.names),
    )


def plain_charge(entry: TimeEntry, masters: Masters) -> Charge | None:
    """What `settle` charges an entry that has `plain_terms`; None where no record can carry the amount."""
    (settlement,) = settle(entry.engagement_id, Facts(time=(entry,)), masters).subjects.values()
    return settlement.charge


def days_of_change(entry: TimeEntry, masters: Masters) -> list[date]:
    """The days, in order, from which on an entry like this one may have other terms than the day before.

    Between two of them the terms are the same, whatever else the masters hold.
    """
    return sorted(set(_days_of_change(entry, masters)))


def _days_of_change(entry: TimeEntry, masters: Masters) -> Iterator[date]:
    engagement = masters.engagements.get(entry.engagement_id)
    client = masters.clients.get(engagement.client_id) if engagement else None
    task = masters.tasks.get(entry.task_id)
    consultant = masters.consultants.get(entry.consultant_id)
    if engagement is None or client is None or task is None or consultant is None:
        return
    yield engagement.starts_on
    if engagement.ends_on is not None and engagement.ends_on < date.max:
        yield engagement.ends_on + timedelta(days=1)
    yield from _known(engagement.on_hold_from, task.closed_on)
    for grade in consultant.grades:
        yield from _known(grade.valid_from, grade.valid_to)
    for jurisdiction in (client.tax_jurisdiction, engagement.seller_tax_jurisdiction):
        for rule in masters.tax_rules.get(jurisdiction, ()):
            yield from _known(rule.valid_from, rule.valid_to)
    # Only the categories the entry can have: its own, its task's, or one of the consultant's grades.
    categories = {entry.labor_category or task.labor_category or None, None}
    categories |= {grade.labor_category for grade in consultant.grades}
    wanted = {found for category in categories for found in selectors(entry.consultant_id, entry.task_id, category)}
    for card in cards_searched(engagement, client, Lookups(masters)):
        lines = masters.card_lines[card.rate_card_id]
        for selector in wanted & lines.keys():
            for line in lines[selector]:
                yield from _known(line.valid_from, line.valid_to)


def _known(*days: date | None) -> Iterable[date]:
    return (day for day in days if day is not None)
