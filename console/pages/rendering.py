"""How things look on a page: templates, money, minutes, and instants in the zone of who is looking."""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from markupsafe import Markup, escape

from common.ciphertext import unopened
from console.access.csrf import csrf_token
from console.access.user import User
from privacy.decrypt import Reading
from rating.model.money import rounded_money

HERE = Path(__file__).parents[1]
ZONE_COOKIE = "zone"

Reader = Callable[[str], str]

_templates = Jinja2Templates(directory=HERE / "templates")
_reader: ContextVar[Reader] = ContextVar("reader", default=unopened)


def zone_of(request: Request) -> tzinfo:
    """The zone that the browser told in its cookie, else UTC."""
    name = request.cookies.get(ZONE_COOKIE, "").strip('"').replace("%2F", "/")
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):  # no such zone
        return UTC


def money(amount: Decimal | None, currency: str | None) -> str:
    """An amount rounded to its currency's minor unit, thousands set apart; nothing for None."""
    if amount is None:
        return ""
    try:
        return f"{rounded_money(amount, currency or 'EUR'):,}"
    except KeyError:
        return f"{amount:,.2f}"


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
    """A path with those parameters that say something."""
    said = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(said)}" if said else path


def reader(request: Request) -> Reader:
    """What makes a text of this request's page readable: names where the console has the key, tokens where not."""
    vault = request.app.state.vault
    return unopened if vault is None else Reading(vault).shown


def _readable(value: object) -> object:
    """Every value that a template puts out, before it is escaped."""
    return _reader.get()(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def as_is(value: object) -> Markup:
    """A value that a form sends back, which must be what it was."""
    return escape("" if value is None else value)


def _zone_name(request: Request) -> str:
    zone = zone_of(request)
    return getattr(zone, "key", "UTC")


def render(request: Request, user: User, name: str, status_code: int = 200, **context: object) -> HTMLResponse:
    """A page from its template, personal data opened where the console has the key."""
    _reader.set(reader(request))
    zone = zone_of(request)

    def when(at: datetime | None, form: str = "%Y-%m-%d %H:%M") -> str:
        if at is None:
            return ""
        try:
            return at.astimezone(zone).strftime(form)
        except OverflowError:  # the first and the last hours of the calendar are in no other zone
            return at.strftime(form)

    return _templates.TemplateResponse(
        request,
        name,
        {
            "user": user,
            "when": when,
            "zone": _zone_name(request),
            "csrf": csrf_token(request),
            "said": request.query_params.get("said", ""),
            **context,
        },
        status_code=status_code,
    )


_templates.env.finalize = _readable
_templates.env.filters.update(as_is=as_is, about=about, hours=hours, count=count, plain_number=plain_number)
_templates.env.globals.update(money=money, link=link)
_templates.env.trim_blocks = _templates.env.lstrip_blocks = True
