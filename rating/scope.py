"""Coupling scopes: facts settled together, because one can change what another is charged (DESIGN.md §3).

Settling the facts of a scope yields what settling the whole engagement yields for its subjects. Every fact is in
exactly one scope of its engagement, so an event re-settles the scopes its fact was in before and is in now. Where late
work is parked, a scope is also settled by the billing periods of its months, which are in scopes of their own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from rating.checks import TIME_PREFIX
from rating.items.minimums import minimum_terms
from rating.model.days import month_of
from rating.model.facts import (
    MINIMUM_PREFIX,
    Adjustment,
    Decision,
    Fact,
    Facts,
    Outcome,
    TimeEntry,
    each,
    gathered,
    subject_of,
)
from rating.model.master_data import Engagement
from rating.model.rating_context import parks_late_work
from rating.time.amounts import rounds_lines
from rating.time.time_checks import needs_rates

FEE_PREFIX = "fee:"
EXPENSE_PREFIX = "expense:"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is settled together: a kind and what tells it from others of its kind.

    - coupled: all facts of the coupled kinds of the engagement, or of one month; () or (YYYY-MM,)
    - person_day: the time of one consultant and day; (consultant_id, YYYY-MM-DD)
    - outcomes: a metric's outcomes of one month; (metric, YYYY-MM)
    - subject: one subject by itself; (subject,)
    """

    kind: Literal["coupled", "person_day", "outcomes", "subject"]
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coupling:
    """Which kinds of facts of an engagement settle together beyond a consultant's day, and over which span.

    A cap and a retainer couple the whole life of an engagement; cumulative amounts and a minimum couple a month.
    """

    time: bool = False
    expenses: bool = False
    periods: bool = False
    by_month: bool = False

    def scope(self, month: str) -> Scope:
        """The scope of a coupled fact of that month."""
        return Scope("coupled", (month,) if self.by_month else ())


_ALONE = Coupling()


def coupling_of(engagement: Engagement | None) -> Coupling:
    """What the terms of an engagement couple.

    Without any a consultant's day is by itself: 24 hours, rounding, day rates and overtime are all within it.
    """
    if engagement is None:
        return _ALONE
    cap, priced = engagement.cap, needs_rates(engagement)
    expenses = cap is not None and cap.limits_expenses
    has_minimum = minimum_terms(engagement) is not None
    has_retainer = engagement.billing_method == "retainer" and engagement.retainer is not None
    whole_life = expenses or (priced and cap is not None) or has_retainer
    by_lines = priced and rounds_lines(engagement)
    if not (whole_life or by_lines or has_minimum):
        return _ALONE
    return Coupling(priced, expenses, has_minimum, by_month=not whole_life)


def names(fact: Fact) -> str | None:
    """The subject in whose scope a fact belongs, where that is not its own: what a decision or agreed minutes name.

    A minimum is where the fee of its month is: both are of one billing period.
    """
    if isinstance(fact, Decision):
        if fact.subject.startswith(MINIMUM_PREFIX):
            return FEE_PREFIX + fact.subject.removeprefix(MINIMUM_PREFIX)
        return fact.subject
    if isinstance(fact, Adjustment) and fact.kind == "minutes" and (fact.subject or "").startswith(TIME_PREFIX):
        return fact.subject
    return None


def own_scope(fact: Fact) -> Scope:
    """The scope a fact is in where nothing couples it; that of the subject it `names`, if it names one."""
    match fact:
        case TimeEntry():
            return Scope("person_day", (fact.consultant_id, fact.work_date.isoformat()))
        case Outcome():
            return Scope("outcomes", (fact.metric, month_of(fact.achieved_on)))
        case _:
            return Scope("subject", (names(fact) or subject_of(fact),))


def coupled_scope(own: Scope, coupling: Coupling) -> Scope | None:
    """The scope that coupled facts of this own scope are in; None where their kind is not coupled.

    Expenses are never coupled by month, so their month is not needed.
    """
    match own.kind:
        case "person_day" if coupling.time:
            return coupling.scope(own.of[1][:7])
        case "subject" if coupling.expenses and own.of[0].startswith(EXPENSE_PREFIX):
            return coupling.scope("")
        case "subject" if coupling.periods and own.of[0].startswith(FEE_PREFIX):
            return coupling.scope(own.of[0].removeprefix(FEE_PREFIX))
        case _:
            return None


def scope_of(fact: Fact, engagement: Engagement | None, named: Fact | None = None) -> Scope:
    """The scope a fact is in.

    `named` is the fact of the subject it `names`, followed to the end (a decision may name an adjustment, which names
    an entry); while that is not known, the scope is that subject's alone.
    """
    fact = named or fact
    own = own_scope(fact)
    return own if names(fact) is not None else coupled_scope(own, coupling_of(engagement)) or own


def months_of_work(facts: Facts, engagement: Engagement | None) -> Iterator[str]:
    """The months by whose billing periods work may be late; none where late work is not parked (DESIGN.md §3)."""
    if engagement is not None and parks_late_work(engagement):
        yield from (month_of(entry.work_date) for entry in facts.time)
        yield from (month_of(expense.incurred_on) for expense in facts.expenses)
        yield from (month_of(outcome.achieved_on) for outcome in facts.outcomes)


def by_scope(facts: Facts, engagement: Engagement | None) -> dict[Scope, Facts]:
    """The facts of an engagement divided into its scopes."""
    everything = list(each(facts))
    index = {subject_of(fact): fact for fact in everything if not isinstance(fact, Decision)}
    groups: dict[Scope, list[Fact]] = {}
    for fact in everything:
        groups.setdefault(scope_of(fact, engagement, _last_named(fact, index)), []).append(fact)
    return {scope: gathered(group) for scope, group in groups.items()}


def _last_named(fact: Fact, index: Mapping[str, Fact]) -> Fact | None:
    """The fact a fact belongs with, as far as it is known; an adjustment of an unknown entry is where names end."""
    named: Fact | None = None
    subject = names(fact)
    while subject is not None and subject in index:
        named = index[subject]
        subject = names(named)
    return named
