"""The forms of VAT ids (DOMAIN.md §2 rule 12 and appendix C)."""

from dataclasses import replace
from decimal import Decimal

import pytest
from billing_contracts import (
    CLIENT,
    charges,
    codes,
    engagement,
    entry,
    expense,
    masters_of,
    milestone,
    period,
    tax_rule,
)

from rating.model.master_data import TaxOverride
from rating.vat_ids import EU_COUNTRIES, is_vat_id

GERMAN = engagement(seller_country="DE", seller_tax_jurisdiction="DE")
WELL_FORMED = {
    "AT": ["ATU12345678", "at u1234.5678"],
    "BE": ["BE0123456789", "BE1123456789"],
    "BG": ["BG123456789", "BG1234567890"],
    "CY": ["CY12345678X"],
    "CZ": ["CZ12345678", "CZ123456789", "CZ1234567890"],
    "DE": ["DE123456789", "de 123-456-789"],
    "DK": ["DK12345678"],
    "EE": ["EE123456789"],
    "ES": ["ESA12345678", "ESA1234567B", "ES12345678Z"],
    "FI": ["FI12345678"],
    "FR": ["FR12345678901", "FRXY123456789", "FR1Z123456789"],
    "GR": ["EL123456789"],
    "HR": ["HR12345678901"],
    "HU": ["HU12345678"],
    "IE": ["IE1234567A", "IE1234567AB", "IE1A23456B", "IE1+23456B", "IE1*23456B"],
    "IT": ["IT12345678901"],
    "LT": ["LT123456789", "LT123456789012"],
    "LU": ["LU12345678"],
    "LV": ["LV12345678901"],
    "MT": ["MT12345678"],
    "NL": ["NL123456789B01"],
    "PL": ["PL1234567890"],
    "PT": ["PT123456789"],
    "RO": ["RO12", "RO1234567890"],
    "SE": ["SE123456789012"],
    "SI": ["SI12345678"],
    "SK": ["SK1234567890"],
}
ILL_FORMED = [
    ("AT", "AT12345678"),
    ("BE", "BE2123456789"),
    ("BG", "BG12345678901"),
    ("CY", "CY123456789"),
    ("CZ", "CZ1234567"),
    ("DE", "DE12345678"),
    ("DE", "DE1234567890"),
    ("DE", "EE123456789"),
    ("DE", "DE\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669"),
    ("DE", "DE123456789\n"),
    ("DE", "DE/123456789"),
    ("EE", "EE57209345"),
    ("ES", "ES123456789"),
    ("ES", "ESA1234567"),
    ("FR", "FRIO123456789"),
    ("FR", "FR1I123456789"),
    ("GR", "GR123456789"),
    ("IE", "IE1/23456B"),
    ("IE", "IE1234567ABC"),
    ("IE", "IE+123456B"),
    ("LT", "LT1234567890"),
    ("NL", "NL123456789A01"),
    ("RO", "RO1"),
    ("RO", "RO12345678901"),
    ("DE", "   "),
]


def test_every_country_of_the_eu_has_a_form() -> None:
    assert WELL_FORMED.keys() == EU_COUNTRIES
    assert len(EU_COUNTRIES) == 27


@pytest.mark.parametrize("country", sorted(EU_COUNTRIES))
def test_a_well_formed_id_is_of_its_country_only(country: str) -> None:
    for text in WELL_FORMED[country]:
        assert is_vat_id(text, country)
        assert [other for other in EU_COUNTRIES - {country} if is_vat_id(text, other)] == []


@pytest.mark.parametrize(("country", "text"), ILL_FORMED)
def test_an_ill_formed_id_is_none(country: str, text: str) -> None:
    assert not is_vat_id(text, country)


def test_rule_12_a_client_with_an_ill_formed_id_has_its_subjects_parked() -> None:
    masters = masters_of(GERMAN, replace(CLIENT, country="FR", tax_jurisdiction="FR", vat_id="FR1"))
    for fact in (entry("a", 60), expense("10")):
        assert codes(masters, fact) == ["INVALID_VAT_ID"]
    assert codes(masters, entry("a", 60, billable=False)) == [None]
    assert codes(masters, milestone()) == ["UNKNOWN_MILESTONE"]
    fixed = masters_of(replace(GERMAN, billing_method="fixed_fee"), masters.clients["CL1"])
    assert codes(fixed, entry("a", 60)) == ["INVALID_VAT_ID"]
    assert codes(fixed, period()) == []


def test_rule_12_only_where_the_id_decides() -> None:
    french = replace(CLIENT, country="FR", tax_jurisdiction="FR", vat_id="FR1")
    override = TaxOverride(category="Z", rate=Decimal(0), reason="agreed")
    for contract, client in (
        (replace(GERMAN, tax_override=override), french),
        (replace(GERMAN, seller_country="US"), french),
        (GERMAN, replace(french, country="US")),
    ):
        assert charges(masters_of(contract, client), entry("a", 60))["a"].tax_category in {"Z", "O"}
    home = tax_rule("FR", "FR", "20", engagement().starts_on)
    found = charges(masters_of(replace(GERMAN, seller_country="FR"), french, home), entry("a", 60))["a"]
    assert (found.tax_category, found.tax_rate) == ("S", Decimal(20))
