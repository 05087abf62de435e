"""DOMAIN §2, Expenses: the policy's checks, exchange, markup, one rounding."""

from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import (
    MONDAY,
    amounts,
    charges,
    codes,
    engagement,
    expense,
    fx,
    masters_of,
    only,
    policy,
    rule,
    settled,
)

from rating.model.master_data import ExpenseRule, FxRate
from rating.model.masters import Masters

NAMED = engagement(expense_policy_id="POL")


def under(*rules: ExpenseRule, rates: tuple[FxRate, ...] = ()) -> Masters:
    return masters_of(NAMED, policy(*rules), *rates)


def test_without_a_policy_every_category_passes_without_markup() -> None:
    assert amounts(masters_of(), expense("12.345", consultant_id="nobody")) == ["12.35"]


def test_what_a_policy_refuses() -> None:
    assert codes(masters_of(NAMED), expense()) == ["UNKNOWN_EXPENSE_POLICY"]
    assert codes(under(rule("meals")), expense()) == ["EXPENSE_CATEGORY_NOT_ALLOWED"]
    assert codes(under(rule(allowed=False), rule()), expense()) == ["EXPENSE_CATEGORY_NOT_ALLOWED"]


def test_a_receipt_is_needed_above_an_amount_in_its_own_currency() -> None:
    masters = under(rule(receipt_above=Decimal(25)), rates=(fx("JPY", "USD", "0.007"),))
    assert codes(masters, expense("25.01")) == ["RECEIPT_MISSING"]
    assert codes(masters, expense("25.01", receipt="")) == ["RECEIPT_MISSING"]
    assert codes(masters, expense("25")) == [None]
    assert codes(masters, expense("25.01", receipt="R1")) == [None]
    assert codes(masters, expense("26", "JPY")) == ["RECEIPT_MISSING"]


def test_a_limit_is_in_its_currency_or_in_the_expenses_own() -> None:
    in_yen = rule(limit=Decimal(12000), limit_currency="JPY")
    rates = (fx("USD", "JPY", "120"),)
    assert codes(under(in_yen, rates=rates), expense("100")) == [None]
    assert codes(under(in_yen, rates=rates), expense("100.01")) == ["EXPENSE_OVER_LIMIT"]
    assert codes(under(in_yen), expense("1")) == ["NO_FX_RATE"]
    own = rule(limit=Decimal(100))
    assert codes(under(own, rates=rates), expense("100.01", "JPY")) == ["EXPENSE_OVER_LIMIT"]


def test_amount_is_converted_and_marked_up_and_rounded_once() -> None:
    rates = (fx("EUR", "USD", "1.116711"),)
    assert amounts(under(rule(markup="5"), rates=rates), expense("10.01", "EUR")) == ["11.74"]


def test_a_non_billable_engagement_needs_no_rate_for_the_amount_but_one_for_the_limit() -> None:
    contract = engagement(billing_method="non_billable", expense_policy_id="POL")
    assert codes(masters_of(contract, policy(rule())), expense("1", "EUR")) == [None]
    limited = policy(rule(limit=Decimal(1), limit_currency="USD"))
    assert codes(masters_of(contract, limited), expense("1", "EUR")) == ["NO_FX_RATE"]


@pytest.mark.parametrize(
    ("rates", "amount"),
    [
        ((fx("JPY", "USD", "0.01"),), "10.00"),
        ((fx("USD", "JPY", "125"),), "8.00"),
        ((fx("JPY", "USD", "0.01"), fx("USD", "JPY", "125")), "10.00"),
        ((fx("EUR", "JPY", "160"), fx("EUR", "USD", "1.1")), "6.88"),
        ((fx("JPY", "EUR", "0.005"), fx("USD", "EUR", "0.8")), "6.25"),
        ((fx("JPY", "USD", "0.02", date(2023, 12, 8)), fx("JPY", "USD", "0.01")), "10.00"),
        ((fx("JPY", "USD", "0.02", date(2023, 12, 8)), fx("JPY", "USD", "0.01", date(2024, 1, 9))), "20.00"),
        ((fx("JPY", "USD", "0.02", date(2023, 12, 7)), fx("USD", "JPY", "125")), "8.00"),
        ((fx("EUR", "JPY", "160", date(2023, 12, 8)), fx("EUR", "USD", "1.1")), "6.88"),
    ],
)
def test_rates_direct_then_inverse_then_through_the_euro_at_most_31_days_old(
    rates: tuple[FxRate, ...], amount: str
) -> None:
    assert amounts(masters_of(*rates), expense("1000", "JPY")) == [amount]


def test_rates_cross_through_the_dollar_last() -> None:
    contract = engagement(currency="GBP")
    dollar = (fx("USD", "JPY", "100"), fx("GBP", "USD", "1.25"))
    assert amounts(masters_of(contract, *dollar), expense("1000", "JPY")) == ["8.00"]
    euro = (fx("EUR", "JPY", "200"), fx("EUR", "GBP", "0.5"))
    assert amounts(masters_of(contract, *dollar, *euro), expense("1000", "JPY")) == ["2.50"]


@pytest.mark.parametrize(
    "rates",
    [
        (),
        (fx("JPY", "USD", "0.01", date(2023, 12, 7)),),
        (fx("JPY", "USD", "0.01", date(2024, 1, 9)),),
        (fx("EUR", "JPY", "160"),),
        (fx("USD", "JPY", "0"),),
    ],
)
def test_no_rate_is_fresh_enough(rates: tuple[FxRate, ...]) -> None:
    found = settled(masters_of(*rates), expense("1000", "JPY"))["expense:x1"].parked
    assert found is not None
    assert (found.code, found.missing and found.missing.id) == ("NO_FX_RATE", "JPY:USD")


def test_an_expense_names_who_spent_and_what_was_used() -> None:
    charge = charges(under(rule(markup="10"), rates=(fx("EUR", "USD", "1.1"),)), expense("100", "EUR"))["x1"]
    assert (charge.consultant_id, str(charge.amount)) == ("C1", "121.00")
    assert [(used.kind, used.id) for used in charge.lineage.masters[2:]] == [
        ("expense_policy", "POL"),
        ("fx_rate", f"EUR:USD:{MONDAY}"),
        ("tax_rule", "TX-NY"),
    ]
    assert charge.derivation == (
        "travel of 100 EUR; 1 EUR = 1.1 USD of 2024-01-08; plus 10 % = 121.00 USD; "
        "tax S 8.875 % by rule TX-NY of US-NY."
    )


def test_the_stake_is_known_in_the_engagements_currency_only() -> None:
    stakes = [settled(only(NAMED), expense("5", one))["expense:x1"].parked for one in ("USD", "EUR")]
    assert [one and one.amount_at_stake for one in stakes] == [Decimal(5), None]
