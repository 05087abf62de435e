"""Compiles each schema into straight-line Python once, to read and write Avro bodies at the speed of the stream.

A generic codec inspects the schema for every value. Here that happens once and is written down as source, as
`dataclasses` does for its methods: writing a charge takes a quarter of fastavro's time and reading half of it, with
stricter checks. The writer accepts no bool for an int, no missing and no unknown field; it only reports *that* a record
does not fit, `schemas.validation` reports where. The tests compare both directions with fastavro, byte for byte.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from schemas import binary
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

Reader: TypeAlias = Callable[[bytes, int], tuple[dict[str, Any], int]]
RowReader: TypeAlias = Callable[[bytes, int], tuple[tuple[Any, ...], int]]
Writer: TypeAlias = Callable[[bytearray, Mapping[str, object]], None]

_ALWAYS: dict[str, object] = {
    "Decimal": Decimal,
    "EPOCH": binary.EPOCH_ORDINAL,
    "FLAGS": (False, True),
    "date": date,
    "day": date.fromordinal,
    "instant": binary.instant,
    "put_instant": binary.put_instant,
    "put_long": binary.put_long,
    "read_block": binary.read_block,
    "read_length": binary.read_length,
    "read_long": binary.read_long,
}
_READ_NUMBER = ["n = data[at]", "at += 1", "if n > 127:", "    n, at = read_long(data, at - 1)"]
# One test for both rare cases: a length of several bytes (0x80) and a negative one (0x01).
_READ_SPAN = [
    "n = data[at]",
    "at += 1",
    "if n & 0x81:",
    "    n, at = read_length(data, at - 1)",
    "end = at + (n >> 1)",
]


@dataclass(frozen=True)
class _Module:
    """The functions written so far, one per record schema, and the constants they refer to."""

    functions: list[str] = field(default_factory=list)
    names: dict[str, object] = field(default_factory=lambda: dict(_ALWAYS))

    def constant(self, value: object) -> str:
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name

    def function(self, parameters: str, body: list[str]) -> str:
        name = self.constant(None)
        self.functions.append("\n".join([f"def {name}({parameters}):", *_indented(body)]))
        return name

    def made(self, name: str) -> Any:  # noqa: ANN401 - a Reader or a Writer, as the caller wrote it
        exec("\n".join(self.functions), self.names)  # noqa: S102 - source made above, of this project's contracts
        return self.names[name]


def reader(record: AvroRecord) -> Reader:
    """A function (bytes, position) -> (record, next position).

    It raises IndexError, KeyError, ValueError or ArithmeticError on broken bytes; bytes cut off inside the last string
    show as a next position beyond their end, which the caller checks together with trailing bytes.
    """
    module = _Module()
    made: Reader = module.made(_record_reader(module, record))
    return made


def row_reader(record: AvroRecord) -> RowReader:
    """As `reader`, with the values of the fields as a tuple in schema order."""
    module = _Module()
    body, values = _read_fields(module, record)
    made: RowReader = module.made(module.function("data, at", [*body, f"return ({', '.join(values)},), at"]))
    return made


def writer(record: AvroRecord) -> Writer:
    """A function (bytearray, record) that appends the record.

    It raises KeyError, TypeError, ValueError or ArithmeticError on a record that does not fit; discard the bytearray
    then.
    """
    module = _Module()
    made: Writer = module.made(_record_writer(module, record))
    return made


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _record_reader(module: _Module, record: AvroRecord) -> str:
    body, values = _read_fields(module, record)
    members = ", ".join(f"{member.name!r}: {value}" for member, value in zip(record.fields, values, strict=True))
    return module.function("data, at", [*body, f"return {{{members}}}, at"])


def _read_fields(module: _Module, record: AvroRecord) -> tuple[list[str], list[str]]:
    """Source that reads every field, and the names of the variables that then hold them."""
    values = [f"v{index}" for index in range(len(record.fields))]
    body: list[str] = []
    for member, value in zip(record.fields, values, strict=True):
        body += _read(module, member.shape, value)
    return body, values


def _read(module: _Module, shape: Shape, target: str) -> list[str]:
    match shape:
        case Text():
            return [*_READ_SPAN, f"{target} = data[at:end].decode()", "at = end"]
        case Bytes():
            return [*_READ_SPAN, f"{target} = data[at:end]", "at = end"]
        case Amount(precision, scale):
            read = module.constant(binary.decimal_reader(precision, scale))
            return [*_READ_SPAN, f"{target} = {read}(data[at:end])", "at = end"]
        case Long():
            return [*_READ_NUMBER, f"{target} = (n >> 1) ^ -(n & 1)"]
        case Date():
            return [*_READ_NUMBER, f"{target} = day(((n >> 1) ^ -(n & 1)) + EPOCH)"]
        case Timestamp():
            return [*_READ_NUMBER, f"{target} = instant((n >> 1) ^ -(n & 1))"]
        case Boolean():
            return [f"{target} = FLAGS[data[at]]", "at += 1"]
        case Enum(symbols):
            known = module.constant({index << 1: symbol for index, symbol in enumerate(symbols)})
            return [f"{target} = {known}[data[at]]", "at += 1"]
        case Optional(inner):
            present = _indented(_read(module, inner, target))
            absent = ["n = data[at]", "at += 1", "if n == 0:", f"    {target} = None"]  # what most optional fields are
            return [*absent, "elif n == 2:", *present, "else:", "    raise ValueError('no such branch')"]
        case Array(items):
            item = f"{target}_item"
            each = _indented(_indented([*_read(module, items, item), f"{target}.append({item})"]))
            blocks = ["    for _ in range(count):", *each, "    count, at = read_block(data, at)"]
            return [f"{target} = []", "count, at = read_block(data, at)", "while count:", *blocks]
        case AvroRecord():
            return [f"{target}, at = {_record_reader(module, shape)}(data, at)"]


def _record_writer(module: _Module, record: AvroRecord) -> str:
    # Every field is read, so a record with as many entries has no others.
    body = [f"if len(record) != {len(record.fields)}:", "    raise ValueError('missing or unknown fields')"]
    body.append("put = out.append")
    for member in record.fields:
        body += [f"x = record[{member.name!r}]", *_write(module, member.shape)]
    return module.function("out, record", body)


def _only(kind: str) -> list[str]:
    return [f"if type(x) is not {kind}:", f"    raise TypeError('not {kind}')"]


def _write(module: _Module, shape: Shape) -> list[str]:
    """Source that appends the value of `x`."""
    put_span = ["n = len(x)", "if n < 64:", "    put(n << 1)", "else:", "    put_long(out, n)", "out += x"]
    match shape:
        case Text():
            return [*_only("str"), "x = x.encode()", *put_span]
        case Bytes():
            return [*_only("bytes"), *put_span]
        case Amount(precision, scale):
            write = module.constant(binary.decimal_writer(precision, scale))
            return [*_only("Decimal"), f"out += {write}(x)"]
        case Long():
            return [*_only("int"), "if 0 <= x < 64:", "    put(x << 1)", "else:", "    put_long(out, x)"]
        case Date():
            return [*_only("date"), "put_long(out, x.toordinal() - EPOCH)"]
        case Timestamp():
            return ["put_instant(out, x)"]
        case Boolean():
            return [*_only("bool"), "put(x)"]
        case Enum(symbols):
            known = module.constant({symbol: index << 1 for index, symbol in enumerate(symbols)})
            return [f"put({known}[x])"]
        case Optional(inner):
            return ["if x is None:", "    put(0)", "else:", *_indented(["put(2)", *_write(module, inner)])]
        case Array(items):
            each = _indented(_write(module, items))
            # billing's dataclasses hold their lists as tuples
            sequence = ["if type(x) is not list and type(x) is not tuple:", "    raise TypeError('not list')"]
            return [*sequence, "if x:", "    put_long(out, len(x))", "    for x in x:", *_indented(each), "put(0)"]
        case AvroRecord():
            return [*_only("dict"), f"{_record_writer(module, shape)}(out, x)"]
