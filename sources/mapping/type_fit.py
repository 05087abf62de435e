"""The values that a field of a contract accepts: checks constants and paths before any record arrives."""

import re
from datetime import date, datetime

from schemas.schema_types import (
    Amount,
    Array,
    AvroRecord,
    Boolean,
    Bytes,
    Date,
    Enum,
    Long,
    Optional,
    Shape,
    Text,
    Timestamp,
)
from sources.mapping.ast import Scalar

_DECIMAL = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?")
_SAID: dict[type, str] = {
    Text: "text",
    Long: "a whole number",
    Boolean: "true or false",
    Bytes: "bytes",
    Date: "a date YYYY-MM-DD",
    Timestamp: "an instant such as 2014-10-01T00:00:00Z",
    Amount: 'a decimal in quotes, such as "8.5"',
    Array: "a list",
    AvroRecord: "a nested record",
}


def said(shape: Shape) -> str:
    """The description of a type."""
    match shape:
        case Optional(inner):
            return said(inner)
        case Enum(symbols):
            return f"one of {', '.join(symbols)}"
        case _:
            return _SAID[type(shape)]


def takes(wanted: Shape, given: Shape) -> bool:
    """Whether values of one type fit a field of another. Text may contain any type written as text."""
    wanted = wanted.inner if isinstance(wanted, Optional) else wanted
    given = given.inner if isinstance(given, Optional) else given
    if isinstance(wanted, Long | Boolean | Bytes | AvroRecord | Array):
        return type(wanted) is type(given)
    if isinstance(given, Text):
        return True
    return type(wanted) is type(given) or (
        isinstance(wanted, Text) and isinstance(given, Enum | Date | Timestamp | Amount)
    )


def takes_constant(wanted: Shape, value: Scalar) -> bool:
    """Whether a field accepts this constant."""
    match wanted, value:
        case Boolean(), bool():
            return True
        case _, bool():
            return False
        case (Long(), int()) | (Text(), str()):
            return True
        case Enum(symbols), str():
            return value in symbols
        case ((Date() | Timestamp() | Amount()), str()):
            return _reads(wanted, value)
        case _:
            return False


def _reads(wanted: Date | Timestamp | Amount, text: str) -> bool:
    """Whether the contracts' JSON form accepts this text: exactly that, or every record would fail later."""
    match wanted:
        case Amount(precision, scale):
            written = _DECIMAL.fullmatch(text)
            return written is not None and len(written[1]) <= precision - scale and len(written[2] or "") <= scale
        case Timestamp() if not text.endswith("Z"):
            return False
    try:
        day = date.fromisoformat(text) if isinstance(wanted, Date) else datetime.fromisoformat(text)
    except ValueError:
        return False
    return isinstance(wanted, Timestamp) or day.isoformat() == text
