"""Reads records of earlier versions of a topic's schema as its present version.

A topic is never rewritten and no record on it expires, so its first version must stay readable. Each record is read
with its own compiled reader, and its fields are carried over by name.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from schemas.compiler import Reader, reader
from schemas.registry import FileRegistry
from schemas.schema_types import Array, AvroRecord, Enum, Optional, Shape, shape_of

Carry: TypeAlias = Callable[[Any], Any]


def earlier_readers(registry: FileRegistry, subject: str) -> dict[bytes, Reader]:
    """{header: reader} of the records that may lie on the subject's topic beside those of its present version.

    Also those of before a registry gave other ids. Raises ValueError for a version that cannot be read any more.
    """
    found: dict[bytes, Reader] = {}
    ids, own = registry.ids_of(subject), registry.own_ids_of(subject)
    for schema_id in ids:
        found[header_of(schema_id)] = _reader(registry, subject, schema_id)
    for schema_id, own_id in zip(ids, own, strict=True):
        found.setdefault(header_of(own_id), found[header_of(schema_id)])
    del found[header_of(ids[-1])]
    return found


def header_of(schema_id: int) -> bytes:
    """The first bytes of a record written under the id."""
    return b"\x00" + schema_id.to_bytes(4, "big")


def _reader(registry: FileRegistry, subject: str, schema_id: int) -> Reader:
    written = shape_of(registry.schema_of(schema_id))
    now = shape_of(registry.schema_of(registry.id_of(subject)))
    try:
        carry = carrier(written, now)
    except ValueError as cannot:
        raise ValueError(f"records of {subject} under id {schema_id} cannot be read: {cannot}") from None
    read = reader(written)

    def read_and_carry(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        record, end = read(data, at)
        return carry(record), end

    return read_and_carry


def carrier(written: Shape, now: Shape) -> Carry:
    """A function from values of one shape to values of another; ValueError where not every value has one."""
    match written, now:
        case AvroRecord(), AvroRecord():
            return _record(written, now)
        case Array(before), Array(after):
            item = carrier(before, after)
            return lambda values: [item(value) for value in values]
        case Optional(before), Optional(after):
            return _maybe(carrier(before, after))
        case _, Optional(after) if not isinstance(written, Optional):
            return carrier(written, after)
        case Enum(before), Enum(after) if set(before) <= set(after):
            return _as_it_is
    if written != now:
        raise ValueError(f"{written} is not {now}")
    return _as_it_is


def _as_it_is(value: Any) -> Any:  # noqa: ANN401 - whatever the codec gives
    return value


def _maybe(carry: Carry) -> Carry:
    return lambda value: None if value is None else carry(value)


def _record(written: AvroRecord, now: AvroRecord) -> Carry:
    before = {field.name: field.shape for field in written.fields}
    fields: list[tuple[str, Carry | None]] = []
    for field in now.fields:
        if field.name in before:
            try:
                fields.append((field.name, carrier(before[field.name], field.shape)))
            except ValueError as cannot:
                raise ValueError(f"{field.name}: {cannot}") from None
        elif isinstance(field.shape, Optional):
            fields.append((field.name, None))
        else:
            raise ValueError(f"{field.name} is not in it")
    return lambda record: {name: None if carry is None else carry(record[name]) for name, carry in fields}
