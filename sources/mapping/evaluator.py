"""Evaluates the mapping language for one source record: pure, over records already read."""

from collections.abc import Callable, Mapping

from common.ciphertext import tokens_in
from sources.mapping import conversions
from sources.mapping.ast import (
    NEXT,
    WAITS,
    Between,
    CodeLookup,
    Constant,
    Day,
    Each,
    Entity,
    Expression,
    First,
    Group,
    Instant,
    Items,
    Match,
    Minutes,
    Number,
    Path,
    SourceMapping,
    Template,
    Translate,
    Unit,
)
from sources.mapping.code_map import CODE, key_of, unmapped
from sources.mapping.contracts import Json
from sources.mapping.errors import MissingLookup, Unmappable, Unusable
from sources.mapping.split import whole_minutes
from sources.state import SystemRows, id_text


class RecordScope:
    """A source record and the records that it looks up; `locals` are `$split` and `$next`."""

    __slots__ = ("_followed", "_mapping", "_rows", "entity", "id", "locals", "record")

    def __init__(
        self, mapping: SourceMapping, rows: SystemRows, entity: Entity, record_id: str, record: Mapping[str, Json]
    ) -> None:
        self._mapping = mapping
        self._rows = rows
        self._followed: dict[str, RecordScope | None] = {}
        self.entity = entity
        self.id = record_id
        self.record = record
        self.locals: dict[str, Mapping[str, Json] | None] = {}

    @property
    def system(self) -> str:
        """Whose records these are."""
        return self._mapping.system

    def unmappable(self, message: str, code: str = "UNMAPPABLE", missing: tuple[str, str] | None = None) -> Unmappable:
        """The error to raise about this record."""
        return Unmappable(f"{self.entity.name} {self.id}: {message}", code, missing)

    def at(self, steps: tuple[str, ...]) -> Json:
        """The value of a path; None if a field or an optional look-up on the way is empty."""
        first = steps[0]
        if len(steps) == 1:
            return self.record.get(first)
        if first in self.locals:
            return _nested(self.locals[first], steps[1:])
        if first in self.entity.look_ups:
            found = self.follow(first)
            return None if found is None else found.at(steps[1:])
        return _nested(self.record, steps)

    def follow(self, name: str) -> "RecordScope | None":
        """The record that a look-up finds; None for an optional one that is empty. Raises Missing until it arrives."""
        if name not in self._followed:
            self._followed[name] = self._found(name)
        return self._followed[name]

    def _found(self, name: str) -> "RecordScope | None":
        look_up = self.entity.look_ups[name]
        record_id = link_id(look_up.id, self)
        if record_id is None:
            if look_up.optional:
                return None
            raise self.unmappable(f"{name} is empty, so nothing can be looked up")
        standing = self._rows.standing(look_up.entity, record_id)
        if standing is not None:
            return RecordScope(
                self._mapping, self._rows, self._mapping.entities[look_up.entity], record_id, standing.record
            )
        if look_up.missing == WAITS:
            raise MissingLookup(look_up.entity, record_id)
        message = unmapped(record_id) if look_up.entity == CODE else f"no {look_up.entity} {record_id} is known"
        raise self.unmappable(message, look_up.missing, (look_up.entity, record_id))

    def members(self, name: str) -> "list[RecordScope]":
        """The records of a collection."""
        collection = self.entity.collections[name]
        target = self._mapping.entities[collection.entity]
        found = []
        for member_id in self._rows.linked(f"{self.entity.name}.{name}", self.id):
            standing = self._rows.standing(target.name, member_id)
            if standing is not None:
                found.append(RecordScope(self._mapping, self._rows, target, member_id, standing.record))
        return found


def link_id(expression: Expression, scope: RecordScope) -> str | None:
    """The id an expression gives, or None. Raises Unmappable for a value that cannot be an id."""
    try:
        return id_text(evaluate(expression, scope))
    except Unusable as no_id:
        raise scope.unmappable(str(no_id)) from None


