"""Numbers as people and spreadsheets write them, where the marks may be of either kind: `1,234.50` and `1.234,50`.

One cell alone often decides: `7,5`, `1.234,50`, `1.234.567`. `1,234` does not: it is a thousand or a little over one.
Such a cell is read only where its column decides, and refused otherwise. Pure.

- A mark is the decimal mark of a column when a cell proves it and no cell proves the other one.
- The other mark then groups, so `2.000` beside `7,5` is 2000.
- Three digits behind the decimal mark itself (`1,250` beside `7,5`) are read only where another cell proves that the
  column writes three decimals (`0,125`): typing 1,250 for a thousand and a quarter is too common.
- One cell that cannot be read so makes every doubtful cell of its column refused: a file is read one way or not at all.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

_SPACES = "\u0020\u00a0\u2007\u2009\u202f"
_QUOTES = "'\u2019"
_SIGNS = re.compile(
    r"(?P<open>\()?\s*(?P<lead>[-+\u2212])?\s*(?P<body>[0-9.,].*?)\s*(?P<trail>[-\u2212])?\s*(?P<close>\))?"
)
_BODY = re.compile(rf"[0-9]*(?:[.,{_SPACES}{_QUOTES}][0-9]+)*")
_WHOLE_GROUPS = re.compile(r"[0-9]{1,3}(?:x[0-9]{3})+")
_INDIAN_GROUPS = re.compile(r"[0-9]{1,2}(?:x[0-9]{2})+x[0-9]{3}")
_OTHER = {".": ",", ",": "."}


@dataclass(frozen=True, slots=True)
class MarkReading:
    """A cell: its value where it can be told, else the mark that makes it doubtful with the values of both readings.

    `proves` is the decimal mark that the cell shows, `decimals` the digits behind it, `grouped` whether thousands are
    marked.
    """

    value: str | None
    proves: str | None = None
    decimals: int = 0
    grouped: bool = False
    doubtful: str | None = None
    as_decimal: str = ""
    as_thousands: str = ""


@dataclass(slots=True)
class NumberColumn:
    """What the cells of a column prove; `because` is (line, cell) of the first proof of each decimal mark."""

    because: dict[str, tuple[int, str]] = field(default_factory=dict)
    three_decimals: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)

    def add(self, line: int, text: str) -> None:
        """Take a cell; one that is no number proves nothing."""
        try:
            found = read(text)
        except ValueError:
            return
        if found.proves is not None:
            self.because.setdefault(found.proves, (line, text))
            if found.decimals == 3:
                self.three_decimals.add(found.proves)
        if found.doubtful is not None:
            self.doubtful.add(found.doubtful)

    @property
    def mark(self) -> str | None:
        """The decimal mark by which doubtful cells are read; None where nothing decides, or cells contradict."""
        if len(self.because) != 1:
            return None
        (mark,) = self.because
        return None if mark in self.doubtful and mark not in self.three_decimals else mark

    def number(self, text: str, grouping: bool = True) -> str:
        """Plain decimal text of a cell. Raises ValueError with the reason and the remedy."""
        found = read(text)
        if found.grouped and not grouping:
            raise ValueError(f"{text!r} groups its digits, which no number of hours here needs; write it without")
        if found.value is not None:
            return found.value
        if self.mark is None:
            raise ValueError(_doubt(text, found, self))
        if found.doubtful == self.mark:
            return found.as_decimal
        if not grouping:
            raise ValueError(f"{text!r} groups its digits, which no number of hours here needs; write it without")
        return found.as_thousands


def read(text: str) -> MarkReading:
    """What a cell says by itself. Raises ValueError where it is no number."""
    signs = _SIGNS.fullmatch(text.strip())
    marks = 0 if signs is None else sum(signs[name] is not None for name in ("open", "lead", "trail"))
    if signs is None or marks > 1 or (signs["open"] is None) != (signs["close"] is None):
        raise ValueError(_no_number(text))
    body, minus = signs["body"], "-" if marks and signs["lead"] != "+" else ""
    if not _BODY.fullmatch(body):
        raise ValueError(_no_number(text))
    found = _unsigned(text, body)
    signed = {name: f"{minus}{value}" for name in ("as_decimal", "as_thousands") if (value := getattr(found, name))}
    value = None if found.value is None else f"{minus}{found.value}"
    return MarkReading(value, found.proves, found.decimals, found.grouped, found.doubtful, **signed)


def _unsigned(text: str, body: str) -> MarkReading:
    marks = re.sub("[0-9]", "", body)
    if not marks:
        return MarkReading(body)
    last, first = marks[-1], marks[0]
    whole, _, tail = body.rpartition(last)
    if last in _SPACES + _QUOTES or (len(marks) > 1 and len(set(marks)) == 1):
        proves = _OTHER.get(last)  # `1.234.567` shows that the point groups
        return MarkReading(_joined(text, body), proves, 0, grouped=True)
    if len(marks) > 1:
        if last == first or last in marks[:-1]:
            raise ValueError(_no_number(text))
        return MarkReading(f"{_joined(text, whole)}.{tail}", last, len(tail), grouped=True)
    decimal = f"{whole or '0'}.{tail}"
    if len(tail) != 3 or len(whole) not in (1, 2, 3) or whole.startswith("0"):
        return MarkReading(decimal, last, len(tail))
    return MarkReading(None, doubtful=last, as_decimal=decimal, as_thousands=whole + tail)


def _joined(text: str, grouped: str) -> str:
    """The digits of a number whose groups are of three, or as in India of two and a last one of three."""
    marks = set(re.sub("[0-9]", "", grouped))
    shape = re.sub("[^0-9]", "x", grouped)
    if len(marks) > 1 or not (_WHOLE_GROUPS.fullmatch(shape) or _INDIAN_GROUPS.fullmatch(shape)):
        raise ValueError(_no_number(text))
    return shape.replace("x", "")


def settled(plain: str) -> str:
    """Decimal text that no reader can take for thousands: `1.125` becomes `1.1250`."""
    whole, _, decimals = plain.removeprefix("-").partition(".")
    return f"{plain}0" if len(decimals) == 3 and len(whole) <= 3 else plain


def decided(lines: Iterable[tuple[int, str]]) -> NumberColumn:
    """What the cells of a column decide together: (line, text) of each."""
    column = NumberColumn()
    for line, text in lines:
        column.add(line, text)
    return column


def _no_number(text: str) -> str:
    return f"{text!r} is no number such as 1234.50"


def _doubt(text: str, found: MarkReading, column: NumberColumn) -> str:
    said = f"{text!r} may be {Decimal(found.as_thousands)} or {Decimal(found.as_decimal)}"
    if len(column.because) > 1:
        (_, one), (_, other) = column.because.values()
        why = f"the file writes decimals both ways ({one!r}, {other!r})"
    elif column.because:
        why = f"its column does not decide, with {next(iter(column.because.values()))[1]!r} beside it"
    else:
        why = "nothing in its column decides"
    return f"{said}, and {why}; write it without a mark for thousands and with two decimals"
