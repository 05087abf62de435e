"""Expenses: allowed by the policy, priced, converted, marked up, rounded once (DOMAIN.md §2, Expenses)."""

from collections.abc import Iterable
from decimal import Decimal
from functools import partial

from rating.checks import checked, closed_before, fault_of_expense
from rating.items.charging import Priced, charged, zero_charge
from rating.items.expense_policies import allowing_rule, policy_of
from rating.items.expense_prices import per_diem_of, price_of
from rating.model.charge import Settlement
from rating.model.enumerations import Reason
from rating.model.facts import Expense
from rating.model.rating_context import Contract, RatingContext, Rejection
from rating.tax import Tax, tax_on
from rating.time.caps import Claim


def settle_expenses(case: RatingContext, expenses: Iterable[Expense]) -> tuple[list[Settlement], list[Claim]]:
    """The expenses that are settled, and the priced ones as claims, which a cap may limit."""
    settled: list[Settlement] = []
    claims: list[Claim] = []
    for expense in expenses:
        found = _check(case, expense)
        if isinstance(found, Settlement):
            settled.append(found)
        else:
            claims.append(found)
    return settled, claims


def _check(case: RatingContext, expense: Expense) -> Settlement | Claim:
    idle = case.idle(expense, expense.status)
    if idle is not None:
        return idle
    found = _priced(case, expense)
    if isinstance(found, Rejection):
        return case.parked(expense, found, stake=_stake(case, expense))
    return found


def _priced(case: RatingContext, expense: Expense) -> Settlement | Claim | Rejection:
    """The checks in the order of E1."""
    day = expense.incurred_on
    contract = checked(case, expense, fault_of_expense, day, day)
    if isinstance(contract, Rejection):
        return contract
    late = closed_before(case, expense, day)
    if late is not None:
        return late
    policy = policy_of(case.lookups, contract)
    if isinstance(policy, Rejection):
        return policy
    rule = allowing_rule(case.lookups, expense, policy)
    if isinstance(rule, Rejection):
        return rule
    per_diem = per_diem_of(case.lookups, expense, rule)
    if isinstance(per_diem, Rejection):
        return per_diem
    if contract.is_non_billable:
        return zero_charge(expense, contract, day)
    priced = price_of(case.lookups, expense, contract, policy, rule, per_diem)
    if isinstance(priced, Rejection):
        return priced
    tax = tax_on(contract, case.lookups, day)
    if isinstance(tax, Rejection):
        return case.parked(expense, tax, stake=priced.amount)
    return Claim(expense, day, priced.amount, 0, False, partial(_charged, expense, contract, priced, tax))


def _charged(
    expense: Expense, contract: Contract, priced: Priced, tax: Tax, amount: Decimal, over_cap: Reason | None
) -> Settlement:
    """The expense charged what the cap leaves of it."""
    words = priced.derivation
    if amount != priced.amount:
        words += f"; the cap leaves {amount} {contract.engagement.currency}"
    left = Priced(amount, priced.used, words)
    return charged(expense, contract, expense.incurred_on, left, tax, over_cap)


def _stake(case: RatingContext, expense: Expense) -> Decimal | None:
    """The amount where it is in the engagement's currency; another currency's would be read as that one's."""
    return expense.amount if case.engagement and case.engagement.currency == expense.currency else None
