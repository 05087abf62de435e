"""Records of a topic from the rows of its sheets: nested records from columns, lists from the sheets of lists.

Each part of a record keeps its place in the workbook, so that a fault names its cell.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.schema_types import AvroRecord, Optional
from sources.workbook.layout import Column, Sheet, sheets_of
from sources.workbook.problems import Place, Problem
from sources.workbook.rows import Row, Rows


@dataclass(slots=True)
class Draft:
    """A record in JSON form, not checked yet: the place of each path, and the paths whose cell is bad already."""

    topic: str
    place: Place
    value: dict[str, Any]
    places: dict[str, Place] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)

    def place_of(self, path: str) -> Place:
        """The place of a path, else that of the nearest part it is in."""
        at = path
        while at:
            if at in self.places:
                return self.places[at]
            cut = max(at.rfind("."), at.rfind("["))
            at = at[:cut] if cut > 0 else ""
        first = next((known for name, known in self.places.items() if name.startswith(f"{path}.")), None)
        place = first or self.place
        return Place(place.file, place.sheet, place.row, place.letter, path or place.column)


def drafts(topic: str, shape: AvroRecord, rows: Rows) -> Iterator[Draft]:
    """The records of a topic. Items of a list that belong to no row are faults, added to those of `rows`."""
    top, *lists = sheets_of(topic)
    by_key: dict[tuple[str, ...], Draft] = {}
    found = []
    for row in rows.of(top):
        draft = Draft(topic, row.place, {})
        _take(draft, draft.value, row, top, shape, "")
        found.append(draft)
        by_key.setdefault(row.key(top.keys), draft)
    items: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Draft, dict[str, Any], str]] = {
        ((), key): (draft, draft.value, "") for key, draft in by_key.items()
    }
    for sheet in lists:
        _attach(rows, sheet, shape, items)
    return iter(found)


def _attach(
    rows: Rows,
    sheet: Sheet,
    shape: AvroRecord,
    items: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Draft, dict[str, Any], str]],
) -> None:
    """Put the rows of a sheet of items into the lists of the rows that they name."""
    item_shape = _items_at(shape, sheet.path)
    for row in rows.of(sheet):
        if any(not row.values.get(column.name) for column in sheet.keys):
            for column in sheet.keys:
                if not row.values.get(column.name) and column.name not in row.bad:
                    place = row.places.get(column.name, row.place)
                    rows.problems.append(Problem(place, "missing", "names no row", f"give the {column.name}"))
            continue
        owner = items.get((sheet.path[:-1], row.key(sheet.keys)))
        if owner is None:
            column = sheet.keys[-1]
            place = row.places.get(column.name, row.place)
            of = _title_of(sheet)
            what = f"no row of {of} has it"
            rows.problems.append(Problem(place, repr(row.values[column.name]), what, f"add it to {of}, or correct it"))
            continue
        draft, record, at = owner
        held = record.setdefault(sheet.path[-1], [])
        path = f"{at}{sheet.path[-1]}[{len(held)}]"
        if isinstance(item_shape, AvroRecord):
            item: dict[str, Any] = {}
            held.append(item)
            draft.places[path] = row.place
            _take(draft, item, row, sheet, item_shape, f"{path}.")
            own = sheet.columns[0].name
            items.setdefault(
                (sheet.path, (*row.key(sheet.keys), str(row.values.get(own, "")))), (draft, item, f"{path}.")
            )
        else:
            (column,) = sheet.columns
            held.append(row.values.get(column.name))
            draft.places[path] = row.places.get(column.name, row.place)
            if column.name in row.bad:
                draft.bad.add(path)


def _take(draft: Draft, record: dict[str, Any], row: Row, sheet: Sheet, shape: AvroRecord, at: str) -> None:
    """The cells of a row as the fields of a record; a group of columns that is empty as a whole is absent."""
    own = sheet.columns if sheet.is_list else sheet.all_columns
    for column in own:
        path = f"{at}{column.name}"
        if column.name in row.places:
            draft.places[path] = row.places[column.name]
        if column.name in row.bad:
            draft.bad.add(path)
        if column.name not in row.values and (column.name not in row.bad or not _is_grouped(column, shape)):
            continue
        held = record
        for step in column.path[:-1]:
            held = held.setdefault(step, {})
        if column.name in row.values:
            held[column.path[-1]] = row.values[column.name]


def _is_grouped(column: Column, shape: AvroRecord) -> bool:
    """Whether a column is of a group that may be absent: a bad cell there makes it present."""
    first = next(each.shape for each in shape.fields if each.name == column.path[0])
    return isinstance(first, Optional) and len(column.path) > 1


def _items_at(shape: AvroRecord, path: tuple[str, ...]) -> object:
    found: Any = shape
    for step in path:
        field_shape = next(each.shape for each in found.fields if each.name == step)
        found = field_shape.items
    return found


def _title_of(sheet: Sheet) -> str:
    """The sheet that holds what a sheet of items belongs to."""
    return next(each.title for each in sheets_of(sheet.topic) if each.path == sheet.path[:-1])


def by_id(found: list[Mapping[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """Records by one of their fields."""
    return {str(each[name]): dict(each) for each in found if each.get(name)}
