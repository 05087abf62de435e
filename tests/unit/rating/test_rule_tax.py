"""DOMAIN §2 rule 12, and the VAT rates of §6."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import CLIENT, MONDAY, TAX_RULE, charges, codes, engagement, entry, masters_of, only, tax_rule

from rating.model.master_data import TaxOverride
from rating.model.masters import Masters
from rating.model.money import rounded_money


def tax(masters: Masters, day: date = MONDAY) -> tuple[str | None, Decimal | None]:
    charge = charges(masters, entry(work_date=day))["t1"]
    return charge.tax_category, charge.tax_rate


GERMAN = [
    tax_rule("DE-1", "DE", "19", date(2007, 1, 1), date(2020, 7, 1)),
    tax_rule("DE-2", "DE", "16", date(2020, 7, 1), date(2021, 1, 1)),
    tax_rule("DE-3", "DE", "19", date(2021, 1, 1)),
]
ESTONIAN = [
    tax_rule("EE-1", "EE", "20", date(2009, 7, 1), date(2024, 1, 1)),
    tax_rule("EE-2", "EE", "22", date(2024, 1, 1), date(2025, 7, 1)),
    tax_rule("EE-3", "EE", "24", date(2025, 7, 1)),
]
IN_GERMANY = engagement(seller_country="DE", seller_tax_jurisdiction="DE", rate_card_id=None)


@pytest.mark.parametrize(
    ("country", "day", "rate"),
    [
        ("DE", date(2020, 6, 30), "19"),
        ("DE", date(2020, 7, 1), "16"),
        ("DE", date(2020, 12, 31), "16"),
        ("DE", date(2021, 1, 1), "19"),
        ("EE", date(2023, 12, 31), "20"),
        ("EE", date(2024, 1, 1), "22"),
        ("EE", date(2025, 6, 30), "22"),
        ("EE", date(2025, 7, 1), "24"),
    ],
)
def test_figure_vat_of_germany_and_estonia_by_day(country: str, day: date, rate: str) -> None:
    client = replace(CLIENT, country=country, tax_jurisdiction=country)
    contract = engagement(seller_country=country, seller_tax_jurisdiction=country)
    assert tax(masters_of(contract, client, *GERMAN, *ESTONIAN), day) == ("S", Decimal(rate))


def test_rule_12_an_override_comes_first() -> None:
    agreed = TaxOverride(category="Z", rate=Decimal(0), reason="export")
    assert tax(masters_of(engagement(tax_override=agreed))) == ("Z", Decimal(0))


def test_rule_12_within_the_eu_a_vat_id_moves_the_charge_to_the_client() -> None:
    contract = engagement(seller_country="DE", seller_tax_jurisdiction="DE")
    french = replace(CLIENT, country="FR", tax_jurisdiction="FR")
    assert tax(masters_of(contract, replace(french, vat_id="FR 12.345-678901"), *GERMAN)) == ("AE", Decimal(0))
    assert tax(masters_of(contract, french, *GERMAN)) == ("S", Decimal(19))
    assert tax(masters_of(contract, replace(french, vat_id=""), *GERMAN)) == ("S", Decimal(19))


@pytest.mark.parametrize("country", ["GB", "US", "EL"])
def test_rule_12_everything_else_is_out_of_scope(country: str) -> None:
    contract = engagement(seller_country="DE", seller_tax_jurisdiction="DE")
    assert tax(masters_of(contract, replace(CLIENT, country=country, vat_id="X"), *GERMAN)) == ("O", Decimal(0))


def test_rule_12_the_later_valid_from_wins_then_the_lower_id() -> None:
    rules = [
        tax_rule("B", "US-NY", "1", date(2024, 1, 1)),
        tax_rule("C", "US-NY", "2", date(2024, 1, 1)),
        tax_rule("A", "US-NY", "3", date(2023, 1, 1)),
    ]
    assert tax(masters_of(*rules)) == ("S", Decimal(1))


def test_rule_12_a_rule_that_moved_to_another_jurisdiction_has_left_the_first() -> None:
    masters = masters_of().with_records([("master.tax-rules", "TX-NY", replace(TAX_RULE, jurisdiction="US-NJ"))])
    assert codes(masters, entry()) == ["NO_TAX_RULE"]
    assert codes(only(), entry()) == ["UNKNOWN_ENGAGEMENT"]


@pytest.mark.parametrize(
    ("base", "tax_amount"), [("1460.50", "365.13"), ("625743.54", "156435.89"), ("-6491.34", "-1622.84")]
)
def test_figure_half_away_from_zero_at_25_percent(base: str, tax_amount: str) -> None:
    assert str(rounded_money(Decimal(base) * Decimal("0.25"), "EUR")) == tax_amount
