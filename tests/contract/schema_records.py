"""Hypothesis strategies for records, made from the schemas themselves."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from schemas import codec
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

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
_LAST_MS = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


def records(topic: str) -> st.SearchStrategy[dict[str, object]]:
    """Any record the topic's schema allows, in Python form."""
    return _values(codec.shape(topic))


def _values(shape: Shape) -> st.SearchStrategy[Any]:
    match shape:
        case Text():
            return st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
        case Long():
            return st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200)
        case Boolean():
            return st.booleans()
        case Bytes():
            return st.binary(max_size=80)
        case Date():
            return st.dates(date.min, date.max)
        case Timestamp():
            return st.integers(_FIRST_MS, _LAST_MS).map(lambda ms: EPOCH + timedelta(milliseconds=ms))
        case Amount(precision, scale):
            most = 10**precision - 1
            return st.integers(-most, most).map(lambda unscaled: Decimal(f"{unscaled}e-{scale}"))
        case Enum(symbols):
            return st.sampled_from(symbols)
        case Optional(inner):
            return st.none() | _values(inner)
        case Array(items):
            return st.lists(_values(items), max_size=3)
        case AvroRecord(_, fields):
            return st.fixed_dictionaries({field.name: _values(field.shape) for field in fields})


def sample(shape: Shape) -> Any:  # noqa: ANN401 - whatever the shape is of
    """A value of the shape, the simplest with nothing left out."""
    match shape:
        case Text():
            return "x"
        case Long():
            return 1
        case Boolean():
            return True
        case Bytes():
            return b"x"
        case Date():
            return date(2024, 1, 31)
        case Timestamp():
            return datetime(2024, 1, 31, tzinfo=UTC)
        case Amount():
            return Decimal(1)
        case Enum(symbols):
            return symbols[0]
        case Optional(inner):
            return sample(inner)
        case Array(items):
            return [sample(items)]
        case AvroRecord(_, members):
            return {member.name: sample(member.shape) for member in members}
