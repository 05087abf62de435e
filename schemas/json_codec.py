"""Records as JSON values, both ways, along the schema.

Decimals are strings ("58.374271") or whole numbers, dates `YYYY-MM-DD`, instants ISO 8601 with `Z`, bytes base64;
optional fields may be absent or null, and fields outside the schema are ignored (DOMAIN.md, Conventions). Untrusted
JSON enters here, so nothing is guessed: a fraction for a decimal, a bool for an int, and a digit too many are refused.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from common.decimals import plain
from common.errors import InvalidRecord
from schemas import codec
from schemas.converters import Converter, Mismatch, converter, named
from schemas.schema_types import Amount, Day, Instant, Leaf, Raw
from schemas.validation import check_leaf

_DECIMAL = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?")
_ANY_WHOLE = 10**30  # more than any decimal type holds; Python writes no number of thousands of digits as text
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?Z")


def from_json(topic: str, value: object) -> dict[str, Any]:
    """The record (Python form) that a parsed JSON value says; InvalidRecord names the field path that does not fit."""
    try:
        record: dict[str, Any] = _from_json(topic)(value)
    except Mismatch as mismatch:
        raise InvalidRecord(f"{topic}: {mismatch}") from None
    return record


def to_json(topic: str, record: Mapping[str, object]) -> dict[str, Any]:
    """The JSON value of a record in Python form; absent optional fields become null. InvalidRecord as in `encode`."""
    try:
        value: dict[str, Any] = _to_json(topic)(record)
    except Mismatch as mismatch:
        raise InvalidRecord(f"{topic}: {mismatch}") from None
    return value


@cache
def _from_json(topic: str) -> Converter:
    return converter(codec.shape(topic), _read_leaf, ignore_unknown=True)


@cache
def _to_json(topic: str) -> Converter:
    return converter(codec.shape(topic), _write_leaf)


def _read_leaf(leaf: Leaf) -> Converter:
    match leaf:
        case Amount(precision, scale):
            return _amount(precision, scale)
        case Day():
            return _day
        case Instant():
            return _instant
        case Raw():
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


def _write_leaf(leaf: Leaf) -> Converter:
    check = check_leaf(leaf)
    match leaf:
        case Amount():
            return lambda value: plain(check(value))
        case Day():
            return lambda value: check(value).isoformat()
        case Instant():
            return lambda value: _zulu(check(value))
        case Raw():
            return lambda value: base64.b64encode(check(value)).decode()
        case _:
            return check


def _zulu(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
