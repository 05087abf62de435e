"""Plain time: its charge follows from its own minutes and terms that hold over a span of days (DESIGN.md §3).

Most time is plain: time and materials by the hour, rounded entry by entry, without multipliers and without a cap. The
terms of such an entry are asked of the checks that every entry passes, once for a span of days; here is for which
entries (`fast_path_support`) and between which days the answer may be used again, and what minutes cost under it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from rating.lineage import lineage_of
from rating.model.charge import TERMS_FIELDS, MasterRef
from rating.model.facts import TimeEntry
from rating.model.lookups import Lookups
from rating.model.master_data import Client, Consultant, Grade, RateCard, RateLine, Rounding, Task
from rating.model.masters import Masters
from rating.model.money import half_up, minor_units, zero
from rating.model.rating_context import context_of
from rating.time.amounts import rate_per_minute
from rating.time.checked_time import PricedWork
from rating.time.derivation import around_minutes, discount_in_words, rounding_in_words
from rating.time.fast_path_support import supports, supports_engagement
from rating.time.rates import CardRate, cards_searched, selectors
from rating.time.rounding import rounded_minutes
from rating.time.time_charges import masters_used, priced_charge
from rating.time.time_checks import check_time

_NO_DAY_IS_OVERFULL: frozenset[tuple[str, date]] = frozenset()

MinuteTerms = tuple[Rounding, Decimal]
"""(rounding, discount percent): with the worked minutes, all that the minutes of a charge and their words need."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What entries of one engagement, task, consultant and own labor category share over a span of days.

    A minute costs `numerator / denominator` minor units of the currency, of which there are 10 ** `digits` in one.
    `opening` and `closing` are the derivation before its minutes and after its amount. `added` are the fields of
    `TERMS_FIELDS`.
    """

    labor_category: str | None
    line: RateLine
    tax_category: str
    tax_rate: Decimal
    masters: tuple[MasterRef, ...]
    minutes: MinuteTerms
    numerator: int
    denominator: int
    digits: int
    opening: str
    closing: str
    lookups: frozenset[str]
    added: Mapping[str, object]


def plain_terms(entry: TimeEntry, masters: Masters) -> Terms | None:
    """The terms of an approved entry that is not INVALID; None where it is not plain time or a check fails."""
    case = context_of(entry.engagement_id, masters, ())
    if case.engagement is None or not (supports(TimeEntry, entry) and supports_engagement(case.engagement)):
        return None
    work = check_time(case, entry, _NO_DAY_IS_OVERFULL)
    if (
        not isinstance(work, PricedWork)
        or not isinstance(work.rate, CardRate)
        or not _supports_masters(work, work.rate)
    ):
        return None
    engagement, line = work.contract.engagement, work.rate.line
    digits = minor_units(engagement.currency)
    a_minute = rate_per_minute(line.amount, line.unit, engagement.hours_per_day, engagement.discount_percent)
    if a_minute < 0:
        return None
    opening, closing = around_minutes(work)
    return Terms(
        labor_category=work.labor_category,
        line=line,
        tax_category=work.tax.category,
        tax_rate=work.tax.rate,
        masters=lineage_of(entry, work.contract, masters_used(work)).masters,
        minutes=(engagement.rounding, engagement.discount_percent),
        numerator=a_minute.numerator * 10**digits,
        denominator=a_minute.denominator,
        digits=digits,
        opening=opening,
        closing=f" {engagement.currency}{closing}",
        lookups=frozenset(case.lookups.names),
        added=_added(work),
    )


def _added(work: PricedWork) -> dict[str, object]:
    """The fields that follow from terms, as the general path has them."""
    if not TERMS_FIELDS:
        return {}
    charge = priced_charge(work, 0, zero(work.contract.engagement.currency), None, (), "")
    return {name: getattr(charge, name) for name in TERMS_FIELDS}


def _supports_masters(work: PricedWork, rate: CardRate) -> bool:
    return (
        supports(Client, work.contract.client)
        and supports(Task, work.task)
        and supports(Consultant, work.consultant)
        and all(supports(Grade, grade) for grade in work.consultant.grades)
        and supports(RateCard, rate.card)
        and supports(RateLine, rate.line)
    )


def billed_minutes(worked: int, terms: MinuteTerms) -> tuple[int, str]:
    """Worked minutes to billable ones, and the words of the derivation up to the amount."""
    rounding, discount = terms
    billable = rounded_minutes(worked, rounding.increment_minutes, rounding.mode)
    words = f"{worked} min{rounding_in_words(worked, billable, rounding)}"
    return billable, f"{words}; {billable} min{discount_in_words(discount)} = "


def price(billable: int, numerator: int, denominator: int) -> int:
    """What billable minutes cost, in minor units: exact, and rounded once (DOMAIN.md §2 rule 8)."""
    return half_up(billable * numerator, denominator)


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
