"""The closed enumerations of the rules have the symbols of the schemas, each and no other."""

from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from rating.model.charge import Charge, Component
from rating.model.facts import FACT_TYPES
from rating.model.master_data import Engagement
from rating.model.master_records import MASTER_TYPES
from schemas import codec
from schemas.schema_types import Array, AvroRecord, Enum, Optional, Shape

TYPES: dict[str, type[Any]] = {**MASTER_TYPES, **FACT_TYPES, "billing.ready": Charge}
_BESIDE = {"billing.ready": {"region"}}  # text in the rules: it is only passed on


def enumerations(shape: Shape, path: str = "") -> dict[str, tuple[str, ...]]:
    """{path: symbols} of a schema."""
    match shape:
        case AvroRecord(_, members):
            return {k: v for each in members for k, v in enumerations(each.shape, f"{path}.{each.name}").items()}
        case Array(items):
            return enumerations(items, path)
        case Optional(inner):
            return enumerations(inner, path)
        case Enum(symbols):
            return {path: symbols}
        case _:
            return {}


def literals(kind: type[Any], path: str = "") -> dict[str, tuple[str, ...]]:
    """{path: values} of a dataclass and the ones in it."""
    hints = get_type_hints(kind)
    return {k: v for each in fields(kind) for k, v in _of(hints[each.name], f"{path}.{each.name}").items()}


def _of(hint: Any, path: str) -> dict[str, tuple[str, ...]]:  # noqa: ANN401 - a type hint
    if get_origin(hint) is Literal:
        return {path: get_args(hint)}
    if isinstance(hint, UnionType) or get_origin(hint) is not None:
        inner = [each for each in get_args(hint) if each not in (NoneType, Ellipsis)]
        return {k: v for each in inner for k, v in _of(each, path).items()}
    return literals(hint, path) if hasattr(hint, "__dataclass_fields__") else {}


@pytest.mark.parametrize("topic", sorted(TYPES))
def test_every_value_of_a_schema_is_one_of_the_rules_and_the_other_way(topic: str) -> None:
    written = enumerations(codec.shape(topic))
    left_out = {f".{name}" for name in _BESIDE.get(topic, ())}
    known = literals(TYPES[topic])
    assert {path: set(symbols) for path, symbols in written.items() if path not in left_out} == {
        path: set(values) for path, values in known.items()
    }


def test_they_are_found_within_records_and_lists() -> None:
    assert {".cap.policy", ".retainer.proration", ".outcomes.model", ".rounding.mode"} <= literals(Engagement).keys()
    assert set(literals(Component)) == {".reason"}
