"""Extreme and malformed values of each type: on a bound and beyond it, at the ends of 64 bits and of the calendar.

Some break every contract, whatever the field's name is (`broken`). Of the others the contract decides.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from schemas import binary
from schemas.schema_types import (
    Amount,
    Array,
    AvroRecord,
    Boolean,
    Bytes,
    Date,
    Enum,
    Leaf,
    Long,
    Optional,
    Shape,
    Text,
    Timestamp,
)
from tests.contract.schema_records import sample
from tests.fuzz.wire import PlantedBytes

HUGE = 600_000  # characters: over the bound of an upstream record, and with the rest near the broker's
Path = tuple[str | int, ...]


class Extreme(NamedTuple):
    """A value, and whether it breaks the contract of every topic, of facts only, or perhaps of none."""

    value: Any
    broken: bool = False
    broken_fact: bool = False


def _bytes(data: bytes) -> Extreme:
    return Extreme(PlantedBytes(data), broken=True)


_OVERLONG = _bytes(b"\xff" * 10 + b"\x01")
_TEXTS = [
    *(Extreme(text, broken=True) for text in ("\0", "nu\0l", "x" * 300 + "\0")),
    *(_bytes(binary.span(raw)) for raw in (b"\xed\xa0\x80", b"\xed\xbf\xbf\xed\xa0\x80", b"\xff\xfe", b"\xc0\x80")),
    *(_bytes(raw) for raw in (binary.long(-1), binary.long(2**62), binary.long(2**63 - 1))),
    *(Extreme("x" * n, broken_fact=True) for n in (4_001, 10_000, HUGE)),
    *map(
        Extreme,
        (
            "", " ", "x", "x" * 200, "x" * 201, "x" * 501, "x" * 4_000, "𝔘" * 200, "𝔘" * 201, "é", "e\u0301",
            "[/x]", "[bold", "'; DROP TABLE x; --", "{{7*7}}", "<script>", "%s%n", "=1+1", "\ufeff=1+1", "-",
            "sealed:person:", "sealed:person:x:y", "\x01\x1b[31m", "\u202e\u2028", "\uffff\U0010ffff", "a/b", "a:b:c",
            "../../x", "a|b", "0", "-1", "1e400", "NaN", "9" * 400, "1:30", "1,234", "٣", "true", "null", "[]", "{}",
            "0001-01-01", "9999-12-31", "10000-01-01", "2024-02-30", "0001-01-01T00:00:00.000+1400", "9999-12",
            "9999-12-31T23:59:59.999-2359", "0000-00", "time:", "time:x", "fee:9999-12", "EUR", "US", "USDUSD",
        ),
    ),
]  # fmt: skip
_WHOLES = [
    _OVERLONG,
    *map(Extreme, (0, 1, -1, 60, 1440, 1441, 100_001, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**62, -(2**62))),
    *map(Extreme, (2**63 - 1, -(2**63))),
]
_DAYS = [
    *map(Extreme, (date.min, date.max, date(1900, 2, 28), date(2024, 2, 29))),
    *(_bytes(binary.long(n)) for n in (-719_163, 2_932_897, 2**31 - 1, -(2**31), 2**62, -(2**63))),
    _OVERLONG,
]
_INSTANTS = [
    *map(Extreme, (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC))),
    *map(Extreme, (datetime(1, 1, 1, 12, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))),
    *(_bytes(binary.long(n)) for n in (-62_135_596_800_001, 253_402_300_800_000, 2**62, 2**63 - 1, -(2**63))),
]


def of_leaf(leaf: Leaf) -> list[Extreme]:
    """The extremes of a leaf."""
    match leaf:
        case Text():
            return _TEXTS
        case Long():
            return _WHOLES
        case Boolean():
            return [Extreme(True), Extreme(False), Extreme(PlantedBytes(b"\x02")), Extreme(PlantedBytes(b"\xff"))]
        case Bytes():
            return [Extreme(b""), Extreme(b"\0" * 1_000), Extreme(b"x" * HUGE), _bytes(binary.long(-1))]
        case Date():
            return _DAYS
        case Timestamp():
            return _INSTANTS
        case Amount(precision, scale):
            most, least = Decimal(f"{10**precision - 1}e-{scale}"), Decimal(f"1e-{scale}")
            over = (10**precision).to_bytes(20, "big", signed=True)
            return [
                *map(Extreme, (most, -most, least, -least, Decimal(0), Decimal(1), Decimal(-1), Decimal("1e11"))),
                *(_bytes(binary.span(raw)) for raw in (b"", over, b"\x7f" * 100, b"\x80" * 100)),
            ]
        case Enum(symbols):
            return [*map(Extreme, symbols), *(_bytes(binary.long(n)) for n in (len(symbols), -1, 63, 2**62))]


def of_shape(shape: Shape) -> list[Extreme]:
    """The extremes of a value of any shape; of a list and of a union those beside the ones of what is in it."""
    match shape:
        case Optional():
            return [Extreme(None), *(Extreme(PlantedBytes(raw, union=True), broken=True) for raw in (b"\x04", b"\x01"))]
        case Array(items):
            one = sample(items)
            large = (_bytes(binary.long(n)) for n in (2**40, 2**62))
            return [Extreme([]), Extreme([one] * 2), Extreme([one] * 501), Extreme([one] * 20_001), *large]
        case AvroRecord():
            return []
        case _:
            return of_leaf(shape)


def places(shape: Shape, path: Path = ()) -> Iterator[tuple[Path, Shape]]:
    """(path, shape) of every value in a record with one element in each list, records themselves left out."""
    match shape:
        case AvroRecord():
            for member in shape.fields:
                yield from places(member.shape, (*path, member.name))
        case Optional(inner):
            yield path, shape
            yield from places(inner, path)
        case Array(items):
            yield path, shape
            yield from places(items, (*path, 0))
        case _:
            yield path, shape


def replaced(shape: Shape, value: Any, path: Path, new: Any) -> Any:  # noqa: ANN401 - whatever the shape is of
    """A copy of a value with another one at a path; what is absent on the way is made."""
    if not path:
        return new
    match shape:
        case Optional(inner):
            return replaced(inner, sample(inner) if value is None else value, path, new)
        case Array(items):
            first, *rest = value or [sample(items)]
            return [replaced(items, first, path[1:], new), *rest]
        case AvroRecord(_, members):
            (inner,) = (member.shape for member in members if member.name == path[0])
            return {**value, path[0]: replaced(inner, value[path[0]], path[1:], new)}
        case _:
            raise ValueError(f"no value at {path}")
