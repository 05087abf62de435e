"""Reads a workbook or CSV files into grids of cells, with the place of each. Nothing is interpreted here.

A formula has the value that the spreadsheet program computed and stored; one without such a value is a fault.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.cell.cell import Cell as SheetCell
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from sources.workbook.problems import Place

READ_ME = "Read me"


class Unreadable(ValueError):
    """A file that is no workbook, no CSV and no JSON lines; the message says what it must be."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula without a stored value."""

    text: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its name, its header and its rows, each row with its number as a person counts them."""

    file: str
    name: str
    is_sheet: bool
    header: tuple[str, ...]
    rows: list[tuple[int, tuple[object, ...]]] = field(default_factory=list)

    def place(self, row: int | None = None, column: int | None = None, name: str | None = None) -> Place:
        """The place of a cell; `column` counts from 0."""
        letter = get_column_letter(column + 1) if column is not None and self.is_sheet else None
        return Place(self.file, self.name if self.is_sheet else None, row, letter, name)


def read_workbook(path: Path) -> Iterator[Grid]:
    """A grid for each sheet but the first page with instructions. Raises Unreadable."""
    try:
        book = load_workbook(path, data_only=False, keep_links=False)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise Unreadable(f"{path} is no .xlsx workbook ({error}); save it as Excel workbook (.xlsx)") from None
    computed = None
    for sheet in book.worksheets:
        if sheet.title == READ_ME:
            continue
        rows: list[tuple[int, tuple[object, ...]]] = []
        for cells in sheet.iter_rows():
            values: list[object] = []
            for cell in cells:
                value: object = cell.value
                if isinstance(cell, SheetCell) and cell.data_type == "f":
                    computed = computed or load_workbook(path, data_only=True, keep_links=False)
                    stored = computed[sheet.title][cell.coordinate].value
                    value = Formula(str(cell.value)) if stored is None else stored
                values.append(value)
            if any(_filled(value) for value in values):
                rows.append((cells[0].row or 0, tuple(values)))
        yield _grid(path.name, sheet.title, True, rows)


def read_csv(path: Path) -> Grid:
    """A CSV file: UTF-8, comma or semicolon between its cells. Raises Unreadable."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is not in UTF-8 (byte {error.start}); save it as CSV UTF-8") from None
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    rows: list[tuple[int, tuple[object, ...]]] = []
    try:
        before = 0
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((before + 1, tuple(cells)))
            before = reader.line_num
    except csv.Error as error:
        raise Unreadable(f"{path}:{reader.line_num}: no CSV: {error}") from None
    return _grid(path.name, path.stem, False, rows)


def _grid(file: str, name: str, is_sheet: bool, rows: list[tuple[int, tuple[object, ...]]]) -> Grid:
    if not rows:
        return Grid(file, name, is_sheet, ())
    header = tuple("" if cell is None else str(cell).strip() for cell in rows[0][1])
    return Grid(file, name, is_sheet, header, rows[1:])


def _filled(value: object) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())
