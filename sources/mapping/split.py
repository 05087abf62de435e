"""Quantities of work as whole minutes, and one quantity divided over the weekdays of a period."""

import re
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from sources.mapping.ast import Unit

_SATURDAY = 5
_LONGEST_PERIOD = 366
_CLOCK = re.compile(r"([0-9]+):([0-5][0-9])(?::([0-5][0-9]))?")


def whole_minutes(quantity: object, unit: Unit) -> int:
    """Whole minutes of a quantity in `unit`, half up. ValueError where it is no number."""
    if isinstance(quantity, bool) or not isinstance(quantity, str | int):
        raise ValueError(f"{quantity!r} is no number of {unit}")
    if unit in ("h:mm", "h:mm:ss"):
        return _clock_minutes(str(quantity), unit)
    try:
        number = Decimal(quantity)
        return int(_minutes(number, unit).quantize(Decimal(1), ROUND_HALF_UP))
    except (ArithmeticError, ValueError):
        raise ValueError(f"{quantity!r} is no number of {unit}") from None


def _minutes(number: Decimal, unit: Unit) -> Decimal:
    match unit:
        case "hours":
            return number * 60
        case "minutes":
            return number
        case "seconds":
            return number / 60
        case _:
            raise ValueError(f"{unit} is no unit of numbers")


def _clock_minutes(text: str, unit: Unit) -> int:
    """Minutes of `7:05` or `07:05:30`; half a minute rounds up."""
    clock = _CLOCK.fullmatch(text.strip())
    if clock is None or (clock[3] is None) != (unit == "h:mm"):
        raise ValueError(f"{text!r} is no duration {unit}")
    return int(clock[1]) * 60 + int(clock[2]) + (int(clock[3] or 0) >= 30)


@lru_cache(maxsize=4096)
def weekdays(first_day: str, last_day: str) -> tuple[str, ...]:
    """Monday to Friday from the first to the last day, both included, as YYYY-MM-DD. ValueError where there is none."""
    try:
        first, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
    except ValueError:
        raise ValueError(f"{first_day!r} to {last_day!r} is no period of days") from None
    if (last - first).days >= _LONGEST_PERIOD:
        raise ValueError(f"the period from {first} to {last} is longer than a year")
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    found = tuple(day.isoformat() for day in days if day.weekday() < _SATURDAY)
    if not found:
        raise ValueError(f"the period from {first} to {last} has no weekday to put work on")
    return found


def divided(minutes: int, days: int) -> list[int]:
    """Minutes divided evenly in whole minutes, the remainder on the last day."""
    each, remainder = divmod(minutes, days)
    return [each] * (days - 1) + [each + remainder]
