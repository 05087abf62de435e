"""Records as JSON values, both ways, along the schema.

Decimals are strings ("58.374271") or whole numbers, dates `YYYY-MM-DD`, instants ISO 8601 with `Z`, bytes base64;
optional fields may be absent or null, and fields outside the schema are ignored (DOMAIN.md, Conventions). Untrusted
JSON enters here, so nothing is guessed: a fraction for a decimal, a bool for an int, and a digit too many are refused.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from common.decimals import plain
from common.errors import InvalidRecord
from schemas import codec
from schemas.converters import Converter, Mismatch, converter
from schemas.json_leaves import read_leaf
from schemas.schema_types import Amount, Bytes, Date, Leaf, Timestamp
from schemas.validation import check_leaf

_MOST_TOLD = 20  # faults of one record


def from_json(topic: str, value: object) -> dict[str, Any]:
    """The record (Python form) that a parsed JSON value says; InvalidRecord names every value that does not fit."""
    try:
        record: dict[str, Any] = _from_json(topic)(value)
    except Mismatch as mismatch:
        raise InvalidRecord(f"{topic}: {_all_of(topic, value) or mismatch}") from None
    return record


def _all_of(topic: str, value: object) -> str:
    """What is wrong with a record that does not fit, the first of it for one with more faults than anybody reads."""
    from schemas.models import errors_of  # pydantic is needed for what does not fit only, and slow to start

    errors = errors_of(topic, value)
    more = f"; and {len(errors) - _MOST_TOLD:,} more" if len(errors) > _MOST_TOLD else ""
    return "; ".join(errors[:_MOST_TOLD]) + more


def to_json(topic: str, record: Mapping[str, object]) -> dict[str, Any]:
    """The JSON value of a record in Python form; absent optional fields become null. InvalidRecord as in `encode`."""
    try:
        value: dict[str, Any] = _to_json(topic)(record)
    except Mismatch as mismatch:
        raise InvalidRecord(f"{topic}: {mismatch}") from None
    return value


@cache
def _from_json(topic: str) -> Converter:
    return converter(codec.shape(topic), read_leaf, ignore_unknown=True)


@cache
def _to_json(topic: str) -> Converter:
    return converter(codec.shape(topic), _write_leaf)


def _write_leaf(leaf: Leaf) -> Converter:
    check = check_leaf(leaf)
    match leaf:
        case Amount():
            return lambda value: plain(check(value))
        case Date():
            return lambda value: check(value).isoformat()
        case Timestamp():
            return lambda value: _zulu(check(value))
        case Bytes():
            return lambda value: base64.b64encode(check(value)).decode()
        case _:
            return check


def _zulu(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
