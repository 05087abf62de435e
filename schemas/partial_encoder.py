"""Encodes runs of consecutive fields by themselves, for records whose greater part repeats.

A writer of many such records encodes the repeated parts once and puts them between the others.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.codec import shape
from schemas.compiler import writer
from schemas.schema_types import Array, AvroRecord

RunEncoder = Callable[[Mapping[str, Any]], bytes]


def run(topic: str, *paths: str) -> RunEncoder:
    """Encodes a record with exactly these fields; for paths like `lineage.masters` from that inner record.

    An inner record may also be the item of a list: `components.rate`.

    The paths must follow each other in the schema; ValueError otherwise.
    """
    record = shape(topic)
    *outer, _ = paths[0].split(".")
    for name in outer:
        record = _inside(record, name)
    names = [path.split(".")[-1] for path in paths]
    order = [member.name for member in record.fields]
    first = order.index(names[0])
    if order[first : first + len(names)] != names:
        raise ValueError(f"{topic}: {', '.join(paths)} do not follow each other")
    write = writer(AvroRecord(f"{record.name}Run", record.fields[first : first + len(names)]))

    def encoded(values: Mapping[str, Any]) -> bytes:
        out = bytearray()
        write(out, values)
        return bytes(out)

    return encoded


def _inside(record: AvroRecord, name: str) -> AvroRecord:
    (found,) = (member.shape for member in record.fields if member.name == name)
    inner = found.items if isinstance(found, Array) else found
    if not isinstance(inner, AvroRecord):
        raise ValueError(f"{name} holds no record")
    return inner
