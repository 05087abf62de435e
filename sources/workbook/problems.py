"""Places in a workbook, and what is wrong there: sheet, row, column, value, and the remedy."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """A cell, a row or a sheet. `column` is the name of the field, `letter` that of the column in a workbook."""

    file: str
    sheet: str | None = None
    row: int | None = None
    letter: str | None = None
    column: str | None = None

    def __str__(self) -> str:
        if self.sheet is not None:
            cell = "" if self.row is None else f"!{self.letter or 'A'}{self.row}"
            return f"{self.sheet}{cell}"
        return self.file if self.row is None else f"{self.file}:{self.row}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of the data: it is not published until this is repaired."""

    place: Place
    value: str | None
    what: str
    remedy: str

    def __str__(self) -> str:
        field = f" {self.place.column}" if self.place.column else ""
        value = "" if self.value is None else f" is {self.value}"
        return f"{self.place}{field}{value}: {self.what}; {self.remedy}"

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {**asdict(self.place), "cell": str(self.place), "value": self.value, "what": self.what,
                "remedy": self.remedy}  # fmt: skip
