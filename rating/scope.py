"""Coupling scopes: facts settled together, because one can change what another is charged (DESIGN.md §3).

Settling the facts of a scope yields what settling the whole engagement yields for its subjects. Every fact is in
exactly one scope of its engagement, so an event re-settles the scopes its fact was in before and is in now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rating.checks import TIME_PREFIX
from rating.model.days import month_of
from rating.model.facts import Adjustment, Decision, Fact, Facts, Outcome, TimeEntry, each, gathered, subject_of
from rating.model.master_data import Engagement
from rating.time.time_checks import needs_rates


@dataclass(frozen=True, slots=True)
class Scope:
    """What is settled together: a kind and what tells it from others of its kind.

    - time: all time of the engagement; ()
    - person_day: the time of one consultant and day; (consultant_id, YYYY-MM-DD)
    - outcomes: a metric's outcomes of one month; (metric, YYYY-MM)
    - subject: one subject by itself; (subject,)
    """

    kind: Literal["time", "person_day", "outcomes", "subject"]
    of: tuple[str, ...]


_ALL_TIME = Scope("time", ())


def couples_time(engagement: Engagement | None) -> bool:
    """Whether time of different consultants or days is settled together: a retainer with terms, or a cap.

    Otherwise a consultant's day is by itself (24 hours, rounding, day rates and overtime are all within it).
    """
    if engagement is None or not needs_rates(engagement):
        return False
    return engagement.cap is not None or (engagement.billing_method == "retainer" and engagement.retainer is not None)


def names(fact: Fact) -> str | None:
    """The subject in whose scope a fact belongs, where that is not its own: what a decision or agreed minutes name."""
    if isinstance(fact, Decision):
        return fact.subject
    if isinstance(fact, Adjustment) and fact.kind == "minutes" and (fact.subject or "").startswith(TIME_PREFIX):
        return fact.subject
    return None


def scope_of(fact: Fact, engagement: Engagement | None, named: Fact | None = None) -> Scope:
    """The scope a fact is in.

    `named` is the fact of the subject it `names`, followed to the end (a decision may name an adjustment, which names
    an entry); while that is not known, the scope is that subject's alone.
    """
    fact = named or fact
    if isinstance(fact, TimeEntry):
        if couples_time(engagement):
            return _ALL_TIME
        return Scope("person_day", (fact.consultant_id, fact.work_date.isoformat()))
    if isinstance(fact, Outcome):
        return Scope("outcomes", (fact.metric, month_of(fact.achieved_on)))
    return Scope("subject", (names(fact) or subject_of(fact),))


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
