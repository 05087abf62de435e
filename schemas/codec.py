"""Records to bytes and back, in the Confluent wire format: 0x00, the schema's id (4 bytes, big-endian), Avro body.

A schema is compiled when it is first used, so a worker compiles only its own. The Python form of a record is in
`schemas.validation`; decimals carry all the places of their scale, which compare equal to any shorter writing.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from common.errors import InvalidRecord
from schemas.compiler import Reader, RowReader, Writer, reader, row_reader, writer
from schemas.converters import Mismatch, converter
from schemas.errors import Undecodable, UnknownSchema
from schemas.registry import FileRegistry, subject_of, topic_of
from schemas.schema_types import AvroRecord, shape_of
from schemas.validation import check_leaf
from schemas.versions import earlier_readers, header_of

_T = TypeVar("_T")

_HEADER = 5
_BROKEN = (IndexError, KeyError, ValueError, ArithmeticError)
_UNFIT = (KeyError, TypeError, ValueError, ArithmeticError)


class Decoded(NamedTuple):
    """A record, and under which schema it was written."""

    schema_id: int
    subject: str
    record: dict[str, Any]


class _Contract:
    """The codec's data of one subject."""

    def __init__(self, registry: FileRegistry, subject: str) -> None:
        schema_id = registry.id_of(subject)
        self._registry, self.subject = registry, subject
        self.header = header_of(schema_id)
        self.shape: AvroRecord = shape_of(registry.schema_of(schema_id))

    @cached_property
    def read(self) -> Reader:
        """Of its present version."""
        return reader(self.shape)

    @cached_property
    def read_row(self) -> RowReader:
        """The same, as a tuple."""
        return row_reader(self.shape)

    @cached_property
    def write(self) -> Writer:
        """Of its present version."""
        return writer(self.shape)

    @cached_property
    def earlier(self) -> Mapping[bytes, Reader]:
        """By header, of every other version."""
        return earlier_readers(self._registry, self.subject)


REGISTRY = FileRegistry.of_this_process()
_BY_TOPIC = {topic_of(subject): _Contract(REGISTRY, subject) for subject in REGISTRY.subjects()}
_BY_HEADER = {contract.header: contract for contract in _BY_TOPIC.values()}


def header(topic: str) -> bytes:
    """The first bytes of every value of the topic."""
    return _of(topic).header


def _of(topic: str) -> _Contract:
    if topic not in _BY_TOPIC:
        raise UnknownSchema(f"no schema is kept for {subject_of(topic)}")
    return _BY_TOPIC[topic]


def shape(topic: str) -> AvroRecord:
    """The typed tree of a topic's schema; UnknownSchema for a topic without one."""
    return _of(topic).shape


def encode(topic: str, record: Mapping[str, object]) -> bytes:
    """The record in the Confluent wire format, under the topic's schema.

    Absent optional fields are written as null. Nothing is converted or rounded: a record outside the schema raises
    InvalidRecord with the field path. Raises UnknownSchema for a topic without a schema.
    """
    contract = _of(topic)
    out = bytearray(contract.header)
    try:
        contract.write(out, record)
    except _UNFIT:
        out = bytearray(contract.header)
        contract.write(out, _filled(contract, record))
    return bytes(out)


def _filled(contract: _Contract, record: Mapping[str, object]) -> dict[str, Any]:
    """The record with None for its absent optional fields, or InvalidRecord saying what does not fit."""
    try:
        filled: dict[str, Any] = converter(contract.shape, check_leaf)(record)
    except Mismatch as mismatch:
        raise InvalidRecord(f"{topic_of(contract.subject)}: {mismatch}") from None
    return filled


def decode(data: bytes) -> Decoded:
    """The record in `data`, read with the schema of its id, in the form of the topic's present schema.

    Undecodable states the fault.
    """
    contract = _written_under(data)
    read = contract.read if data[:_HEADER] == contract.header else contract.earlier[data[:_HEADER]]
    return Decoded(int.from_bytes(data[1:_HEADER], "big"), contract.subject, _body(contract, data, read))


def decode_for(topic: str, data: bytes) -> dict[str, Any]:
    """The record in `data`, which must be of a version of the topic's own schema; Undecodable states the fault."""
    contract = _of(topic)
    if data[:_HEADER] != contract.header:
        return _body(contract, data, _earlier(contract, data))
    return _body(contract, data, contract.read)


def row_decoder(topic: str) -> Callable[[bytes], tuple[Any, ...]]:
    """`decode_for` of one topic with the values of the fields as a tuple, in schema order: for the busiest topics."""
    contract = _of(topic)

    def decode_row(data: bytes) -> tuple[Any, ...]:
        if data[:_HEADER] != contract.header:
            return tuple(_body(contract, data, _earlier(contract, data)).values())
        return _body(contract, data, contract.read_row)

    return decode_row


def _earlier(contract: _Contract, data: bytes) -> Reader:
    """The reader of a record that is not under the present version of its topic's schema."""
    read = contract.earlier.get(data[:_HEADER])
    if read is None:
        raise Undecodable(f"written under the schema of {_written_under(data).subject}, not of {contract.subject}")
    return read


def _written_under(data: bytes) -> _Contract:
    contract = _BY_HEADER.get(data[:_HEADER])
    if contract is None:
        contract = next((each for each in _BY_TOPIC.values() if data[:_HEADER] in each.earlier), None)
    if contract is None:
        raise Undecodable(_why_unknown(data))
    return contract


def _why_unknown(data: bytes) -> str:
    if not data:
        return "no bytes at all"
    if data[0] != 0:
        return f"not in the Confluent wire format: begins with byte {data[0]}, not 0"
    if len(data) < _HEADER:
        return f"{len(data)} bytes are too few for a schema id"
    return f"no schema is kept under id {int.from_bytes(data[1:_HEADER], 'big')}"


def _body(contract: _Contract, data: bytes, read: Callable[[bytes, int], tuple[_T, int]]) -> _T:
    try:
        record, end = read(data, _HEADER)
    except _BROKEN as broken:
        raise Undecodable(f"the body is no record of {contract.subject}: {broken!r}") from None
    if end > len(data):
        raise Undecodable(f"the body is no record of {contract.subject}: cut off")
    if end < len(data):
        raise Undecodable(f"{len(data) - end} bytes follow the record of {contract.subject}")
    return record
