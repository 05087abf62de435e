"""Expenses: allowed by the policy, converted, marked up, rounded once (DOMAIN.md §2, Expenses)."""

from collections.abc import Iterable
from decimal import Decimal

from common.decimals import plain
from rating.checks import checked, fault_of_expense
from rating.items.charging import Priced, charged, charged_nothing
from rating.items.fx import Exchange, exchange
from rating.lineage import fx_ref, policy_ref
from rating.model.charge import Missing, Settlement
from rating.model.facts import Expense, subject_of
from rating.model.lookups import Lookups
from rating.model.master_data import ExpensePolicy, ExpenseRule
from rating.model.money import ONE, exact, rounded
from rating.model.rating_context import Case, Contract, Rejection
from rating.tax import tax_on


def settle_expenses(case: Case, expenses: Iterable[Expense]) -> dict[str, Settlement]:
    """The settlement of each expense by subject."""
    return {subject_of(expense): _settle(case, expense) for expense in expenses}


def _settle(case: Case, expense: Expense) -> Settlement:
    idle = case.idle(expense, expense.status)
    if idle is not None:
        return idle
    contract = checked(case, expense, fault_of_expense, expense.incurred_on, expense.incurred_on)
    if isinstance(contract, Rejection):
        return case.parked(expense, contract, stake=_stake(case, expense))
    policy = _policy(case.lookups, contract)
    if isinstance(policy, Rejection):
        return case.parked(expense, policy, stake=_stake(case, expense))
    rule = _allowing_rule(case.lookups, expense, policy)
    if isinstance(rule, Rejection):
        return case.parked(expense, rule, stake=_stake(case, expense))
    if contract.is_non_billable:
        return charged_nothing(expense, contract, expense.incurred_on)
    priced = _price(case.lookups, expense, contract, policy, rule)
    if isinstance(priced, Rejection):
        return case.parked(expense, priced, stake=_stake(case, expense))
    tax = tax_on(contract, case.lookups, expense.incurred_on)
    if isinstance(tax, Rejection):
        return case.parked(expense, tax, stake=priced.amount)
    return charged(expense, contract, expense.incurred_on, priced, tax)


def _stake(case: Case, expense: Expense) -> Decimal | None:
    """The amount where it is in the engagement's currency; another currency's would be read as that one's."""
    return expense.amount if case.engagement and case.engagement.currency == expense.currency else None


def _policy(lookups: Lookups, contract: Contract) -> ExpensePolicy | Rejection | None:
    policy_id = contract.engagement.expense_policy_id
    if not policy_id:
        return None
    policy = lookups.policy(policy_id)
    if policy is None:
        missing = Missing("expense_policy", policy_id, None)
        return Rejection("UNKNOWN_EXPENSE_POLICY", f"Expense policy {policy_id} is named but not known.", missing)
    return policy


def _allowing_rule(lookups: Lookups, expense: Expense, policy: ExpensePolicy | None) -> ExpenseRule | Rejection | None:
    """The policy's rule that lets the expense through; None where no policy is named."""
    if policy is None:
        return None
    rule = next((rule for rule in policy.rules if rule.category == expense.category), None)
    if rule is None or not rule.allowed:
        message = f"Policy {policy.expense_policy_id} does not allow {expense.category}."
        return Rejection("EXPENSE_CATEGORY_NOT_ALLOWED", message)
    if rule.receipt_above is not None and expense.amount > rule.receipt_above and not expense.receipt:
        limit = f"{plain(rule.receipt_above)} {expense.currency}"
        return Rejection("RECEIPT_MISSING", f"{expense.category} above {limit} needs a receipt.")
    return _over_limit(lookups, expense, rule) or rule


def _over_limit(lookups: Lookups, expense: Expense, rule: ExpenseRule) -> Rejection | None:
    if rule.limit is None:
        return None
    currency = rule.limit_currency or expense.currency
    found = _exchange(lookups, expense, currency)
    if isinstance(found, Rejection):
        return found
    if exact(expense.amount) * found.factor > exact(rule.limit):
        message = f"{_words(expense)} is above the limit of {plain(rule.limit)} {currency} for {expense.category}."
        return Rejection("EXPENSE_OVER_LIMIT", message)
    return None


def _price(
    lookups: Lookups, expense: Expense, contract: Contract, policy: ExpensePolicy | None, rule: ExpenseRule | None
) -> Priced | Rejection:
    currency = contract.engagement.currency
    found = _exchange(lookups, expense, currency)
    if isinstance(found, Rejection):
        return found
    markup = exact(rule.markup_percent) if rule else exact(Decimal(0))
    amount = rounded(exact(expense.amount) * found.factor * (ONE + markup / 100), currency)
    steps = [_words(expense)]
    if found.rates:
        steps.append(found.words)
    if rule is not None and markup:
        steps.append(f"plus {plain(rule.markup_percent)} %")
    used = (*((policy_ref(policy),) if policy else ()), *map(fx_ref, found.rates))
    return Priced(amount, used, f"{'; '.join(steps)} = {amount} {currency}")


def _exchange(lookups: Lookups, expense: Expense, currency: str) -> Exchange | Rejection:
    found = exchange(lookups, expense.currency, currency, expense.incurred_on)
    if found is None:
        pair = f"{expense.currency}:{currency}"
        message = f"No rate {pair} of the 31 days up to {expense.incurred_on}, nor one through EUR or USD."
        return Rejection("NO_FX_RATE", message, Missing("fx_rate", pair, expense.incurred_on))
    return found


def _words(expense: Expense) -> str:
    return f"{expense.category} of {plain(expense.amount)} {expense.currency}"
