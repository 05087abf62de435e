"""Rows of grids by sheet: headers are matched with columns, cells become JSON forms, and faults are noted."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from schemas.bound_checks import shortened
from sources.workbook.cells import BadCell, is_blank, json_form
from sources.workbook.grids import Formula, Grid
from sources.workbook.layout import Column, Sheet, sheet_for, sheets
from sources.workbook.problems import Place, Problem


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a sheet: the filled cells by column name, the place of every column, and the columns with a bad cell."""

    sheet: Sheet
    place: Place
    values: Mapping[str, object]
    places: Mapping[str, Place]
    bad: frozenset[str]

    def key(self, columns: Iterable[Column]) -> tuple[str, ...]:
        """What the row says in some columns, as text."""
        return tuple(str(self.values.get(column.name, "")) for column in columns)


@dataclass(slots=True)
class Rows:
    """All rows of a folder or workbook by sheet, and what is wrong so far."""

    found: dict[str, list[Row]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def of(self, sheet: Sheet) -> list[Row]:
        """The rows of a sheet."""
        return self.found.get(sheet.title, [])

    def take(self, grid: Grid) -> None:
        """Add a grid's rows; an unknown sheet or column is a fault."""
        if not grid.header:
            return
        sheet = sheet_for(grid.name)
        if sheet is None:
            near = _near(grid.name, [each.title for each in sheets()])
            what = f"{grid.name!r} is no sheet of this workbook" if grid.is_sheet else f"{grid.file} is of no topic"
            self.problems.append(Problem(grid.place(), None, what, f"{near}rename or remove it"))
            return
        columns = self._columns(grid, sheet)
        rows = self.found.setdefault(sheet.title, [])
        for number, cells in grid.rows:
            rows.append(self._row(grid, sheet, columns, number, cells))

    def _columns(self, grid: Grid, sheet: Sheet) -> dict[int, Column]:
        """The column at each position. Unknown, repeated and lacking ones are faults."""
        known = {column.name.lower(): column for column in sheet.all_columns}
        columns: dict[int, Column] = {}
        for place, name in enumerate(grid.header):
            column = known.get(name.lower())
            at = grid.place(1, place, name or None)
            if column is None:
                if name:
                    near = _near(name, [each.name for each in sheet.all_columns])
                    self.problems.append(Problem(at, None, "no such column", f"{near}rename or remove the column"))
                elif any(len(cells) > place and not is_blank(cells[place]) for _, cells in grid.rows):
                    self.problems.append(Problem(at, None, "cells without a header", "name the column or clear it"))
            elif column in columns.values():
                self.problems.append(Problem(at, None, "the column is there twice", "remove one of the two"))
            else:
                columns[place] = column
        for column in sheet.all_columns:
            if column.required and column not in columns.values():
                at = grid.place(1, None, column.name)
                self.problems.append(Problem(at, None, "the column is missing", f"add the column {column.name}"))
        return columns

    def _row(
        self, grid: Grid, sheet: Sheet, columns: Mapping[int, Column], number: int, cells: tuple[object, ...]
    ) -> Row:
        values: dict[str, object] = {}
        places = {column.name: grid.place(number, at, column.name) for at, column in columns.items()}
        # A column that the sheet lacks is one fault, at its header.
        bad = {each.name for each in sheet.all_columns if each.required and each.name not in places}
        for at, column in columns.items():
            cell = cells[at] if at < len(cells) else None
            if is_blank(cell):
                continue
            try:
                values[column.name] = json_form(column.leaf, cell, column.path[-1] if column.path else column.name)
            except BadCell as wrong:
                shown = cell.text if isinstance(cell, Formula) else cell
                self.problems.append(Problem(places[column.name], shortened(shown), wrong.what, wrong.remedy))
                bad.add(column.name)
        return Row(sheet, grid.place(number), values, places, frozenset(bad))


def _near(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name.lower(), [each.lower() for each in known], n=1, cutoff=0.6)
    original = next((each for each in known if found and each.lower() == found[0]), None)
    return f"did you mean {original}? Else " if original else ""


def all_rows(grids: Iterable[Grid]) -> Rows:
    """The rows of grids."""
    rows = Rows()
    for grid in grids:
        rows.take(grid)
    return rows


def groups(rows: Iterable[Row], columns: tuple[Column, ...]) -> Iterator[tuple[tuple[str, ...], list[Row]]]:
    """Rows with the same values in some columns, in the order of the first of each."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(row.key(columns), []).append(row)
    yield from found.items()
