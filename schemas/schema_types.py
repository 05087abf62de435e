"""Avro schemas as a small typed tree, limited to the part of Avro in use here.

The contracts use records, arrays, enums, `["null", T]`, and seven leaf types. `shape_of` refuses the rest of Avro
(maps, wide unions, floats, references by name), which keeps the compiled codec and the JSON form total.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from common.json_types import Json


@dataclass(frozen=True, slots=True)
class Text:
    """Avro string."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Avro long: minutes, months, revisions, offsets, ids of upstream systems."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Avro boolean."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Avro bytes without a logical type: an undecoded Kafka key or value."""


@dataclass(frozen=True, slots=True)
class Day:
    """Avro date."""


@dataclass(frozen=True, slots=True)
class Instant:
    """Avro timestamp-millis, UTC."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Avro decimal: at most `precision` digits, `scale` of them after the point."""

    precision: int
    scale: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Avro enum."""

    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Maybe:
    """`["null", T]`: a field that may be absent."""

    inner: "Shape"


@dataclass(frozen=True, slots=True)
class Many:
    """Avro array."""

    items: "Shape"


@dataclass(frozen=True, slots=True)
class Field:
    """A named field of a record."""

    name: str
    shape: "Shape"


@dataclass(frozen=True, slots=True)
class Record:
    """Avro record."""

    name: str
    fields: tuple[Field, ...]


Leaf: TypeAlias = Text | Whole | Flag | Raw | Day | Instant | Amount | Choice
Shape: TypeAlias = Leaf | Maybe | Many | Record

_PRIMITIVES: dict[str, Leaf] = {"string": Text(), "long": Whole(), "boolean": Flag(), "bytes": Raw()}
_MOST_SYMBOLS = 64  # the compiled codec writes an enum's index as one byte


def shape_of(schema: Mapping[str, Json]) -> Record:
    """The tree of a record schema as written in an `.avsc`; ValueError for Avro that is not in use here."""
    shape = _shape(dict(schema))
    if not isinstance(shape, Record):
        raise ValueError(f"a contract is a record, not {shape}")
    return shape


def _shape(schema: Json) -> Shape:
    if isinstance(schema, str):
        return _primitive(schema)
    if isinstance(schema, list):
        return _maybe(schema)
    if not isinstance(schema, dict):
        raise ValueError(f"not an Avro schema: {schema!r}")
    match schema.get("type"), schema.get("logicalType"):
        case "record", None:
            return _record(schema)
        case "array", None:
            return Many(_shape(schema.get("items")))
        case "enum", None:
            return _choice(schema)
        case "int", "date":
            return Day()
        case "long", "timestamp-millis":
            return Instant()
        case "bytes", "decimal":
            return _amount(schema)
        case str(name), None:
            return _primitive(name)
        case other:
            raise ValueError(f"Avro type {other} is not in use in these contracts")


def _primitive(name: str) -> Leaf:
    if name not in _PRIMITIVES:
        raise ValueError(f"Avro type {name!r} is not in use in these contracts")
    return _PRIMITIVES[name]


def _maybe(union: list[Json]) -> Maybe:
    if len(union) != 2 or union[0] != "null":
        raise ValueError(f'the only union in use is ["null", T], not {union}')
    return Maybe(_shape(union[1]))


def _choice(schema: dict[str, Json]) -> Choice:
    symbols = schema.get("symbols")
    if not isinstance(symbols, list) or not 0 < len(symbols) <= _MOST_SYMBOLS:
        raise ValueError(f"an enum has 1 to {_MOST_SYMBOLS} symbols: {schema}")
    return Choice(tuple(str(symbol) for symbol in symbols))


def _amount(schema: dict[str, Json]) -> Amount:
    match schema.get("precision"), schema.get("scale"):
        case int(precision), int(scale):
            return Amount(precision, scale)
        case other:
            raise ValueError(f"a decimal states its precision and scale, not {other}")


def _record(schema: dict[str, Json]) -> Record:
    fields = schema.get("fields")
    if not isinstance(fields, list):
        raise ValueError(f"a record has fields: {schema}")
    return Record(str(schema.get("name")), tuple(_field(field) for field in fields))


def _field(field: Json) -> Field:
    if not isinstance(field, dict):
        raise ValueError(f"not a field: {field!r}")
    return Field(str(field.get("name")), _shape(field.get("type")))
