"""Which rule of a policy lets an expense through (DOMAIN.md §2, Expenses)."""

from common.decimals import plain
from rating.items.expense_prices import amount_in_words, exchange_for
from rating.model.charge import Missing
from rating.model.facts import Expense
from rating.model.lookups import Lookups
from rating.model.master_data import ExpensePolicy, ExpenseRule
from rating.model.money import exact
from rating.model.rating_context import Contract, Rejection


def policy_of(lookups: Lookups, contract: Contract) -> ExpensePolicy | Rejection | None:
    """The policy of an engagement; None where it names none (DOMAIN.md §2, Expenses)."""
    policy_id = contract.engagement.expense_policy_id
    if not policy_id:
        return None
    policy = lookups.policy(policy_id)
    if policy is None:
        missing = Missing("expense_policy", policy_id, None)
        return Rejection("UNKNOWN_EXPENSE_POLICY", f"Expense policy {policy_id} is named but not known.", missing)
    return policy


def allowing_rule(lookups: Lookups, expense: Expense, policy: ExpensePolicy | None) -> ExpenseRule | Rejection | None:
    """The policy's rule that lets the expense through; None where no policy is named (DOMAIN.md §2, Expenses)."""
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
    found = exchange_for(lookups, expense, expense.currency, currency)
    if isinstance(found, Rejection):
        return found
    if exact(expense.amount) * found.factor > exact(rule.limit):
        limit = f"{plain(rule.limit)} {currency}"
        message = f"{amount_in_words(expense)} is above the limit of {limit} for {expense.category}."
        return Rejection("EXPENSE_OVER_LIMIT", message)
    return None
