"""Converts texts as people and spreadsheets write them to instants, days and decimals. Pure; raises ValueError with the
reason.

A result outside the years 1 to 9999 (by an offset, a time zone, an added day) is refused like any other text.

Formats are those of `datetime.strptime`, with the English names of months and halves of the day.
"""

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sources.mapping.number_marks import NumberColumn

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@contextlib.contextmanager
def _within_years(text: str) -> Iterator[None]:
    """Raises ValueError where the arithmetic inside has no result."""
    try:
        yield
    except OverflowError:
        raise ValueError(f"{text!r} leaves the years 1 to 9999") from None


def instant(
    text: str, formats: tuple[str, ...] = (), zone: str | None = None, ambiguous: str | None = None
) -> datetime:
    """The instant a text says, in UTC. What gives no offset is a time on the clocks of `zone`.

    A time that these clocks skipped is none; one they showed twice is refused, unless `ambiguous` says which counts.
    """
    read = _read(text, formats)
    if read.tzinfo is None and zone is None:
        raise ValueError(f"{text!r} does not say its offset from UTC")
    with _within_years(text):
        return read.astimezone(UTC) if read.tzinfo is not None else _on_clocks(text, read, zone or "", ambiguous)


def _read(text: str, formats: tuple[str, ...]) -> datetime:
    """Parsed by the first format that fits; by ISO 8601 without a format."""
    bare = text.strip()
    for format_ in formats:
        with contextlib.suppress(ValueError):
            return datetime.strptime(bare, format_)  # noqa: DTZ007 - its zone is the caller's part
    if formats:
        raise ValueError(f"{text!r} is not of the form {' or '.join(formats)}")
    try:
        return datetime.fromisoformat(bare)
    except ValueError:
        raise ValueError(f"{text!r} is no ISO 8601 instant") from None


def _on_clocks(text: str, read: datetime, zone: str, ambiguous: str | None) -> datetime:
    clocks = ZoneInfo(zone)
    earlier, later = (read.replace(tzinfo=clocks, fold=fold).astimezone(UTC) for fold in (0, 1))
    if earlier.astimezone(clocks).replace(tzinfo=None) != read:
        raise ValueError(f"{text!r} is no time in {zone}: clocks were put forward over it")
    if earlier != later and ambiguous is None:
        raise ValueError(f"{text!r} came twice in {zone}, where clocks were put back; which one is not said")
    return later if ambiguous == "later" else earlier


def day(text: str, formats: tuple[str, ...] = (), zone: str | None = None, plus: int = 0) -> date:
    """The day a text begins with; by `formats` the day it says; in `zone` the day on clocks there at that instant."""
    with _within_years(text):
        if zone is not None:
            found = instant(text, formats).astimezone(ZoneInfo(zone)).date()
        elif formats:
            found = _read(text, formats).date()
        else:
            found = _first_day(text)
        return found + timedelta(days=plus)


@lru_cache(maxsize=4096)
def _first_day(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError(f"{text!r} begins with no date") from None


def minutes_between(start: str, end: str) -> int:
    """Whole minutes, half up, from one ISO 8601 instant in UTC to another."""
    seconds = round((instant(end) - instant(start)).total_seconds())
    if seconds < 0:
        raise ValueError(f"it ends at {end}, before it begins at {start}")
    return (seconds + 30) // 60


def number(text: str, points: tuple[str, ...] = (".",), grouping: str = "", without: str = "") -> str:
    """Plain decimal text of a number whose decimals follow the point, without `without` (a currency sign, for example).

    `grouping` is accepted only between groups of three digits: `1.5` with grouping `.` is no number, not 15. With
    several `points` the text must decide by itself: `1,234` is refused.
    """
    bare = (text.replace(without, "") if without else text).strip()
    if len(points) > 1:
        return NumberColumn().number(bare)
    (point,) = points
    if grouping and _grouped(grouping, point).fullmatch(bare):
        bare = bare.replace(grouping, "")
    plain = bare.replace(point, ".") if point == "." or "." not in bare else ""
    if not _DECIMAL.fullmatch(plain):
        raise ValueError(f"{text!r} is no number such as {f'1{grouping}234' if grouping else '1234'}{point}50")
    return plain


@lru_cache(maxsize=64)
def _grouped(grouping: str, point: str) -> re.Pattern[str]:
    group, decimals = re.escape(grouping), rf"({re.escape(point)}[0-9]+)?"
    return re.compile(rf"-?([0-9]{{1,3}}({group}[0-9]{{3}})+|[0-9]+){decimals}")


def matched(text: str, pattern: str) -> str:
    """The first group of a pattern, which must be found in the text."""
    found = re.search(pattern, text)
    if found is None or found[1] is None:
        raise ValueError(f"{text!r} has nothing of the form {pattern}")
    return found[1]
