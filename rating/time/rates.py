"""Which rate an entry has: labor category and card precedence with effective dates (DOMAIN.md §2 rules 4 and 5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from rating.model.charge import Missing
from rating.model.days import is_valid
from rating.model.enumerations import RateUnit
from rating.model.facts import TimeEntry
from rating.model.lookups import Lookups
from rating.model.master_data import BlendedTerms, Client, Consultant, Engagement, RateCard, RateLine, Task
from rating.model.masters import LineSelector
from rating.model.rating_context import Contract, Rejection


@dataclass(frozen=True, slots=True)
class CardRate:
    """The line that decides, the card it is in, and the next best line of that card, if it has one."""

    card: RateCard
    line: RateLine
    beaten: RateLine | None

    @property
    def amount(self) -> Decimal:
        """What a unit costs."""
        return self.line.amount

    @property
    def unit(self) -> RateUnit:
        """What the amount is for."""
        return self.line.unit


@dataclass(frozen=True, slots=True)
class BlendedRate:
    """The rate of the engagement itself, which needs no card (DOMAIN.md §2 rule 5)."""

    terms: BlendedTerms

    @property
    def amount(self) -> Decimal:
        """What a unit costs."""
        return self.terms.amount

    @property
    def unit(self) -> RateUnit:
        """What the amount is for."""
        return self.terms.unit


Rate: TypeAlias = CardRate | BlendedRate


def labor_category(entry: TimeEntry, task: Task, consultant: Consultant) -> str | None:
    """The entry's labor category, else the task's, else the consultant's grade, else none (DOMAIN.md §2 rule 4)."""
    return entry.labor_category or task.labor_category or _grade_on(consultant, entry.work_date)


def _grade_on(consultant: Consultant, day: date) -> str | None:
    valid = [grade for grade in consultant.grades if is_valid(day, grade.valid_from, grade.valid_to)]
    return max(valid, key=lambda grade: grade.valid_from).labor_category or None if valid else None


def find_rate(contract: Contract, lookups: Lookups, entry: TimeEntry, category: str | None) -> Rate | Rejection:
    """The rate of an entry, or UNKNOWN_RATE_CARD, AMBIGUOUS_RATE, NO_LABOR_CATEGORY or NO_RATE (DOMAIN §2 rule 5)."""
    if contract.engagement.blended_rate is not None:
        return BlendedRate(contract.engagement.blended_rate)
    wanted = selectors(entry.consultant_id, entry.task_id, category)
    for card in _cards(contract.engagement, contract.client, lookups):
        if isinstance(card, Rejection):
            return card
        if card.currency == contract.engagement.currency:
            found = _decide(card, lookups.card_lines(card), wanted, entry.work_date)
            if found is not None:
                return found
    return _nothing_matched(contract, entry, category)


def cards_searched(engagement: Engagement, client: Client, lookups: Lookups) -> Iterator[RateCard]:
    """Every card that the search for a rate may reach, in order, but unknown ones (DOMAIN.md §2 rule 5)."""
    return (card for card in _cards(engagement, client, lookups) if not isinstance(card, Rejection))


def _cards(engagement: Engagement, client: Client, lookups: Lookups) -> Iterator[RateCard | Rejection]:
    """The cards in the order in which they are searched, each looked up only when the search reaches it."""
    for card_id in (engagement.rate_card_id, client.default_rate_card_id):
        if card_id:
            card = lookups.card(card_id)
            if card is None:
                missing = Missing("rate_card", card_id, None)
                yield Rejection("UNKNOWN_RATE_CARD", f"Rate card {card_id} is named but not known.", missing)
            else:
                yield card
    yield from lookups.firm_cards()


def selectors(consultant_id: str, task_id: str, category: str | None) -> list[LineSelector]:
    """What a line may select to match an entry, the most specific first (DOMAIN.md §2 rule 5)."""
    plain: tuple[tuple[str | None, str | None], ...] = (
        (consultant_id, task_id),
        (consultant_id, None),
        (None, task_id),
        (None, None),
    )
    if category is None:
        return [(consultant, task, None) for consultant, task in plain]
    return [(consultant, task, labor) for consultant, task in plain for labor in (category, None)]


def _decide(
    card: RateCard,
    lines: dict[LineSelector, tuple[RateLine, ...]],
    wanted: list[LineSelector],
    day: date,
) -> Rate | Rejection | None:
    best: RateLine | None = None
    for selector in wanted:
        of_selector = lines.get(selector)
        if of_selector is None:
            continue
        valid = [line for line in of_selector if is_valid(day, line.valid_from, line.valid_to)]
        if len(valid) > 1:
            valid.sort(key=lambda line: line.valid_from, reverse=True)
        if not valid:
            continue
        if best is not None:
            return CardRate(card, best, valid[0])
        if len(valid) > 1:
            same_day = valid[0].valid_from == valid[1].valid_from
            return _ambiguous(card, valid[0], valid[1]) if same_day else CardRate(card, valid[0], valid[1])
        best = valid[0]
    return None if best is None else CardRate(card, best, None)


def _ambiguous(card: RateCard, a: RateLine, b: RateLine) -> Rejection:
    message = (
        f"Lines {a.line_id} and {b.line_id} of card {card.rate_card_id} are equally specific ({specificity(a)}) "
        f"and both valid from {a.valid_from}."
    )
    return Rejection("AMBIGUOUS_RATE", message, Missing("rate_card", card.rate_card_id, None))


def _nothing_matched(contract: Contract, entry: TimeEntry, category: str | None) -> Rejection:
    day = entry.work_date
    if category is None:
        message = f"No rate for consultant {entry.consultant_id} on {day}, who has no labor category that day."
        return Rejection("NO_LABOR_CATEGORY", message, Missing("grade", entry.consultant_id, day))
    named = contract.engagement.rate_card_id or contract.client.default_rate_card_id
    searched = f"card {named}" if named else "firm cards"
    currency = contract.engagement.currency
    message = f"No card line in {currency} fits {category} on {day}; searched {searched} and what follows it."
    return Rejection("NO_RATE", message, Missing("rate", f"{searched} / {category} / {currency}", day))


def specificity(line: RateLine) -> str:
    """What a line selects by, in words (DOMAIN.md §2 rule 5)."""
    selected = (
        ("consultant", line.consultant_id),
        ("task", line.task_id),
        ("labor category", line.labor_category),
    )
    return " + ".join(name for name, value in selected if value) or "any work"
