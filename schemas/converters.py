"""One walk over a schema, for every use that must say *where* a value does not fit.

`converter` builds, once per schema, a function that takes a value apart along the schema and hands each leaf to a
`Leaves`. Structure, absent fields and unknown fields are handled only here. `schemas.json_codec` and
`schemas.validation` differ in their leaves only.
"""

import reprlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from schemas.schema_types import Array, AvroRecord, Leaf, Optional, Shape

Converter: TypeAlias = Callable[[object], Any]


class Mismatch(Exception):
    """A value that does not fit, with the path to it: `lines[3].amount`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = ""

    def under(self, step: str) -> "Mismatch":
        """The same, seen from one level up; `step` is a field name or an index in brackets."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{step}{joint}{self.path}"
        return self

    def __str__(self) -> str:
        return f"{self.path or 'the value'} {self.reason}"


class Leaves(Protocol):
    """Converters of the leaves of a schema; a converter raises Mismatch for a value that does not fit."""

    def __call__(self, leaf: Leaf) -> Converter:
        """The converter of one leaf type."""
        ...


def named(value: object) -> str:
    """A value for a message: its type and its beginning."""
    if value is None:
        return "null"
    try:
        return f"{type(value).__name__} {reprlib.repr(value)}"
    except ValueError:  # Python writes no whole number of thousands of digits
        return f"{type(value).__name__} too long to show"


def converter(shape: Shape, leaves: Leaves, *, ignore_unknown: bool = False) -> Converter:
    """A function value -> converted value along a schema; it raises Mismatch.

    Fields that the schema does not have are refused, or left out where they are to be ignored.
    """
    match shape:
        case AvroRecord():
            return _record(shape, leaves, ignore_unknown)
        case Array(items):
            return _many(converter(items, leaves, ignore_unknown=ignore_unknown))
        case Optional(inner):
            return _maybe(converter(inner, leaves, ignore_unknown=ignore_unknown))
        case _:
            return leaves(shape)


def _record(record: AvroRecord, leaves: Leaves, ignore_unknown: bool) -> Converter:
    fields = [
        (field.name, converter(field.shape, leaves, ignore_unknown=ignore_unknown), isinstance(field.shape, Optional))
        for field in record.fields
    ]
    known = frozenset(field.name for field in record.fields)

    def convert(value: object) -> dict[str, Any]:
        if not isinstance(value, dict | Mapping):
            raise Mismatch(f"must be a record, not {named(value)}")
        if not ignore_unknown and (unknown := value.keys() - known):
            raise Mismatch("is no field of this schema").under(str(min(unknown, key=str)))
        converted: dict[str, Any] = {}
        for name, convert_field, may_be_absent in fields:
            if name not in value:
                if not may_be_absent:
                    raise Mismatch("is missing").under(name)
                converted[name] = None
                continue
            try:
                converted[name] = convert_field(value[name])
            except Mismatch as mismatch:
                raise mismatch.under(name) from None
        return converted

    return convert


def _many(convert_item: Converter) -> Converter:
    def convert(value: object) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise Mismatch(f"must be a list, not {named(value)}")
        converted = []
        for index, item in enumerate(value):
            try:
                converted.append(convert_item(item))
            except Mismatch as mismatch:
                raise mismatch.under(f"[{index}]") from None
        return converted

    return convert


def _maybe(convert_present: Converter) -> Converter:
    def convert(value: object) -> object:
        return None if value is None else convert_present(value)

    return convert
