"""Compiles the bounds of one schema into one function that reports all faults of a record.

Like `schemas.compiler` it decides once, when the schema is first used, which fields to check, and writes straight-line
Python. A record without a fault costs one or two comparisons per field.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from schemas.schema_types import Array, AvroRecord, Leaf, Optional, Shape, Text

_SHOWN = 60  # characters of a value


class Fault(NamedTuple):
    """A fault of one field: its path, its value as a message shows it, and the remedy."""

    path: str
    value: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path} is {self.value}: {self.remedy}"


class BoundRule(NamedTuple):
    """A bound: a Python expression over `x` (and over `helpers`) that is true for a valid value, and the remedy."""

    test: str
    remedy: str


Across: TypeAlias = Callable[[Mapping[str, Any], str], list[Fault]]
"""(a record, the path in front of its fields) -> faults of several fields together."""
Checker: TypeAlias = Callable[[Any], list[Fault]]


class Bounds(NamedTuple):
    """The bounds of one topic: of its leaves, of its lists, and of what several fields of a record say together."""

    leaf: Callable[[str, str, Leaf], tuple[BoundRule, ...]]
    """(path without indexes, field name, leaf) -> its rules."""
    items: Callable[[str], BoundRule | None]
    across: Callable[[str], Across | None]
    helpers: Mapping[str, object]


def fault(path: str, value: object, remedy: str) -> Fault:
    """A fault with its value shortened for a message."""
    return Fault(path, shortened(value), remedy)


def shortened(value: object) -> str:
    """A value as a message shows it: its beginning, control characters escaped."""
    match value:
        case None:
            return "missing"
        case str() if len(value) > _SHOWN:
            return f"{value[:_SHOWN]!r}… ({len(value):,} characters)"
        case str():
            return repr(value)
        case list() | tuple():
            return f"{len(value):,} elements"
        case _:
            return str(value)


def checker(shape: AvroRecord, bounds: Bounds) -> Checker:
    """All faults of a record in Python form; the record must fit its schema."""
    return _compiled(shape, bounds, row=False)


def row_checker(shape: AvroRecord, bounds: Bounds) -> Checker:
    """The same of a record given as the tuple of its values, in schema order."""
    return _compiled(shape, bounds, row=True)


def _compiled(shape: AvroRecord, bounds: Bounds, *, row: bool) -> Checker:
    source = _Source(bounds)
    body = source.of_record(shape, "r", "", "", row=row)
    sound = source.sound_row(shape) if row else []
    code = "\n".join(["def check(r):", *_indented(sound), "    found = []", *_indented(body), "    return found"])
    exec(code, source.names)  # noqa: S102 - source made here, of this project's contracts
    made: Checker = source.names["check"]  # type: ignore[assignment]
    return made


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


@dataclass
class _Source:
    """The source of one checker and the constants it refers to."""

    bounds: Bounds
    names: dict[str, object] = field(init=False)

    def __post_init__(self) -> None:
        self.names = {"fault": fault, **self.bounds.helpers}

    def of_record(self, record: AvroRecord, held: str, plain: str, shown: str, *, row: bool) -> list[str]:
        """Source for the record in the variable `held`; `shown` is the path as an f-string's content."""
        lines: list[str] = []
        for place, member in enumerate(record.fields):
            path, told = _joined(plain, member.name), _joined(shown, member.name)
            variable = f"x{len(self.names)}"
            self.names[variable] = None
            body = self._of_value(member.shape, variable, path, told, member.name)
            if body:
                lines += [f"{variable} = {held}[{place if row else repr(member.name)}]", *body]
        across = self.bounds.across(plain)
        if across is not None and not row:
            lines.append(f"found += {self._constant(across)}({held}, f'{shown}')")
        return lines

    def sound_row(self, record: AvroRecord) -> list[str]:
        """Source that returns at once for a row without a fault: the tests of its leaves as one expression.

        Half the cost of `of_record`. Left out for a record that holds more than leaves.
        """
        tests = list[str]()
        variables = [f"v{place}" for place in range(len(record.fields))]
        for variable, member in zip(variables, record.fields, strict=True):
            shape = member.shape.inner if isinstance(member.shape, Optional) else member.shape
            if isinstance(shape, Array | AvroRecord | Optional):
                return []
            own = " and ".join(
                f"({rule.test.replace('$', variable)})" for rule in self.bounds.leaf(member.name, member.name, shape)
            )
            if own and isinstance(member.shape, Optional):
                absent = f"not {variable}" if isinstance(shape, Text) else f"{variable} is None"
                own = f"({absent} or {own})"
            if own:
                tests.append(own)
        return [f"{', '.join(variables)}, = r", f"if {' and '.join(tests) or True}:", "    return []"]

    def _of_value(self, shape: Shape, x: str, path: str, shown: str, name: str) -> list[str]:
        match shape:
            case Optional(inner):
                body = self._of_value(inner, x, path, shown, name)
                # An empty optional text means an absent one (DOMAIN.md, Conventions).
                present = x if isinstance(inner, Text) else f"{x} is not None"
                return [f"if {present}:", *_indented(body)] if body else []
            case Array(items):
                return self._of_list(items, x, path, shown, name)
            case AvroRecord():
                return self.of_record(shape, x, path, shown, row=False)
            case _:
                return [line for rule in self.bounds.leaf(path, name, shape) for line in self._test(rule, x, shown)]

    def _of_list(self, items: Shape, x: str, path: str, shown: str, name: str) -> list[str]:
        rule = self.bounds.items(path)
        lines = [] if rule is None else self._test(rule, x, shown)
        body = self._of_value(items, f"{x}_item", path, f"{shown}[{{{x}_at}}]", name)
        if body:
            lines += [f"for {x}_at, {x}_item in enumerate({x}):", *_indented(body)]
        return lines

    def _test(self, rule: BoundRule, x: str, shown: str) -> list[str]:
        remedy = self._constant(rule.remedy)
        return [f"if not ({rule.test.replace('$', x)}):", f"    found.append(fault(f'{shown}', {x}, {remedy}))"]

    def _constant(self, value: object) -> str:
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
