"""Records as the rows of their sheets: the way back from records to what a workbook holds."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sources.workbook.layout import Column, Sheet, sheets_of

Line = dict[str, Any]


def lines_of(sheet: Sheet, records: Iterable[Mapping[str, Any]]) -> Iterator[Line]:
    """{column: value in JSON form} of each row of a sheet; absent fields are left out."""
    for record in records:
        yield from _lines(sheet, record)


def _lines(sheet: Sheet, record: Mapping[str, Any]) -> Iterator[Line]:
    """The rows that one record of the topic has in a sheet."""
    items: list[tuple[Line, Any]] = [({column.name: record.get(column.name) for column in _top(sheet).keys}, record)]
    for depth, step in enumerate(sheet.path):
        above = _above(sheet, depth)
        items = [(_named(keys_of, held, above), item) for keys_of, held in items for item in held.get(step) or ()]
    for keys_of, item in items:
        yield {**(keys_of if sheet.is_list else {}), **_cells(sheet, item)}


def _top(sheet: Sheet) -> Sheet:
    return sheets_of(sheet.topic)[0]


def _above(sheet: Sheet, depth: int) -> Sheet:
    return next(each for each in sheets_of(sheet.topic) if each.path == sheet.path[:depth])


def _named(keys: Line, held: Any, above: Sheet) -> Line:  # noqa: ANN401 - a record of any topic
    """The keys of an item: those of its owner, and the first field of an owner that is an item itself."""
    return {**keys, above.columns[0].name: held.get(above.columns[0].name)} if above.is_list else keys


def _cells(sheet: Sheet, item: Any) -> Line:  # noqa: ANN401 - a record, or the item itself
    if not isinstance(item, Mapping):
        return {sheet.columns[0].name: item}
    found = {column.name: _at(item, column) for column in sheet.columns}
    return {name: value for name, value in found.items() if value is not None and value != ""}


def _at(item: Mapping[str, Any], column: Column) -> object:
    found: Any = item
    for step in column.path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
