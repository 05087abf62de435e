"""The columns of `hourstream.charges` and their types, made of the one definition of a charge."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import Literal, LiteralString, get_args, get_origin, get_type_hints

from rating.model.charge import CHARGE_FIELDS, PublishedCharge

_SQL_TYPES: Mapping[object, LiteralString] = {
    str: "text",
    int: "bigint",
    Decimal: "numeric",
    date: "date",
    datetime: "timestamptz",
}
NESTED: LiteralString = "jsonb"


def _sql_type(hint: object) -> LiteralString:
    """The type of a column for a field of that type; records and lists of them are JSON."""
    (kind,) = [each for each in get_args(hint) if each is not NoneType] if NoneType in get_args(hint) else [hint]
    if get_origin(kind) is Literal:
        return "text"
    return _SQL_TYPES.get(kind, NESTED)


_HINTS = get_type_hints(PublishedCharge)
CHARGE_COLUMNS: Mapping[str, LiteralString] = {name: _sql_type(_HINTS[name]) for name in CHARGE_FIELDS}
"""{field of DOMAIN.md section 3: type of its column}, in the order of the definition."""
