"""The two Avro contracts of the job, compiled, in Confluent's wire framing.

The schemas lie beside this file and not in `schemas/`: they are the benchmark's, not the project's.
"""

from pathlib import Path
from typing import Any

import orjson

from schemas.compiler import Reader, Writer, reader, writer
from schemas.schema_types import AvroRecord, shape_of

HEADER_BYTES = 5
ENTRY_HEADER = b"\x00" + (1).to_bytes(4, "big")
BILLED_HEADER = b"\x00" + (2).to_bytes(4, "big")


def _shape(name: str) -> AvroRecord:
    return shape_of(orjson.loads(Path(__file__).with_name(f"{name}.avsc").read_bytes()))


_ENTRY, _BILLED = _shape("entry"), _shape("billed")
read_entry: Reader = reader(_ENTRY)
write_entry: Writer = writer(_ENTRY)
read_billed: Reader = reader(_BILLED)
write_billed: Writer = writer(_BILLED)


def decode_entry(data: bytes) -> dict[str, Any]:
    """The entry in `data`; ValueError where it is no whole entry."""
    return _whole(data, ENTRY_HEADER, read_entry)


def encode_entry(record: dict[str, object]) -> bytes:
    """The entry, framed."""
    out = bytearray(ENTRY_HEADER)
    write_entry(out, record)
    return bytes(out)


def decode_billed(data: bytes) -> dict[str, Any]:
    """The billed entry in `data`; ValueError where it is no whole one."""
    return _whole(data, BILLED_HEADER, read_billed)


def encode_billed(record: dict[str, object]) -> bytes:
    """The billed entry, framed."""
    out = bytearray(BILLED_HEADER)
    write_billed(out, record)
    return bytes(out)


def _whole(data: bytes, header: bytes, read: Reader) -> dict[str, Any]:
    if data[:HEADER_BYTES] != header:
        raise ValueError(f"not under the schema {header!r}: {data[:HEADER_BYTES]!r}")
    record, end = read(data, HEADER_BYTES)
    if end != len(data):
        raise ValueError(f"{len(data)} bytes, the record ends at {end}")
    return record
