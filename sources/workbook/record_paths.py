"""Places inside a record by their path (`lines[3].amount`), and a sound value where one does not fit."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from schemas import codec
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

AN_INSTANT = "2000-01-01T00:00:00Z"  # in place of what publishing gives, for the checks


def _steps(path: str) -> list[int | str]:
    steps: list[int | str] = []
    for part in path.replace("[", ".[").split("."):
        if part:
            steps.append(int(part[1:-1]) if part.startswith("[") else part)
    return steps


def value_at(value: Any, path: str) -> Any:  # noqa: ANN401 - JSON of any shape
    """The value at a path; None where there is none."""
    for step in _steps(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def shape_at(shape: Shape, path: str) -> Shape:
    """The shape at a path; of an optional value the shape of what it holds."""
    for step in _steps(path):
        shape = _bare(shape)
        if isinstance(shape, Array):
            shape = shape.items
        elif isinstance(shape, AvroRecord):
            shape = next(each.shape for each in shape.fields if each.name == step)
    return _bare(shape)


def _bare(shape: Shape) -> Shape:
    return shape.inner if isinstance(shape, Optional) else shape


def mended(topic: str, value: dict[str, Any], wrong: Iterable[str]) -> dict[str, Any]:
    """The record with a sound value in place of each that does not fit, so that the others can be checked too."""
    mended: dict[str, Any] = json.loads(json.dumps(value, default=str))
    for path in wrong:
        *inside, last = _steps(path)
        held: Any = mended
        for step in inside:
            held = held[step]
        held[last] = _sound(shape_at(codec.shape(topic), path))
    return mended


@cache
def _sound(shape: Shape) -> Any:  # noqa: ANN401 - JSON of any shape
    match shape:
        case AvroRecord(_, fields):
            return {each.name: _sound(each.shape) for each in fields}
        case Array():
            return []
        case Optional():
            return None
        case _:
            return _sound_leaf(shape)


def _sound_leaf(leaf: Leaf) -> object:
    match leaf:
        case Text():
            return "x"
        case Long():
            return 1
        case Boolean():
            return True
        case Date():
            return "2000-01-01"
        case Timestamp():
            return AN_INSTANT
        case Amount():
            return "1"
        case Enum(symbols):
            return symbols[0]
        case Bytes():
            return ""
