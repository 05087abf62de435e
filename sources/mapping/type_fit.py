"""The values that a field of a contract accepts: checks constants and paths before any record arrives."""

import re
from datetime import date, datetime

from schemas.schema_types import Amount, Choice, Day, Flag, Instant, Many, Maybe, Raw, Record, Shape, Text, Whole
from sources.mapping.ast import Scalar

_DECIMAL = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?")
_SAID: dict[type, str] = {
    Text: "text",
    Whole: "a whole number",
    Flag: "true or false",
    Raw: "bytes",
    Day: "a date YYYY-MM-DD",
    Instant: "an instant such as 2014-10-01T00:00:00Z",
    Amount: 'a decimal in quotes, such as "8.5"',
    Many: "a list",
    Record: "a nested record",
}


def said(shape: Shape) -> str:
    """The description of a type."""
    match shape:
        case Maybe(inner):
            return said(inner)
        case Choice(symbols):
            return f"one of {', '.join(symbols)}"
        case _:
            return _SAID[type(shape)]


def takes(wanted: Shape, given: Shape) -> bool:
    """Whether values of one type fit a field of another. Text may contain any type written as text."""
    wanted = wanted.inner if isinstance(wanted, Maybe) else wanted
    given = given.inner if isinstance(given, Maybe) else given
    if isinstance(wanted, Whole | Flag | Raw | Record | Many):
        return type(wanted) is type(given)
    if isinstance(given, Text):
        return True
    return type(wanted) is type(given) or (
        isinstance(wanted, Text) and isinstance(given, Choice | Day | Instant | Amount)
    )


def takes_constant(wanted: Shape, value: Scalar) -> bool:
    """Whether a field accepts this constant."""
    match wanted, value:
        case Flag(), bool():
            return True
        case _, bool():
            return False
        case (Whole(), int()) | (Text(), str()):
            return True
        case Choice(symbols), str():
            return value in symbols
        case ((Day() | Instant() | Amount()), str()):
            return _reads(wanted, value)
        case _:
            return False


def _reads(wanted: Day | Instant | Amount, text: str) -> bool:
    """Whether the contracts' JSON form accepts this text: exactly that, or every record would fail later."""
    match wanted:
        case Amount(precision, scale):
            written = _DECIMAL.fullmatch(text)
            return written is not None and len(written[1]) <= precision - scale and len(written[2] or "") <= scale
        case Instant() if not text.endswith("Z"):
            return False
    try:
        day = date.fromisoformat(text) if isinstance(wanted, Day) else datetime.fromisoformat(text)
    except ValueError:
        return False
    return isinstance(wanted, Instant) or day.isoformat() == text
