"""Writes records as a workbook with notes and drop-downs, or as CSV files."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from schemas.schema_types import Amount, Boolean, Date, Enum, Long, Text, Timestamp
from sources.workbook.grids import READ_ME
from sources.workbook.layout import Column, Sheet, sheets, sheets_of
from sources.workbook.references import REFERENCES
from sources.workbook.table import lines_of

Records = Mapping[str, Sequence[Mapping[str, Any]]]

FILE = "firm.xlsx"
_ROWS = 5_000  # for which drop-downs are offered
_NEEDED, _OPTIONAL = PatternFill("solid", fgColor="FFD9E8F6"), PatternFill("solid", fgColor="FFF2F2F2")
_FIRST_EXCEL_DAY = date(1900, 3, 1)
_INSTRUCTIONS = (
    "A firm's own data",
    "",
    "Each sheet holds one kind of record, a row each. A blue column must be filled; a grey one may stay empty.",
    "A note on each header says what the column means and what an empty cell stands for.",
    "A list is a sheet of its own: the lines of a rate card are rows of Rate lines that name their rate_card_id.",
    "The firm in here is invented. Overwrite it. Keep the tax rules, and check them.",
    "",
    "Money is a plain number. A day is a date cell, or text such as 2026-04-30. Ids are text of your own choice.",
    "Save the file, then:",
    "    hourstream check {path}",
    "    hourstream publish {path}",
    "What is published is changed by editing its row and publishing again. A row that is removed here is not deleted.",
)


def write_workbook(path: Path, records: Records) -> None:
    """Write {topic: records in JSON form} as a workbook."""
    book = Workbook()
    first = book.active
    if not isinstance(first, Worksheet):  # a new workbook has one sheet
        raise TypeError("no sheet in a new workbook")
    first.title = READ_ME
    for line in _INSTRUCTIONS:
        first.append([line.format(path=path.parent if path.name == FILE else path)])
    first["A1"].font = Font(bold=True, size=14)
    first.column_dimensions["A"].width = 110
    for sheet in sheets():
        _write_sheet(book.create_sheet(sheet.title), sheet, records.get(sheet.topic, ()))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    book.save(part)
    part.replace(path)


def write_csv(folder: Path, records: Records) -> list[Path]:
    """Write {topic: records in JSON form} as CSV files, one a sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for sheet in sheets():
        path = folder / sheet.file
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, [column.name for column in sheet.all_columns], extrasaction="ignore")
            out.writeheader()
            for line in lines_of(sheet, records.get(sheet.topic, ())):
                out.writerow({name: _as_text(value) for name, value in line.items()})
        written.append(path)
    return written


def _write_sheet(page: Worksheet, sheet: Sheet, records: Iterable[Mapping[str, Any]]) -> None:
    columns = sheet.all_columns
    for place, column in enumerate(columns, 1):
        cell = page.cell(1, place, column.name)
        cell.font = Font(bold=True)
        cell.fill = _NEEDED if column.required else _OPTIONAL
        cell.comment = Comment(_note(column), "hourstream", height=110, width=320)
        cell.alignment = Alignment(horizontal="left")
        letter = get_column_letter(place)
        page.column_dimensions[letter].width = max(12, len(column.name) + 3)
        if isinstance(column.leaf, Text | Timestamp):
            page.column_dimensions[letter].number_format = "@"
        _offer(page, sheet, column, f"{letter}2:{letter}{_ROWS}")
    page.freeze_panes = "A2"
    for row, line in enumerate(lines_of(sheet, records), 2):
        for place, column in enumerate(columns, 1):
            if column.name in line:
                cell = page.cell(row, place, _as_cell(column, line[column.name]))
                if isinstance(column.leaf, Date):
                    cell.number_format = "yyyy-mm-dd"
                elif isinstance(column.leaf, Text | Timestamp):
                    cell.number_format = "@"


def _note(column: Column) -> str:
    empty = "Must be filled." if column.required else f"Empty: {column.default or 'none'}."
    choices = f" One of: {', '.join(column.choices)}." if column.choices else ""
    return f"{column.doc}{choices} {empty}"


def _offer(page: Worksheet, sheet: Sheet, column: Column, cells: str) -> None:
    """A drop-down of the choices of a column, or of the ids that its sheet of references has."""
    if column.choices:
        offered = DataValidation(
            "list", formula1=f'"{",".join(column.choices)}"', allow_blank=True, showErrorMessage=True
        )
        offered.error = f"One of {', '.join(column.choices)}"
    elif (of := _named_sheet(sheet, column)) is not None:
        offered = DataValidation("list", formula1=f"{quote_sheetname(of.title)}!$A$2:$A${_ROWS}", allow_blank=True)
        offered.showErrorMessage = False  # a record may be published already, and not be in here
    else:
        return
    page.add_data_validation(offered)
    offered.add(cells)


def _named_sheet(sheet: Sheet, column: Column) -> Sheet | None:
    if sheet.is_list and column is sheet.keys[0]:
        return sheets_of(sheet.topic)[0]
    path = ".".join((*sheet.path, *column.path))
    topic = REFERENCES.get((sheet.topic, path))
    return None if topic is None else sheets_of(topic)[0]


def _as_cell(column: Column, value: Any) -> Any:  # noqa: ANN401 - what a cell holds
    match column.leaf:
        case Boolean():
            return _as_text(value)
        case Date():
            day = value if isinstance(value, date) else date.fromisoformat(str(value))
            return day if day >= _FIRST_EXCEL_DAY else day.isoformat()
        case Amount() | Long():
            return _number(value)
        case Enum():
            return value
        case _:
            return str(value)


def _number(value: object) -> object:
    """A number as a cell keeps it; text where a cell would lose digits."""
    number = Decimal(str(value))
    if number == number.to_integral_value() and abs(number) < 10**15:
        return int(number)
    return float(number) if Decimal(repr(float(number))) == number else format(number, "f")


def _as_text(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