def evaluate(expression: Expression, scope: RecordScope) -> Json:
    """The JSON value of an expression. Raises Missing, Unmappable with the record, or Unusable for an invalid code."""
    match expression:
        case Path(steps):
            return scope.at(steps)
        case Constant(value):
            return value
        case Template(parts):
            return _text(parts, scope)
        case Translate(of):
            return _translated(evaluate(of, scope), expression, scope)
        case CodeLookup(of, kind):
            code = id_text(evaluate(of, scope))
            return None if code is None else key_of(scope.system, kind, _named(code))
        case Minutes(of, unit):
            return _minutes(evaluate(of, scope), unit, scope)
        case Instant(of):
            return _converted(lambda text: _instant(text, expression), evaluate(of, scope), scope)
        case Day(of):
            return _converted(lambda text: _day(text, expression), evaluate(of, scope), scope)
        case Between(start, end):
            return _between(evaluate(start, scope), evaluate(end, scope), scope)
        case Number(of, points, grouping, without):
            return _converted(
                lambda text: conversions.number(text, points, grouping, without), evaluate(of, scope), scope
            )
        case Match(of, pattern):
            return _converted(lambda text: conversions.matched(text, pattern), evaluate(of, scope), scope)
        case First(choices):
            found = (evaluate(choice, scope) for choice in choices)
            return next((value for value in found if value not in (None, "")), None)
        case Group(fields):
            return fields_of(fields, scope)
        case Items(items):
            return [evaluate(item, scope) for item in items]
        case Each():
            return _each(expression, scope)


def fields_of(fields: Mapping[str, Expression], scope: RecordScope) -> dict[str, Json]:
    """The values of a record's fields."""
    return {name: evaluate(expression, scope) for name, expression in fields.items()}


def _named(code: str) -> str:
    """The code of a person's encrypted name is the person's token."""
    tokens = tokens_in(code)
    return tokens[0] if len(tokens) == 1 else code


def _nested(within: Mapping[str, Json] | None, steps: tuple[str, ...]) -> Json:
    value: Json = None if within is None else within.get(steps[0])
    for step in steps[1:]:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _minutes(quantity: Json, unit: Unit, scope: RecordScope) -> int:
    try:
        return whole_minutes(quantity, unit)
    except ValueError as no_number:
        raise scope.unmappable(str(no_number)) from None


def _text(parts: tuple[str | Path, ...], scope: RecordScope) -> str | None:
    pieces = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(part)
            continue
        value = scope.at(part.steps)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise scope.unmappable(f"{part} is {value!r}, which cannot stand in text")
        pieces.append(str(value))
    return "".join(pieces)


def _translated(code: Json, table: Translate, scope: RecordScope) -> Json:
    # The table's keys are as written in YAML, where true is `true`.
    written = str(code).lower() if isinstance(code, bool) else str(code)
    if code is None:
        return None
    if not isinstance(code, list | dict) and written in table.to:
        return table.to[written]
    if table.other is not None:
        return table.other.value
    raise scope.unmappable(f"the code {code!r} is none of {', '.join(table.to)}", "UNMAPPED_CODE")


def _converted(convert: Callable[[str], str], value: Json, scope: RecordScope) -> str | None:
    """The text that a conversion reads; None for None, and for an empty column of a file."""
    if value is None or value == "":
        return None
    try:
        return convert(str(value))
    except ValueError as unreadable:
        raise scope.unmappable(str(unreadable)) from None


def _instant(text: str, how: Instant) -> str:
    found = conversions.instant(text, how.formats, how.zone, how.ambiguous)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _day(text: str, how: Day) -> str:
    return conversions.day(text, how.formats, how.zone, how.plus).isoformat()


def _between(start: Json, end: Json, scope: RecordScope) -> int | None:
    if start is None or end is None:
        return None
    try:
        return conversions.minutes_between(str(start), str(end))
    except ValueError as unreadable:
        raise scope.unmappable(str(unreadable)) from None


def _each(each: Each, scope: RecordScope) -> list[Json]:
    """Members in the order of one of their fields, equal ones by id: never in the order they arrived."""
    ordered = sorted(scope.members(each.collection), key=lambda member: _place(member, each.order_by))
    for place, member in enumerate(ordered, 1):
        member.locals[NEXT] = ordered[place].record if place < len(ordered) else None
    return [fields_of(each.fields, member) for member in ordered]


def _place(member: RecordScope, order_by: Path) -> tuple[int, str, int, str]:
    value = member.at(order_by.steps)
    if value is None or isinstance(value, list | dict):
        raise member.unmappable(f"{order_by} is {value!r}, so it has no place in an order")
    number, text = (value, "") if isinstance(value, int) else (0, value)
    return number, text, len(member.id), member.id
