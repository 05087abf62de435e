"""A cell as the JSON form of its field. Nothing is guessed: what could mean two things is a fault with its remedy."""

import re
from datetime import date, datetime, time
from decimal import Decimal

from schemas.schema_types import Amount, Boolean, Date, Enum, Leaf, Long, Timestamp
from sources.workbook.grids import Formula

_YES = {"yes": True, "true": True, "no": False, "false": False}
_WHOLE = re.compile(r"-?[0-9]{1,18}")


class BadCell(Exception):
    """A cell that means nothing for its field: what is wrong, and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def is_blank(value: object) -> bool:
    """Whether a cell is empty; one of blanks only is."""
    return value is None or (isinstance(value, str) and not value.strip())


def json_form(leaf: Leaf, value: object, name: str) -> object:
    """The value as the JSON form of the field has it. Raises BadCell.

    A text of a wrong form stays as it is: the contract refuses it with the field's own words.
    """
    if isinstance(value, Formula):
        raise BadCell(
            "is a formula without a value", "open and save the file in a spreadsheet program, or write the value"
        )
    if isinstance(value, str):
        return _of_text(leaf, value.strip())
    if isinstance(value, bool):
        if isinstance(leaf, Boolean):
            return value
        raise BadCell("is a truth value", remedy_of(leaf))
    if isinstance(value, int | float | Decimal):
        return _of_number(leaf, value)
    if isinstance(value, datetime | date):
        return _of_date(leaf, value, name)
    if isinstance(value, time):
        raise BadCell("is a time of day", remedy_of(leaf))
    raise BadCell(f"is a {type(value).__name__}", remedy_of(leaf))


def remedy_of(leaf: Leaf) -> str:
    """What to write into a cell of this type."""
    match leaf:
        case Amount():
            return "write a plain number such as 1200.50, with a point, without signs or separators of thousands"
        case Date():
            return "write the day as YYYY-MM-DD, such as 2026-04-30, or as a date cell"
        case Timestamp():
            return "write the instant in UTC as text, such as 2026-04-30T09:15:00Z"
        case Long():
            return "write a whole number"
        case Boolean():
            return "write yes or no"
        case Enum(symbols):
            return f"write one of {', '.join(symbols)}"
        case _:
            return "write it as text"


def _of_text(leaf: Leaf, text: str) -> object:
    match leaf:
        case Boolean():
            return _YES.get(text.lower(), text)
        case Long() if _WHOLE.fullmatch(text):
            return int(text)
        case _:
            return text


def _of_number(leaf: Leaf, value: int | float | Decimal) -> object:
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise BadCell("is no number", remedy_of(leaf))
    whole = number == number.to_integral_value()
    match leaf:
        case Amount(_, scale):
            written = format(number, "f")
            if isinstance(value, float) and len(written.partition(".")[2]) > scale and not whole:
                raise BadCell("has more decimals than are kept", f"round it to at most {scale} decimals")
            return str(int(number)) if whole else written
        case Long():
            return int(number) if whole else str(value)
        case Boolean() | Date() | Timestamp() | Enum():
            raise BadCell("is a number", remedy_of(leaf))
        case _:
            if whole:
                return str(int(number))
            raise BadCell(
                "is a number with a fraction, whose digits as text are not certain",
                "format the cell as text and write it again",
            )


def _of_date(leaf: Leaf, value: date, name: str) -> object:
    midnight = not isinstance(value, datetime) or value.time() == time()
    day = value.date() if isinstance(value, datetime) else value
    match leaf:
        case Date() if midnight:
            return day.isoformat()
        case Date():
            raise BadCell("has a time of day", remedy_of(leaf))
        case Timestamp():
            raise BadCell("has no time zone", remedy_of(leaf))
        case _ if name == "period" and midnight and day.day == 1:
            return day.isoformat()[:7]
        case _:
            raise BadCell("is a date", f"{remedy_of(leaf)}; format the cell as text first")
