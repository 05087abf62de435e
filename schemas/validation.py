"""Checks the Python form of a record leaf by leaf, to explain why the compiled writer refused it.

Python form: str, int, bool, bytes, Decimal, datetime.date, time-zone-aware datetime, list (or tuple), dict, and None
for an absent optional field.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from schemas import binary
from schemas.converters import Converter, Mismatch, named
from schemas.schema_types import Amount, Boolean, Bytes, Date, Enum, Leaf, Long, Text, Timestamp

_T = TypeVar("_T")


def check_leaf(leaf: Leaf) -> Converter:
    """A converter that gives back the very value it is given, or raises Mismatch."""
    match leaf:
        case Text():
            return _exactly(str, "text", _encodable)
        case Long():
            return _exactly(int, "an int", lambda value: binary.put_long(bytearray(), value))
        case Boolean():
            return _exactly(bool, "true or false")
        case Bytes():
            return _exactly(bytes, "bytes")
        case Date():
            return _exactly(date, "a date")
        case Timestamp():
            return _exactly(datetime, "an instant", lambda value: binary.put_instant(bytearray(), value))
        case Amount(precision, scale):
            return _exactly(Decimal, "a Decimal", binary.decimal_writer(precision, scale))
        case Enum(symbols):
            return one_of(symbols)


def one_of(symbols: tuple[str, ...]) -> Converter:
    """A converter that gives back a symbol of the enum, or raises Mismatch."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in symbols:
            raise Mismatch(f"must be one of {', '.join(symbols)}, not {named(value)}")
        return value

    return check


def _exactly(kind: type[_T], wanted: str, fits: Callable[[_T], object] | None = None) -> Converter:
    def check(value: object) -> object:
        if type(value) is not kind:
            raise Mismatch(f"must be {wanted}, not {named(value)}")
        if fits is not None:
            try:
                fits(value)
            except (TypeError, ValueError, ArithmeticError) as unfit:
                raise Mismatch(f"does not fit: {_said(unfit)}") from None
        return value

    return check


def _encodable(text: str) -> None:
    text.encode()


def _said(unfit: Exception) -> str:
    """Decimal's own signals carry lists of classes for a message."""
    return "its digits cannot be kept" if isinstance(unfit, ArithmeticError) else str(unfit)
