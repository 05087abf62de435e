"""Whether the time of an engagement has a rate and a tax treatment, for every person on every day, before the work.

The answer changes only on certain days: where the contract begins, where a rate line, a grade or a tax rule begins or
ends. So one day of each span is tried, for one member of each group of people and tasks that the rules treat alike.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from rating.model.facts import TimeEntry
from rating.model.lookups import Lookups
from rating.model.master_data import Client, Consultant, Engagement, Grade, RateCard, Task
from rating.model.masters import Masters
from rating.model.rating_context import Contract, Rejection
from rating.tax import tax_on
from rating.time.rates import CardRate, find_rate, labor_category
from rating.time.time_checks import needs_rates

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Gap:
    """Days on which work cannot be charged, half-open: `until` None is open."""

    code: str
    who: str
    """The labor category, or the consultant without one; empty if it concerns every person."""
    first: date
    until: date | None
    message: str


@dataclass(slots=True)
class Coverage:
    """The gaps of an engagement, and (card, line) of every rate line that decides somewhere."""

    gaps: list[Gap] = field(default_factory=list)
    reached: set[tuple[str, str]] = field(default_factory=set)
    unrated: bool = False
    """Whether no work at all has a rate."""


def coverage(
    engagement: Engagement, client: Client, masters: Masters, people: Iterable[Consultant], booked: Iterable[TimeEntry]
) -> Coverage:
    """The coverage of an engagement's time: of `people` on each of its tasks, and of each entry that is `booked`."""
    contract, lookups = Contract(engagement, client), Lookups(masters)
    found = Coverage()
    found.gaps += _tax_gaps(contract, lookups, masters)
    if not needs_rates(engagement) or engagement.blended_rate is not None:
        return found
    cards = _cards(contract, masters)
    tasks = [task for task in masters.tasks.values() if task.engagement_id == engagement.engagement_id]
    days = _days(engagement, _rate_days(cards, masters.consultants.values()))
    tried: dict[tuple[str, str], dict[date, Rejection]] = {}
    some = False
    for person, task in _kinds(people, [task for task in tasks if task.billable], cards):
        for day in days:
            if task.closed_on is not None and day >= task.closed_on:
                continue
            entry = _entry(engagement, task, person, day)
            category = labor_category(entry, task, person)
            rate = find_rate(contract, lookups, entry, category)
            if isinstance(rate, Rejection):
                tried.setdefault((rate.code, category or person.consultant_id), {})[day] = rate
            else:
                some = True
                if isinstance(rate, CardRate):
                    found.reached.add((rate.card.rate_card_id, rate.line.line_id))
    found.unrated = bool(tried) and not some
    for (code, who), rejected in tried.items():
        found.gaps += _spans(code, who, rejected, days)
    _reach_booked(found, contract, lookups, masters, booked)
    return found


def _reach_booked(
    found: Coverage, contract: Contract, lookups: Lookups, masters: Masters, booked: Iterable[TimeEntry]
) -> None:
    """Lines that entries reach by a labor category of their own."""
    for entry in booked:
        if entry.labor_category:
            rate = find_rate(contract, lookups, entry, entry.labor_category)
            if isinstance(rate, CardRate):
                found.reached.add((rate.card.rate_card_id, rate.line.line_id))


def _cards(contract: Contract, masters: Masters) -> list[RateCard]:
    """The cards that the search may reach."""
    named = (contract.engagement.rate_card_id, contract.client.default_rate_card_id)
    cards = [masters.cards[name] for name in named if name and name in masters.cards]
    return [*cards, *masters.firm_cards]


def _kinds(
    people: Iterable[Consultant], tasks: Iterable[Task], cards: Iterable[RateCard]
) -> Iterator[tuple[Consultant, Task]]:
    """One pair for each group of people and tasks that no line and no grade tells apart."""
    named = {line.consultant_id for card in cards for line in card.lines if line.consultant_id}
    named_tasks = {line.task_id for card in cards for line in card.lines if line.task_id}
    persons = {
        (
            person.consultant_id if person.consultant_id in named or not person.grades else "",
            _grades(person.grades),
        ): person
        for person in people
    }
    kinds = {
        (task.task_id if task.task_id in named_tasks else "", task.labor_category, task.closed_on): task
        for task in tasks
    }
    for person in persons.values():
        for task in kinds.values():
            yield person, task


def _grades(grades: Iterable[Grade]) -> tuple[tuple[date, date | None, str], ...]:
    return tuple((grade.valid_from, grade.valid_to, grade.labor_category) for grade in grades)


def _rate_days(cards: Iterable[RateCard], people: Iterable[Consultant]) -> Iterator[date]:
    for card in cards:
        for line in card.lines:
            yield from (day for day in (line.valid_from, line.valid_to) if day is not None)
    for person in people:
        for grade in person.grades:
            yield from (day for day in (grade.valid_from, grade.valid_to) if day is not None)


def _days(engagement: Engagement, changes: Iterable[date]) -> list[date]:
    """The first day of each span within the contract, or before it is on hold."""
    first, last = engagement.starts_on, _last_day(engagement)
    within = {day for day in changes if day > first and (last is None or day <= last)}
    return sorted({first, *within}) if last is None or first <= last else []


def _last_day(engagement: Engagement) -> date | None:
    held = None if engagement.on_hold_from is None else engagement.on_hold_from - timedelta(days=1)
    return min((day for day in (engagement.ends_on, held) if day is not None), default=None)


def _spans(code: str, who: str, rejected: Mapping[date, Rejection], days: list[date]) -> Iterator[Gap]:
    """Neighbouring spans as one."""
    first: date | None = None
    for place, day in enumerate(days):
        after = days[place + 1] if place + 1 < len(days) else None
        if day in rejected:
            first = first or day
            if after is None or after not in rejected:
                yield Gap(code, who, first, after, rejected[first].message)
                first = None


def _tax_gaps(contract: Contract, lookups: Lookups, masters: Masters) -> Iterator[Gap]:
    places = (contract.client.tax_jurisdiction, contract.engagement.seller_tax_jurisdiction)
    changes = (
        day for place in places for rule in masters.tax_rules.get(place, ()) for day in (rule.valid_from, rule.valid_to)
    )
    days = _days(contract.engagement, [day for day in changes if day is not None])
    rejected = {day: tax for day in days if isinstance(tax := tax_on(contract, lookups, day), Rejection)}
    for code in {each.code for each in rejected.values()}:
        yield from _spans(code, "", {day: each for day, each in rejected.items() if each.code == code}, days)


def _entry(engagement: Engagement, task: Task, person: Consultant, day: date) -> TimeEntry:
    return TimeEntry(
        entry_id="check",
        engagement_id=engagement.engagement_id,
        task_id=task.task_id,
        consultant_id=person.consultant_id,
        work_date=day,
        minutes=60,
        billable=True,
        status="approved",
        source="check",
        revision=1,
        occurred_at=_NEVER,
    )
