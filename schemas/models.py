"""Pydantic models of what people send, made from the Avro contracts: typed, and with all errors of a record at once.

`model_of(topic)` takes a record in its JSON form, as `schemas.json_codec.from_json` does: the same values are accepted,
by the same readers of leaves, and turned into the same Python form. The reader of the busiest way stops at the first
value that does not fit; a model reports all of them.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError, create_model
from pydantic_core import ErrorDetails, PydanticCustomError

from schemas import codec
from schemas.converters import Converter, Mismatch, named
from schemas.json_leaves import read_leaf
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

IS_MISSING = "is missing"
_TYPES: Mapping[type, Any] = {
    Text: str,
    Long: int,
    Boolean: bool,
    Bytes: bytes,
    Date: date,
    Timestamp: datetime,
    Amount: Decimal,
}


class SentRecord(BaseModel):
    """A record as it is sent; fields outside the contract are ignored (DOMAIN.md, Conventions)."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


def python_form(sent: SentRecord) -> dict[str, Any]:
    """The record in Python form, as the codec takes it."""
    return sent.model_dump()


@cache
def model_of(topic: str) -> type[SentRecord]:
    """The model of a topic's records. UnknownSchema for a topic without a contract."""
    return _model(codec.shape(topic))


def errors_of(topic: str, value: object) -> tuple[str, ...]:
    """Every value of a record in its JSON form that does not fit, as `PATH reason`, in the order of the contract."""
    if not isinstance(value, Mapping):
        return (str(Mismatch(f"must be a record, not {named(value)}")),)
    return tuple(map(str, mismatches(topic, value)))


def mismatches(topic: str, value: Mapping[str, Any]) -> tuple[Mismatch, ...]:
    """The same with path and reason apart; the reason of a field that is not there is `IS_MISSING`."""
    try:
        model_of(topic).model_validate(dict(value))
    except ValidationError as error:
        return tuple(_mismatch(each) for each in error.errors(include_url=False, include_input=False))
    return ()


def _mismatch(error: ErrorDetails) -> Mismatch:
    mismatch = Mismatch(IS_MISSING if error["type"] == "missing" else error["msg"])
    for step in reversed(error["loc"]):
        mismatch = mismatch.under(f"[{step}]" if isinstance(step, int) else step)
    return mismatch


def _model(record: AvroRecord) -> type[SentRecord]:
    fields: dict[str, Any] = {field.name: _field(field.shape) for field in record.fields}
    return create_model(record.name, __base__=SentRecord, **fields)


def _field(shape: Shape) -> tuple[Any, Any]:
    return (_annotation(shape), None if isinstance(shape, Optional) else ...)


def _annotation(shape: Shape) -> Any:  # noqa: ANN401 - a type made at run time
    match shape:
        case AvroRecord():
            return Annotated[_model(shape), BeforeValidator(_record)]
        case Array(items):
            return Annotated[list[_annotation(items)], BeforeValidator(_list)]  # type: ignore[misc]
        case Optional(inner):
            return _annotation(inner) | None
        case Enum(symbols):
            return Annotated[Literal[symbols], PlainValidator(_reader(shape))]
        case _:
            return Annotated[_TYPES[type(shape)], PlainValidator(_reader(shape)), *_limits(shape)]


def _limits(leaf: Leaf) -> tuple[Any, ...]:
    """What a JSON schema of the model says of the leaf besides its type."""
    return (Field(json_schema_extra={"decimals": leaf.scale}),) if isinstance(leaf, Amount) else ()


def _reader(leaf: Leaf) -> Converter:
    read = read_leaf(leaf)

    def validated(value: object) -> object:
        try:
            return read(value)
        except Mismatch as mismatch:
            raise PydanticCustomError("mismatch", "{reason}", {"reason": mismatch.reason}) from None

    return validated


def _record(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise PydanticCustomError("mismatch", "{reason}", {"reason": f"must be a record, not {named(value)}"})


def _list(value: object) -> object:
    if isinstance(value, list | tuple):
        return list(value)
    raise PydanticCustomError("mismatch", "{reason}", {"reason": f"must be a list, not {named(value)}"})
