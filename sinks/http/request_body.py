"""Evaluates the values of a mapping file for one charge. Absent values are left out of their record."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import quote

import orjson

from common.decimals import plain
from rating.model.money import minor_units
from sinks.http.template_ast import (
    CURRENCY,
    DateTemplate,
    EachItem,
    ListTemplate,
    Minor,
    NumberTemplate,
    ObjectTemplate,
    TableLookup,
    Value,
)
from sources.mapping.ast import Constant, Path, Scalar, Template
from storage.charge_batch import ChargeRecord

Scope: TypeAlias = Mapping[str, object]
_ABSENT = object()


class Unwritable(ValueError):
    """A charge that cannot be written as the mapping says; the text says why."""


def written(fields: Mapping[str, Value], charge: ChargeRecord) -> dict[str, object]:
    """The fields of a charge, ready for `orjson`. Raises Unwritable."""
    return _record(fields, charge, str(charge["currency"]))


def path_text(path: Constant | Path | Template, charge: ChargeRecord) -> str:
    """A request's path, the charge's fields in it percent-encoded. Raises Unwritable."""
    if isinstance(path, Constant):
        return str(path.value)
    parts = path.parts if isinstance(path, Template) else (path,)
    found = [part if isinstance(part, str) else _plain(_at(charge, part.steps)) for part in parts]
    if _ABSENT in found:
        raise Unwritable(f"a field of the path {path} is empty")
    return "".join(
        part if isinstance(part, str) else quote(str(value), safe="") for part, value in zip(parts, found, strict=True)
    )


def _record(fields: Mapping[str, Value], scope: Scope, currency: str) -> dict[str, object]:
    found = {name: _written(value, scope, currency) for name, value in fields.items()}
    return {name: value for name, value in found.items() if value is not _ABSENT}


def _written(value: Value, scope: Scope, currency: str) -> object:
    match value:
        case Constant(constant):
            return constant
        case Path(steps):
            return _plain(_at(scope, steps))
        case Template(parts):
            return _filled(parts, scope)
        case TableLookup(of, to):
            return _translated(_written(of, scope, currency), to, of)
        case NumberTemplate(of, places, as_text):
            return _formatted(
                _at(scope, of.steps), minor_units(currency) if places == CURRENCY else places, as_text, of
            )
        case Minor(of):
            return _in_minor_units(_at(scope, of.steps), currency, of)
        case DateTemplate(of, form):
            at = _at(scope, of.steps)
            return at.strftime(form) if isinstance(at, date) else _ABSENT
        case EachItem(of, fields):
            items = _at(scope, of.steps)
            return [_record(fields, item, currency) for item in items] if isinstance(items, Sequence) else _ABSENT
        case ObjectTemplate(fields):
            return _record(fields, scope, currency)
        case ListTemplate(items):
            found = [_written(item, scope, currency) for item in items]
            return [each for each in found if each is not _ABSENT]


def _at(scope: Scope, steps: Sequence[str]) -> object:
    found: object = scope
    for step in steps:
        found = found.get(step) if isinstance(found, Mapping) else None
    return _ABSENT if found is None else found


def _plain(value: object) -> object:
    """A value in the JSON form of records: decimals as text, days and instants in ISO 8601."""
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Mapping():
            return {name: _plain(each) for name, each in value.items() if each is not None}
        case list() | tuple():
            return [_plain(each) for each in value]
    return value


def _filled(parts: tuple[str | Path, ...], scope: Scope) -> object:
    found = [part if isinstance(part, str) else _plain(_at(scope, part.steps)) for part in parts]
    return _ABSENT if _ABSENT in found else "".join(map(str, found))


def _translated(code: object, table: Mapping[str, Scalar], of: object) -> object:
    if code is _ABSENT:
        return _ABSENT
    if str(code) not in table:
        raise Unwritable(f"{of} is {code!r}, which the mapping does not translate: it knows {', '.join(table)}")
    return table[str(code)]


def _formatted(number: object, places: object, as_text: bool, of: Path) -> object:
    if number is _ABSENT:
        return _ABSENT
    exact = Decimal(str(number))
    said = plain(exact) if not isinstance(places, int) else format(_with_places(exact, places, of), "f")
    return said if as_text else orjson.Fragment(said.encode())


def _in_minor_units(number: object, currency: str, of: Path) -> object:
    if number is _ABSENT:
        return _ABSENT
    places = minor_units(currency)
    return int(_with_places(Decimal(str(number)), places, of).scaleb(places))


def _with_places(number: Decimal, places: int, of: Path) -> Decimal:
    """The same number; one that would have to be rounded is refused."""
    shown = number.quantize(Decimal(1).scaleb(-places))
    if shown != number:
        raise Unwritable(f"{of} is {plain(number)}, which does not fit {places} places")
    return shown
