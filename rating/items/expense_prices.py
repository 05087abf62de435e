"""What an expense costs: its amount or a per diem, converted and marked up (DOMAIN.md §2, Expenses)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from common.decimals import plain
from rating.items.charging import Priced
from rating.items.fx import Exchange, exchange
from rating.items.per_diems import per_diem_on
from rating.lineage import fx_ref, per_diem_ref, policy_ref
from rating.model.charge import MasterRef, Missing
from rating.model.facts import Expense
from rating.model.lookups import Lookups
from rating.model.master_data import ExpensePolicy, ExpenseRule, PerDiem
from rating.model.money import ONE, ZERO, exact, rounded
from rating.model.rating_context import Contract, Rejection

_ONE_DAY = Decimal(1)


@dataclass(frozen=True, slots=True)
class _Cost:
    """An exact amount before conversion and mark-up, what it came from, and how, in words."""

    amount: Fraction
    currency: str
    used: Sequence[MasterRef]
    words: Sequence[str]


def per_diem_of(lookups: Lookups, expense: Expense, rule: ExpenseRule | None) -> PerDiem | Rejection | None:
    """The per diem that prices an expense; None where its rule names none (DOMAIN.md §2, Expenses)."""
    if rule is None or rule.per_diem is None:
        return None
    if not expense.place:
        return Rejection("NO_PER_DIEM", f"{expense.category} is paid by the day, and the expense has no place.")
    found = per_diem_on(lookups.per_diems(expense.place), rule.component, expense.incurred_on)
    if found is None:
        message = f"No rate for {rule.component} at {expense.place} on {expense.incurred_on}."
        return Rejection("NO_PER_DIEM", message, Missing("per_diem", expense.place, expense.incurred_on))
    return found


def price_of(
    lookups: Lookups,
    expense: Expense,
    contract: Contract,
    policy: ExpensePolicy | None,
    rule: ExpenseRule | None,
    per_diem: PerDiem | None,
) -> Priced | Rejection:
    """The rounded amount in the engagement's currency, or NO_FX_RATE (DOMAIN.md §2, Expenses)."""
    cost = _cost(lookups, expense, rule, per_diem)
    if isinstance(cost, Rejection):
        return cost
    currency = contract.engagement.currency
    found = exchange_for(lookups, expense, cost.currency, currency)
    if isinstance(found, Rejection):
        return found
    markup = exact(rule.markup_percent) if rule else ZERO
    amount = rounded(cost.amount * found.factor * (ONE + markup / 100), currency)
    steps = [*cost.words]
    if found.rates:
        steps.append(found.words)
    if rule is not None and markup:
        steps.append(f"plus {plain(rule.markup_percent)} %")
    used = (*((policy_ref(policy),) if policy else ()), *cost.used, *map(fx_ref, found.rates))
    return Priced(amount, tuple(dict.fromkeys(used)), f"{'; '.join(steps)} = {amount} {currency}")


def exchange_for(lookups: Lookups, expense: Expense, base: str, quote: str) -> Exchange | Rejection:
    """The exchange rate of an expense's day, or NO_FX_RATE (DOMAIN.md §2, Expenses)."""
    found = exchange(lookups, base, quote, expense.incurred_on)
    if found is None:
        pair = f"{base}:{quote}"
        message = f"No rate {pair} of the 31 days up to {expense.incurred_on}, nor one through EUR or USD."
        return Rejection("NO_FX_RATE", message, Missing("fx_rate", pair, expense.incurred_on))
    return found


def amount_in_words(expense: Expense) -> str:
    """The category and the recorded amount of an expense."""
    return f"{expense.category} of {plain(expense.amount)} {expense.currency}"


def _cost(lookups: Lookups, expense: Expense, rule: ExpenseRule | None, per_diem: PerDiem | None) -> _Cost | Rejection:
    recorded = _Cost(exact(expense.amount), expense.currency, (), (amount_in_words(expense),))
    if rule is None or rule.per_diem is None or per_diem is None:
        return recorded
    days = _ONE_DAY if expense.quantity is None else expense.quantity
    rate = f"{plain(per_diem.amount)} {per_diem.currency}"
    words = f"{plain(days)} days of {per_diem.component} at {per_diem.place} at {rate}"
    daily = _Cost(exact(days) * exact(per_diem.amount), per_diem.currency, (per_diem_ref(per_diem),), (words,))
    match rule.per_diem:
        case "flat":
            return daily
        case "up_to":
            return _lesser(lookups, expense, recorded, daily)
        case _:
            assert_never(rule.per_diem)


def _lesser(lookups: Lookups, expense: Expense, recorded: _Cost, daily: _Cost) -> _Cost | Rejection:
    """The lesser of the recorded amount and the per diem converted to its currency (DOMAIN.md §2, E5)."""
    found = exchange_for(lookups, expense, daily.currency, recorded.currency)
    if isinstance(found, Rejection):
        return found
    most = daily.amount * found.factor
    used = (*daily.used, *map(fx_ref, found.rates))
    words = (*recorded.words, f"at most {daily.words[0]}", *([found.words] if found.rates else []))
    return _Cost(min(recorded.amount, most), recorded.currency, used, words)
