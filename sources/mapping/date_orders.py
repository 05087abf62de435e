"""The order of day and month in the dates of a file: decided by the file as a whole, never row by row. Pure.

`03/04/2025` is 3 April or 4 March. A file is read by the one format that reads every one of its dates; a 25 in first
place decides for all. Where several formats read all of them differently, the mapping's `otherwise` counts, unless the
dates of another reading lie closer together, as those of a report do. Where nothing decides, the doubtful dates are
refused; where dates contradict each other (25/04 and 04/25), all of them are.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache

_DIGITS = re.compile("[0-9]+")
_SERIAL = re.compile(r"[0-9]{5}(?:[.,][0-9]+)?")


@dataclass(frozen=True, slots=True)
class DateOrder:
    """The formats of one look of dates (`//`, `..`) that read every date of it; `because` is (line, text)."""

    formats: tuple[str, ...]
    contradicted: tuple[str, ...] = ()
    because: str = ""


@dataclass(frozen=True, slots=True)
class DateColumns:
    """The decisions of a file, by the look of its dates."""

    possible: tuple[str, ...]
    orders: Mapping[str, DateOrder] = field(default_factory=dict)

    def day(self, text: str) -> str:
        """The day as YYYY-MM-DD. Raises ValueError with the reason and the remedy."""
        bare = text.strip()
        readings = _readings(bare, self.possible)
        if not readings:
            hint = "; a spreadsheet's serial number? Format the column as a date" if _SERIAL.fullmatch(bare) else ""
            raise ValueError(f"{text!r} is not of the form {' or '.join(self.possible)}{hint}")
        order = self.orders[_look(bare)]
        if order.contradicted:
            one, other = order.contradicted
            raise ValueError(f"the file writes its dates both ways ({one!r}, {other!r}), so {text!r} is not read")
        days = {readings[each] for each in order.formats if each in readings}
        if len(days) != 1:
            raise ValueError(
                f"{text!r} may be {' or '.join(sorted(each.isoformat() for each in days))}, and nothing in the file "
                "decides; export it with dates as YYYY-MM-DD, or say the order with --dates"
            )
        return days.pop().isoformat()


def decided(dates: Iterable[tuple[int, str]], possible: tuple[str, ...], otherwise: str | None = None) -> DateColumns:
    """What the dates of a file decide together: (line, text) of each."""
    looks: dict[str, list[tuple[int, str]]] = {}
    for line, text in dict.fromkeys(dates):
        if _readings(text.strip(), possible):
            looks.setdefault(_look(text.strip()), []).append((line, text.strip()))
    return DateColumns(possible, {look: _order(found, possible, otherwise) for look, found in looks.items()})


def _order(found: list[tuple[int, str]], possible: tuple[str, ...], otherwise: str | None) -> DateOrder:
    fitting = [each for each in possible if all(each in _readings(text, possible) for _, text in found)]
    if not fitting:
        return DateOrder((), _contradiction(found, possible))
    apart = _distinct(found, possible, fitting)
    if len(apart) == 1:
        line, text = next(
            ((line, text) for line, text in found if len(_readings(text, possible)) < _most(found, possible)), found[0]
        )
        return DateOrder(tuple(fitting), because=f"line {line}: {text!r} has no other reading")
    if otherwise in fitting and not _another_is_closer(found, fitting, otherwise):
        return DateOrder((otherwise,), because="the mapping says so; nothing in the file decides")
    return DateOrder(tuple(fitting))


def _distinct(found: list[tuple[int, str]], possible: tuple[str, ...], fitting: list[str]) -> set[tuple[date, ...]]:
    return {tuple(_readings(text, possible)[each] for _, text in found) for each in fitting}


def _most(found: list[tuple[int, str]], possible: tuple[str, ...]) -> int:
    return max(len(_readings(text, possible)) for _, text in found)


def _contradiction(found: list[tuple[int, str]], possible: tuple[str, ...]) -> tuple[str, str]:
    """Two dates that no one format reads."""
    first = min(found, key=lambda each: len(_readings(each[1], possible)))[1]
    fits = _readings(first, possible).keys()
    other = next((text for _, text in found if not fits & _readings(text, possible).keys()), found[-1][1])
    return first, other


def _another_is_closer(found: list[tuple[int, str]], fitting: list[str], otherwise: str) -> bool:
    def span(form: str) -> int:
        days = [_readings(text, tuple(fitting))[form] for _, text in found]
        return (max(days) - min(days)).days

    return any(span(each) < span(otherwise) for each in fitting)


def _look(text: str) -> str:
    return _DIGITS.sub("", text)


@lru_cache(maxsize=65_536)
def _readings(text: str, formats: tuple[str, ...]) -> Mapping[str, date]:
    """{format: day} of each format that reads a text."""
    found = {}
    for form in formats:
        try:
            found[form] = datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return found


def confusable(formats: Iterable[str]) -> tuple[str, str] | None:
    """Two formats of which one reads what the other writes as another day; None where there are none."""
    probe, known = datetime(2003, 5, 4), tuple(formats)  # noqa: DTZ001
    for one in known:
        for other in known:
            try:
                if datetime.strptime(probe.strftime(one), other).date() not in (probe.date(), date(1900, 1, 1)):  # noqa: DTZ007
                    return one, other
            except ValueError:
                continue
    return None
