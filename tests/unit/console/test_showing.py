"""Amounts, hours and zones as pages show them."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from console.pages.decisions import _back
from console.pages.rendering import about, hours, link, money, plain_number, zone_of


def asked(cookie: str) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", cookie.encode())]})


def test_amounts_are_rounded_to_the_currency() -> None:
    assert money(Decimal("96300.005"), "EUR") == "96,300.01"
    assert money(Decimal("96300.5"), "JPY") == "96,301"
    assert money(Decimal("-1.0005"), "KWD") == "-1.001"
    assert (money(None, "EUR"), about(Decimal("96300.4")), hours(90)) == ("", "96,300", "1.50")
    assert plain_number(Decimal("1200.500000")) == "1,200.5"
    assert plain_number(Decimal("100")) == "100"


@pytest.mark.parametrize(
    "name", ["", "Nowhere/City", "../../etc/passwd", "/etc/passwd", "a\\b", "zone\x00", "x" * 5000]
)
def test_a_zone_that_is_none_is_utc(name: str) -> None:
    assert str(zone_of(asked(f"zone={name}"))) == "UTC"


def test_a_browser_tells_its_zone() -> None:
    assert zone_of(asked("zone=Europe/Berlin")) == ZoneInfo("Europe/Berlin")
    assert zone_of(asked("a=b; zone=America%2FNew_York")) == ZoneInfo("America/New_York")


def test_addresses_leave_out_what_says_nothing() -> None:
    assert link("/x", a="1 2", b=None, c="", d="&") == "/x?a=1+2&d=%26"


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", ""])
def test_a_form_leads_to_our_own_pages_only(elsewhere: str) -> None:
    assert _back(elsewhere, "done").headers["location"] == "/?said=done"


def test_a_form_leads_back_with_what_it_did() -> None:
    assert _back("/causes?code=X&said=old", "it is").headers["location"] == "/causes?code=X&said=it+is"
