"""Rendering of pages: templates, money, minutes, and instants in the user's time zone."""

import re
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from markupsafe import Markup, escape

from common.ciphertext import unopened
from console.access.csrf import csrf_token
from console.access.flash import said_to
from console.access.user import User
from console.visibility import visible
from privacy.decrypt import Reading
from rating.model.money import rounded_money
from warehouse.queries.sql import StoredText

HERE = Path(__file__).parents[1]
ZONE_COOKIE = "zone"

Reader = Callable[[str], str]

_LONGEST_SHOWN = 5_000
# Control characters, lone surrogates, and what turns the direction of the text behind it.
_UNSHOWABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

_templates = Jinja2Templates(directory=HERE / "templates")
_reader: ContextVar[Reader] = ContextVar("reader", default=unopened)


def zone_of(request: Request) -> tzinfo:
    """The zone in the browser's cookie, else UTC."""
    name = request.cookies.get(ZONE_COOKIE, "").strip('"').replace("%2F", "/")
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):  # no such zone
        return UTC


def money(amount: Decimal | None, currency: str | None) -> str:
    """An amount rounded to its currency's minor unit, thousands set apart; nothing for None."""
    if amount is None:
        return ""
    return f"{rounded_money(amount, currency or 'EUR') if amount.is_finite() else amount:,}"


def about(amount: Decimal | None) -> str:
    """An estimate: to no more digits than it deserves."""
    return "" if amount is None else f"{amount:,.0f}"


def hours(minutes: int | None) -> str:
    """Minutes as hours with two decimals."""
    return "" if minutes is None else f"{Decimal(minutes) / 60:,.2f}"


def count(number: int) -> str:
    """A number with its thousands set apart."""
    return f"{number:,}"


def plain_number(number: Decimal | None) -> str:
    """A rate or factor without trailing zeros."""
    return "" if number is None else f"{number.normalize():,f}"


def link(path: str, **parameters: object) -> str:
    """A path with its non-empty parameters."""
    said = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(said)}" if said else path


def reader(request: Request, user: User) -> Reader:
    """The function that makes a stored text readable: names if the console has the key and the user the right, else
    tokens.

    It queries on the connection of the page in progress; without a connection nothing is decrypted.
    """
    vault, cursor = request.app.state.vault, getattr(request.state, "cursor", None)
    if vault is None or cursor is None or not user.sees_names:
        return unopened
    return Reading(vault, cursor).shown


def shown(value: str, read: Reader) -> str:
    """A text for a page or file: decrypted if it comes from the database, unchanged otherwise.

    Characters that would hide or reorder the text around them are written out, and very long texts are cut.
    """
    text = read(value) if isinstance(value, StoredText) else unopened(value)
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[:_LONGEST_SHOWN]} … ({len(text):,} characters)"
    return _UNSHOWABLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def _readable(value: object) -> object:
    """Every value that a template puts out, before it is escaped."""
    return shown(value, _reader.get()) if isinstance(value, str) and not isinstance(value, Markup) else value


def as_is(value: object) -> Markup:
    """A value that a form sends back, and that must stay unchanged."""
    return escape("" if value is None else value)


def segment(value: str) -> Markup:
    """An id as one part of a path."""
    return Markup(quote(value, safe=""))  # noqa: S704 - nothing that HTML knows is left in it


def _in_zone(at: datetime, zone: tzinfo) -> datetime:
    """The instant in the zone; at the ends of the calendar, where the zone has none, in UTC."""
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at.astimezone(UTC)


def _zone_name(request: Request) -> str:
    zone = zone_of(request)
    return getattr(zone, "key", "UTC")


def render(request: Request, user: User, name: str, status_code: int = 200, **context: object) -> HTMLResponse:
    """A page from its template, limited to what the user may see; names are decrypted if the user may see them."""
    _reader.set(reader(request, user))
    zone = zone_of(request)

    def when(at: datetime | None, form: str = "%Y-%m-%d %H:%M") -> str:
        return "" if at is None else _in_zone(at, zone).strftime(form)

    return _templates.TemplateResponse(
        request,
        name,
        {
            "user": user,
            "when": when,
            "zone": _zone_name(request),
            "csrf": csrf_token(request),
            "said": said_to(request),
            **{key: visible(value, user) for key, value in context.items()},
        },
        status_code=status_code,
    )


_templates.env.finalize = _readable
_templates.env.filters.update(
    as_is=as_is, segment=segment, about=about, hours=hours, count=count, plain_number=plain_number
)
_templates.env.globals.update(money=money, link=link)
_templates.env.trim_blocks = _templates.env.lstrip_blocks = True
