"""How a file writes its numbers and dates, found in the whole of it before any of its rows is read."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from sources.files.detect import Recognised
from sources.files.tables import BadRow, Row
from sources.mapping import date_orders, number_marks
from sources.mapping.ast import Dates

Order = Literal["day-first", "month-first"]


@dataclass(frozen=True, slots=True)
class Conventions:
    """What a file decides for the columns of one entity, by field."""

    dates: date_orders.DateColumns | None
    date_fields: tuple[str, ...]
    numbers: Mapping[str, number_marks.NumberColumn]
    grouped: Mapping[str, bool]

    def written(self, field: str, text: str) -> str:
        """A cell in a form with one meaning: YYYY-MM-DD, 1234.5. Raises ValueError for one that is doubtful or none."""
        if self.dates is not None and field in self.date_fields:
            return self.dates.day(text)
        if field in self.numbers:
            return number_marks.settled(self.numbers[field].number(text, self.grouped[field]))
        return text


def conventions_of(recognised: Recognised, rows: Iterable[Row | BadRow], order: Order | None) -> Conventions:
    """Decide by all rows of a file; `order` is what the person who ingests it says of its dates."""
    layout, good = recognised.layout, [row for row in rows if isinstance(row, Row)]

    def cells(field: str) -> Iterator[tuple[int, str]]:
        header = recognised.headers.get(field)
        for row in good:
            value = None if header is None else row.values.get(header)
            if isinstance(value, str) and value.strip():
                yield row.line, value

    dates = None
    if layout.dates is not None:
        said = _said(layout.dates, order)
        found = (cell for field in said.columns for cell in cells(field))
        dates = date_orders.decided(found, said.formats, said.otherwise)
    numbers = {field: number_marks.decided(cells(field)) for field in layout.numbers}
    return Conventions(dates, layout.dates.columns if layout.dates is not None else (), numbers, layout.numbers)


def _said(dates: Dates, order: Order | None) -> Dates:
    if order is None:
        return dates
    kept = tuple(form for form in dates.formats if _order(form) in (None, order))
    return replace(dates, formats=kept, otherwise=None)


def _order(form: str) -> Order | None:
    """Which of day and month a format has first, where it has the year last; None for others."""
    day, month, year = form.find("%d"), form.find("%m"), max(form.find("%Y"), form.find("%y"))
    if -1 in (day, month) or year < max(day, month) or "/" not in form:
        return None
    return "day-first" if day < month else "month-first"


def told(recognised: Recognised, found: Conventions) -> Iterator[str]:
    """Which reading was taken of each column, and why: lines for a person."""
    if found.dates is not None:
        headers = ", ".join(
            dict.fromkeys(recognised.headers[field] for field in found.date_fields if field in recognised.headers)
        )
        for order in found.dates.orders.values():
            if order.contradicted:
                yield f"{headers}: both orders of day and month are in the file; none is taken"
            elif len(order.formats) == 1 and order.because:
                yield f"{headers}: {order.formats[0]}, because {order.because}"
            elif len(order.formats) > 1:
                yield f"{headers}: {' or '.join(order.formats)}; dates that these read differently are refused"
    for field, column in found.numbers.items():
        header = recognised.headers.get(field)
        if header is None or not column.because:
            continue
        if len(column.because) > 1:
            yield f"{header}: decimals are marked both ways; `1,234` and `1.234` are refused"
            continue
        ((mark, (line, text)),) = column.because.items()
        doubt = "" if column.mark else "; its doubtful numbers are refused"
        yield f"{header}: decimals follow {mark!r}, because line {line} has {text!r}{doubt}"
