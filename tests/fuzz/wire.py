"""Writes records as a producer may that checks nothing: any value of a field may stand as bytes of its own."""

from dataclasses import dataclass
from typing import Any

from schemas import binary
from schemas.codec import header, shape
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


@dataclass(frozen=True, slots=True)
class PlantedBytes:
    """PlantedBytes in place of a value; with `union`, also in place of the branch of its union."""

    data: bytes
    union: bool = False


def written(topic: str, record: dict[str, Any]) -> bytes:
    """A record in Python form in the Confluent wire format; each `PlantedBytes` in it as it is."""
    out = bytearray(header(topic))
    _write(out, shape(topic), record)
    return bytes(out)


def _write(out: bytearray, of: Shape, value: Any) -> None:  # noqa: ANN401 - whatever the shape is of
    if isinstance(value, PlantedBytes) and (value.union or not isinstance(of, Optional)):
        out += value.data
        return
    match of:
        case Text():
            out += binary.span(value.encode())
        case Bytes():
            out += binary.span(value)
        case Long():
            out += binary.long(value)
        case Boolean():
            out.append(value)
        case Date():
            out += binary.long(value.toordinal() - binary.EPOCH_ORDINAL)
        case Timestamp():
            binary.put_instant(out, value)
        case Amount(precision, scale):
            out += binary.decimal_writer(precision, scale)(value)
        case Enum(symbols):
            out += binary.long(symbols.index(value))
        case Optional(inner):
            out += binary.long(0 if value is None else 1)
            if value is not None:
                _write(out, inner, value)
        case Array(items):
            if value:
                out += binary.long(len(value))
                for item in value:
                    _write(out, items, item)
            out += binary.long(0)
        case AvroRecord(_, members):
            for member in members:
                _write(out, member.shape, value[member.name])
