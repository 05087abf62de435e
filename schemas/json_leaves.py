"""Leaves of records in their JSON form, read strictly: nothing is guessed. `schemas.json_codec` says which form."""

import base64
import binascii
import re
from datetime import UTC, date, datetime
from decimal import Decimal

from schemas.converters import Converter, Mismatch, named
from schemas.schema_types import Amount, Bytes, Date, Leaf, Timestamp
from schemas.validation import check_leaf

_DECIMAL = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?")
_ANY_WHOLE = 10**30  # more than any decimal type holds; Python writes no number of thousands of digits as text
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?Z")


def read_leaf(leaf: Leaf) -> Converter:
    """The reader of a leaf in its JSON form; it raises Mismatch."""
    match leaf:
        case Amount(precision, scale):
            return _amount(precision, scale)
        case Date():
            return _day
        case Timestamp():
            return _instant
        case Bytes():
            return _raw
        case _:
            return check_leaf(leaf)


def _text(value: object, wanted: str) -> str:
    if not isinstance(value, str):
        raise Mismatch(f"must be {wanted}, not {named(value)}")
    return value


def _amount(precision: int, scale: int) -> Converter:
    wanted = 'a decimal in a string, such as "58.374271", or a whole number'

    def read(value: object) -> Decimal:
        if type(value) is int and abs(value) < _ANY_WHOLE:
            value = str(value)
        written = _DECIMAL.fullmatch(_text(value, wanted))
        if written is None:
            raise Mismatch(f"must be {wanted}, not {named(value)}")
        whole, places = written[1].lstrip("0"), written[2] or ""
        if len(places) > scale:
            raise Mismatch(f"has {len(places)} decimals, at most {scale} are kept")
        if len(whole) > precision - scale:
            raise Mismatch(f"has {len(whole)} digits before the point, at most {precision - scale} are kept")
        return Decimal(written[0])

    return read


def _day(value: object) -> date:
    text = _text(value, "a date YYYY-MM-DD")
    try:
        # fromisoformat alone would also take other ISO forms, such as 20200131
        return date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise Mismatch(f"must be a date YYYY-MM-DD, not {named(value)}") from None


def _instant(value: object) -> datetime:
    wanted = "an instant in UTC, at most milliseconds, such as 2024-01-31T23:57:18.000Z"
    text = _text(value, wanted)
    try:
        return datetime.fromisoformat(text if _INSTANT.fullmatch(text) else "").astimezone(UTC)
    except ValueError:
        raise Mismatch(f"must be {wanted}, not {named(value)}") from None


def _raw(value: object) -> bytes:
    try:
        return base64.b64decode(_text(value, "bytes in base64"), validate=True)
    except (binascii.Error, ValueError):
        raise Mismatch("must be bytes in base64") from None
