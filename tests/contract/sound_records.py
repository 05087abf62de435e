"""Records that keep every bound, made from the schemas themselves: a test changes what it is about."""

from typing import Any

from schemas import codec
from schemas.schema_types import Array, AvroRecord, Optional, Shape, Text
from tests.contract.schema_records import sample

_TEXTS = {
    "currency": "EUR",
    "limit_currency": "EUR",
    "base": "EUR",
    "quote": "USD",
    "country": "DE",
    "seller_country": "DE",
    "season_from": "04-01",
    "season_to": "09-30",
    "period": "2024-01",
}


def sound(topic: str, /, **changes: object) -> dict[str, Any]:
    """A record of the topic in Python form, nothing left out."""
    return {**_value(codec.shape(topic), ""), **changes}


def _value(shape: Shape, name: str) -> Any:  # noqa: ANN401 - whatever the shape is of
    match shape:
        case Text():
            return _TEXTS.get(name, "x")
        case Optional(inner):
            return _value(inner, name)
        case Array(items):
            return [_value(items, name)]
        case AvroRecord(_, members):
            return {member.name: _value(member.shape, member.name) for member in members}
        case _:
            return sample(shape)
