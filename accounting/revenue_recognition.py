"""Revenue recognition at the close of a month, as pure rules, apart from charging (DESIGN.md §10).

The ledger takes every charge as revenue of its month. At a close, what is charged and not earned is deferred, and what
is earned and not charged is an unbilled receivable. The entry of a month is the change of those balances since the
earlier entries. So a second run posts only changes.

    time and materials, outcomes, expenses, adjustments     as charged: they are charged as they are performed
    fixed fee        its milestones; where minutes are planned, the share worked, and all when all are completed
    retainer, subscription      evenly over the days of the contract; without a last day, each month its fee
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from accounting.chart_of_accounts import DEFERRED, REVENUE, UNBILLED
from rating.items.fees import fee_terms, prorated_fee
from rating.model.days import month_bounds, month_number, month_of
from rating.model.master_data import Engagement, Retainer, Subscription
from rating.model.money import ONE, exact, rounded, rounded_money, zero


@dataclass(frozen=True, slots=True)
class Booked:
    """The ledger of one account of an engagement in one month: amounts by kind of charge, billable minutes of time, and
    the milestones charged (net of reversals) by their subjects' ids.
    """

    amounts: Mapping[str, Decimal]
    minutes: int = 0
    milestones: Mapping[str, int] = field(default_factory=dict)

    @property
    def charged(self) -> Decimal:
        """All of it."""
        return sum(self.amounts.values(), Decimal(0))


@dataclass(frozen=True, slots=True)
class Balances:
    """Deferred revenue and unbilled receivables of one account. One of them is 0."""

    deferred: Decimal = Decimal(0)
    unbilled: Decimal = Decimal(0)

    @property
    def adjustment(self) -> Decimal:
        """The difference between revenue and charges."""
        return self.unbilled - self.deferred


@dataclass(frozen=True, slots=True)
class EntryLine:
    """A line of an entry; one of debit and credit is 0."""

    account: str
    debit: Decimal
    credit: Decimal


def balances(
    contract: Engagement | None, planned_minutes: int | None, months: Mapping[str, Booked], period: str
) -> Balances:
    """The balances of an account at the end of a month (YYYY-MM), from the ledger up to it.

    An account without a contract (unknown, or now of another client or currency) has earned what it charged.
    """
    if contract is None:
        return Balances()
    past = [booked for month, booked in sorted(months.items()) if month <= period]
    currency, owed = contract.currency, zero(contract.currency)
    for kind, earned in _rules(contract, planned_minutes, past, period):
        charged = sum((booked.amounts.get(kind, Decimal(0)) for booked in past), zero(currency))
        owed += rounded(earned, currency) - charged
    return Balances(unbilled=owed) if owed > 0 else Balances(deferred=-owed)


def _rules(
    engagement: Engagement, planned_minutes: int | None, past: Sequence[Booked], period: str
) -> Iterable[tuple[str, Fraction]]:
    """(kind of charge, amount earned so far), of the kinds that are not earned as they are charged."""
    terms, share = fee_terms(engagement), _share_of_days(engagement, period)
    if terms is not None and share is not None:
        yield "fee", _fees_of_the_contract(terms, engagement) * share
    if engagement.billing_method == "fixed_fee" and planned_minutes and engagement.milestones:
        total = sum((exact(rounded_money(m.amount, engagement.currency)) for m in engagement.milestones), Fraction(0))
        worked = Fraction(sum(booked.minutes for booked in past), planned_minutes)
        yield "milestone", total * (ONE if _all_completed(engagement, past) else min(max(worked, Fraction(0)), ONE))


def _fees_of_the_contract(terms: Retainer | Subscription, engagement: Engagement) -> Fraction:
    """The rounded fees of all months of a contract that has a last day: whole ones between its first and last month."""
    ends_on = engagement.ends_on or date.max
    months = month_number(ends_on) - month_number(engagement.starts_on) + 1
    edges = {month_of(engagement.starts_on), month_of(ends_on)}
    total = exact(rounded_money(terms.monthly_fee, engagement.currency)) * (months - len(edges))
    for month in edges:
        bounds = month_bounds(month) or (engagement.starts_on, ends_on)
        total += exact(rounded(prorated_fee(terms, engagement, *bounds), engagement.currency))
    return total


def _share_of_days(engagement: Engagement, period: str) -> Fraction | None:
    """The elapsed share of the contract's days at the end of the month; None without a last day."""
    bounds = month_bounds(period)
    if engagement.ends_on is None or engagement.ends_on < engagement.starts_on or bounds is None:
        return None
    days = (engagement.ends_on - engagement.starts_on).days + 1
    over = (min(bounds[1], engagement.ends_on) - engagement.starts_on).days + 1
    return Fraction(max(over, 0), days)


def _all_completed(engagement: Engagement, past: Sequence[Booked]) -> bool:
    charged: dict[str, int] = {}
    for booked in past:
        for milestone_id, n in booked.milestones.items():
            charged[milestone_id] = charged.get(milestone_id, 0) + n
    return all(charged.get(terms.milestone_id, 0) > 0 for terms in engagement.milestones)


def entry(before: Balances, after: Balances) -> tuple[EntryLine, ...]:
    """The balanced lines that bring balances from one to the other; none where they are the same."""
    changes = (
        (UNBILLED, after.unbilled - before.unbilled),  # an asset: more of it is a debit
        (DEFERRED, before.deferred - after.deferred),
        (REVENUE, before.adjustment - after.adjustment),
    )
    return tuple(EntryLine(name, max(by, Decimal(0)), max(-by, Decimal(0))) for name, by in changes if by)


def standing(lines: Iterable[EntryLine]) -> Balances:
    """The balances after all entries so far."""
    sums = {DEFERRED: Decimal(0), UNBILLED: Decimal(0)}
    for line in lines:
        if line.account in sums:
            sums[line.account] += line.debit - line.credit
    return Balances(deferred=-sums[DEFERRED], unbilled=sums[UNBILLED])
