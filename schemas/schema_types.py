"""Avro schemas as a small typed tree, limited to the part of Avro in use here.

The contracts use records, arrays, enums, `["null", T]`, and seven leaf types. `shape_of` refuses the rest of Avro
(maps, wide unions, floats, references by name), which keeps the compiled codec and the JSON form total.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from common.json_types import Json


@dataclass(frozen=True, slots=True)
class Text:
    """Avro string."""


@dataclass(frozen=True, slots=True)
class Long:
    """Avro long: minutes, months, revisions, offsets, ids of upstream systems."""


@dataclass(frozen=True, slots=True)
class Boolean:
    """Avro boolean."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Avro bytes without a logical type: an undecoded Kafka key or value."""


@dataclass(frozen=True, slots=True)
class Date:
    """Avro date."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """Avro timestamp-millis, UTC."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Avro decimal: at most `precision` digits, `scale` of them after the point."""

    precision: int
    scale: int


@dataclass(frozen=True, slots=True)
class Enum:
    """Avro enum."""

    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Optional:
    """`["null", T]`: a field that may be absent."""

    inner: "Shape"


@dataclass(frozen=True, slots=True)
class Array:
    """Avro array."""

    items: "Shape"


@dataclass(frozen=True, slots=True)
class Field:
    """A named field of a record."""

    name: str
    shape: "Shape"


@dataclass(frozen=True, slots=True)
class AvroRecord:
    """Avro record."""

    name: str
    fields: tuple[Field, ...]


Leaf: TypeAlias = Text | Long | Boolean | Bytes | Date | Timestamp | Amount | Enum
Shape: TypeAlias = Leaf | Optional | Array | AvroRecord


def leaf_paths(record: AvroRecord) -> Iterator[str]:
    """The names of all fields in order; those of inner records behind the name of their field and a dot."""
    for field in record.fields:
        inner = field.shape
        while isinstance(inner, Optional | Array):
            inner = inner.inner if isinstance(inner, Optional) else inner.items
        if isinstance(inner, AvroRecord):
            yield from (f"{field.name}.{path}" for path in leaf_paths(inner))
        else:
            yield field.name


_PRIMITIVES: dict[str, Leaf] = {"string": Text(), "long": Long(), "boolean": Boolean(), "bytes": Bytes()}
_MOST_SYMBOLS = 64  # the compiled codec writes an enum's index as one byte


def shape_of(schema: Mapping[str, Json]) -> AvroRecord:
    """The tree of a record schema as written in an `.avsc`; ValueError for Avro that is not in use here."""
    shape = _shape(dict(schema))
    if not isinstance(shape, AvroRecord):
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
            return Array(_shape(schema.get("items")))
        case "enum", None:
            return _choice(schema)
        case "int", "date":
            return Date()
        case "long", "timestamp-millis":
            return Timestamp()
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


def _maybe(union: list[Json]) -> Optional:
    if len(union) != 2 or union[0] != "null":
        raise ValueError(f'the only union in use is ["null", T], not {union}')
    return Optional(_shape(union[1]))


def _choice(schema: dict[str, Json]) -> Enum:
    symbols = schema.get("symbols")
    if not isinstance(symbols, list) or not 0 < len(symbols) <= _MOST_SYMBOLS:
        raise ValueError(f"an enum has 1 to {_MOST_SYMBOLS} symbols: {schema}")
    return Enum(tuple(str(symbol) for symbol in symbols))


def _amount(schema: dict[str, Json]) -> Amount:
    match schema.get("precision"), schema.get("scale"):
        case int(precision), int(scale):
            return Amount(precision, scale)
        case other:
            raise ValueError(f"a decimal states its precision and scale, not {other}")


def _record(schema: dict[str, Json]) -> AvroRecord:
    fields = schema.get("fields")
    if not isinstance(fields, list):
        raise ValueError(f"a record has fields: {schema}")
    return AvroRecord(str(schema.get("name")), tuple(_field(field) for field in fields))


def _field(field: Json) -> Field:
    if not isinstance(field, dict):
        raise ValueError(f"not a field: {field!r}")
    return Field(str(field.get("name")), _shape(field.get("type")))
