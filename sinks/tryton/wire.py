"""JSON as Tryton writes it: decimals, dates and instants are objects with a `__class__`."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]  # a record as Tryton reads it: its fields by name, `id` among them


def dumps(value: object) -> bytes:
    """The value as a request's body."""
    return json.dumps(value, default=_written, separators=(",", ":")).encode()


def loads(body: bytes) -> Any:  # noqa: ANN401 - JSON may be anything; callers check what they take
    """The content of a body. Raises ValueError for invalid or cut JSON."""
    return json.loads(body, object_hook=_read)


def _written(value: object) -> object:
    match value:
        case Decimal():
            return {"__class__": "Decimal", "decimal": str(value)}
        case datetime():
            at = value.astimezone(UTC)
            parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
            return {"__class__": "datetime", **{part: getattr(at, part) for part in parts}}
        case date():
            return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
        case _:
            raise TypeError(f"{type(value).__name__} has no form in Tryton's JSON")


def _read(found: dict[str, Any]) -> object:
    match found.get("__class__"):
        case "Decimal":
            return Decimal(found["decimal"])
        case "date":
            return date(found["year"], found["month"], found["day"])
        case "datetime":
            day = date(found["year"], found["month"], found["day"])
            at = time(found["hour"], found["minute"], found["second"], found["microsecond"], tzinfo=UTC)
            return datetime.combine(day, at)  # Tryton's instants are in UTC
        case _:
            return found
