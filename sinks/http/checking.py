"""Checks every path of a mapping file against the fields of a charge, so that a misspelt path is found at start."""

from collections.abc import Iterator

from schemas.schema_types import Array, AvroRecord, Optional, Shape
from sinks.http.template_ast import (
    DateTemplate,
    EachItem,
    ListTemplate,
    Minor,
    NumberTemplate,
    ObjectTemplate,
    TableLookup,
    Value,
)
from sources.mapping.ast import Constant, Path, Template
from sources.mapping.yaml_nodes import Node, nearest


def check(node: Node, value: Value, scope: Shape) -> None:
    """Hold every path of a value to the fields of `scope`. Raises MappingError."""
    match value:
        case Constant():
            return
        case Path():
            _shape_at(node, scope, value)
        case Template(parts):
            for part in parts:
                if isinstance(part, Path):
                    _shape_at(node, scope, part)
        case TableLookup(of) | NumberTemplate(of) | Minor(of) | DateTemplate(of):
            check(node, of, scope)
        case EachItem(of, fields):
            inner = _shape_at(node, scope, of)
            if not isinstance(inner, Array):
                raise node.wrong(f"{of} is no list")
            for each in fields.values():
                check(node, each, inner.items)
        case ObjectTemplate() | ListTemplate():
            for each in _inside(value):
                check(node, each, scope)


def _inside(value: ObjectTemplate | ListTemplate) -> Iterator[Value]:
    yield from value.fields.values() if isinstance(value, ObjectTemplate) else value.items


def _shape_at(node: Node, scope: Shape, path: Path) -> Shape:
    found = scope
    for step in path.steps:
        fields = {field.name: field.shape for field in found.fields} if isinstance(found, AvroRecord) else {}
        if step not in fields:
            raise node.wrong(f"{path}: a charge has no such field{nearest(step, fields)}; correct the path")
        here = fields[step]
        found = here.inner if isinstance(here, Optional) else here
    return found
