"""Days, months and half-open periods (DOMAIN.md, Conventions). A month is written YYYY-MM."""

import re
from calendar import monthrange
from datetime import date
from typing import Final

_MONTH: Final = re.compile(r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])")


def is_valid(day: date, valid_from: date, valid_to: date | None) -> bool:
    """Whether valid_from <= day < valid_to; a null valid_to is open."""
    return valid_from <= day and (valid_to is None or day < valid_to)


def month_of(day: date) -> str:
    """The month of a day: 2024-02-29 -> 2024-02."""
    return day.isoformat()[:7]


def month_number(day: date) -> int:
    """Months counted from year 0, so that the difference of two is the months between."""
    return day.year * 12 + day.month - 1


def month_bounds(period: str) -> tuple[date, date] | None:
    """The first and the last day of a month, or None for a text that is no month."""
    if not _MONTH.fullmatch(period):
        return None
    year, month = int(period[:4]), int(period[5:])
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def is_weekend(day: date) -> bool:
    """Whether a day is a Saturday or a Sunday (DOMAIN.md §2 rule 7)."""
    return day.weekday() >= 5
