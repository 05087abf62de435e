"""Amounts, hours and zones as pages show them."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from common.ciphertext import unopened
from console.access.authentication import Access
from console.access.flash import leading_back, said_to
from console.access.settings import AccessSettings
from console.access.user import User
from console.pages.rendering import _in_zone, about, hours, link, money, plain_number, shown, zone_of
from warehouse.queries.sql import StoredText

TOKEN = "person:" + "a" * 26


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


ADA = User("ada", frozenset({"viewer"}), sees_rates=True)


def of_login(query: str, csrf: str = "a login's own", user: User | None = ADA) -> Request:
    """A request of somebody who is logged in, or of nobody."""
    app = SimpleNamespace(state=SimpleNamespace(access=ACCESS))
    state = {"user": user, "csrf": csrf}
    return Request({"type": "http", "headers": [], "query_string": query.encode(), "app": app, "state": state})


ACCESS = Access(AccessSettings.load(), "http://127.0.0.1", None, None)


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", ""])
def test_a_form_leads_to_our_own_pages_only(elsewhere: str) -> None:
    assert leading_back(of_login(""), ADA, elsewhere, "done").startswith("/?said=done&mark=")


def test_a_form_leads_back_with_what_it_did() -> None:
    onwards = leading_back(of_login(""), ADA, "/causes?code=X&said=old&mark=old", "it is")
    path, _, query = onwards.partition("?")
    assert (path, query.rpartition("&mark=")[0]) == ("/causes", "code=X&said=it+is")
    assert said_to(of_login(query)) == "it is"
    changed = query.replace("it+is", "it+was")
    for request in (of_login(changed), of_login(query, "another login's"), of_login(query, user=None)):
        assert said_to(request) == ""
    for made_up in ("said=it+is", "said=it+is&mark=", "said=it+is&mark=%C3%A4"):
        assert said_to(of_login(made_up)) == ""


def test_what_was_not_stored_is_never_opened() -> None:
    def read(text: str) -> str:
        return text.replace(TOKEN, "Ada")

    assert shown(StoredText(f"who is {TOKEN}"), read) == "who is Ada"
    assert shown(f"who is {TOKEN}", read) == f"who is {TOKEN}"
    assert shown(f"{StoredText(TOKEN)}!", read) == f"{TOKEN}!"


@pytest.mark.parametrize(
    ("stored", "on_the_page"),
    [
        (f"sealed:{TOKEN}:A", f"sealed:{TOKEN}:A"),
        (f"sealed:{TOKEN}:{'A' * 5} more", f"sealed:{TOKEN}:AAAAA more"),
        (f"sealed:{TOKEN}:AAAA", TOKEN),
        ("sealed:person:", "sealed:person:"),
        ("a\u202eb", "a[U+202E]b"),
        ("a\x00b\x1b[0m", "a[U+0000]b[U+001B][0m"),
        ("a\ud800b", "a[U+D800]b"),
        ("x" * 6000, "x" * 5000 + " … (6,000 characters)"),
    ],
)
def test_any_stored_text_is_shown(stored: str, on_the_page: str) -> None:
    assert shown(StoredText(stored), unopened) == on_the_page


def test_amounts_and_instants_of_any_kind_are_shown() -> None:
    assert money(Decimal("NaN"), "EUR") == "NaN"
    assert money(Decimal("Infinity"), "XXX") == "Infinity"
    assert money(Decimal("1e30"), "EUR").startswith("1,000,000")
    west, east = ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    assert (_in_zone(first, west), _in_zone(last, east)) == (first, last)
