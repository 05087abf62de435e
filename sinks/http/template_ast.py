"""The values of a billing application's mapping file as a typed tree; `sinks.http.mapping` describes them.

The notation is that of `sources.mapping`, without look-ups: a charge is written, not read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sources.mapping.ast import Constant, Path, Scalar, Template
from sources.mapping.parser import path_or_text
from sources.mapping.yaml_nodes import Node, nearest

CURRENCY = "currency"
_LARGEST_PLACES = 6


@dataclass(frozen=True, slots=True)
class TableLookup:
    """A value by a table."""

    of: Path | Template
    to: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class NumberTemplate:
    """A decimal with so many places (None: as many as it has, CURRENCY: the minor unit), as text or a JSON number."""

    of: Path
    places: int | str | None
    as_text: bool


@dataclass(frozen=True, slots=True)
class Minor:
    """An amount of the charge's currency in whole minor units."""

    of: Path


@dataclass(frozen=True, slots=True)
class DateTemplate:
    """A day or instant in a format of `strftime`."""

    of: Path
    form: str


@dataclass(frozen=True, slots=True)
class EachItem:
    """A record for each item of a list."""

    of: Path
    fields: Mapping[str, "Value"]


@dataclass(frozen=True, slots=True)
class ObjectTemplate:
    """A nested record."""

    fields: Mapping[str, "Value"]


@dataclass(frozen=True, slots=True)
class ListTemplate:
    """A list written out."""

    items: tuple["Value", ...]


Value: TypeAlias = (
    Constant
    | Path
    | Template
    | TableLookup
    | NumberTemplate
    | Minor
    | DateTemplate
    | EachItem
    | ObjectTemplate
    | ListTemplate
)


def value_of(node: Node) -> Value:
    """Any value of the language. Raises MappingError."""
    if node.is_list:
        return ListTemplate(tuple(value_of(item) for item in node.items("a list")))
    if not node.is_record:
        written = node.scalar("a value")
        return path_or_text(node, written) if isinstance(written, str) else Constant(written, node.line)
    entries = node.entries("a nested record")
    operator = next((name for name in entries if name.startswith("$")), None)
    if operator is None:
        return ObjectTemplate({name: value_of(value) for name, value in entries.items()})
    if operator not in _OPERATORS:
        raise node.wrong(f"there is no {operator}{nearest(operator, _OPERATORS)}; use {', '.join(_OPERATORS)}")
    return _OPERATORS[operator](node)


def path_of(node: Node, what: str) -> Path:
    """A path such as `$amount`."""
    found = path_or_text(node, node.text(what))
    if not isinstance(found, Path):
        raise node.wrong(f"{what} must be a path such as $amount, not {node.text(what)!r}")
    return found


def _translate(node: Node) -> Value:
    found = node.record("$translate", ("$translate", "to"))
    of = path_or_text(found["$translate"], found["$translate"].text("$translate"))
    if isinstance(of, Constant):
        raise found["$translate"].wrong("$translate must be a path such as $tax_category, or text around paths")
    return TableLookup(of, {code: each.scalar("a translation") for code, each in found["to"].entries("to").items()})


def _number(name: str, as_text: bool) -> Callable[[Node], Value]:
    def read(node: Node) -> Value:
        found = node.record(name, (name,), ("places",))
        places = found["places"].scalar("places") if "places" in found else None
        whole = isinstance(places, int) and not isinstance(places, bool) and 0 <= places <= _LARGEST_PLACES
        if not (places is None or whole or places == CURRENCY):
            raise found["places"].wrong(f"places is {places!r}; write 0 to {_LARGEST_PLACES}, or currency")
        return NumberTemplate(path_of(found[name], name), places, as_text)

    return read


def _minor(node: Node) -> Value:
    return Minor(path_of(node.record("$minor", ("$minor",))["$minor"], "$minor"))


def _date(node: Node) -> Value:
    found = node.record("$date", ("$date", "format"))
    return DateTemplate(path_of(found["$date"], "$date"), found["format"].text("format"))


def _each(node: Node) -> Value:
    found = node.record("$each", ("$each", "fields"))
    fields = {name: value_of(value) for name, value in found["fields"].entries("fields").items()}
    return EachItem(path_of(found["$each"], "$each"), fields)


_OPERATORS: dict[str, Callable[[Node], Value]] = {
    "$translate": _translate,
    "$decimal": _number("$decimal", as_text=True),
    "$number": _number("$number", as_text=False),
    "$minor": _minor,
    "$date": _date,
    "$each": _each,
}
