"""Helpers for queries: rows as dataclasses, and conditions without values in their text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, LiteralString, TypeAlias, TypeVar

from psycopg import Cursor, sql
from psycopg.rows import RowMaker, TupleRow, class_row

Asking: TypeAlias = Cursor[TupleRow]
Row = TypeVar("Row")
Query: TypeAlias = LiteralString | sql.Composed
_AT_ONCE = 1_000


class StoredText(str):
    """A text as stored in the database. Only such texts are decrypted when they are shown."""

    __slots__ = ()


def rows(cursor: Asking, shape: type[Row], query: Query, values: Mapping[str, object]) -> list[Row]:
    """The rows of a query as `shape`, whose fields are the query's columns; their texts are `StoredText`."""
    with cursor.connection.cursor(row_factory=_of(shape)) as reader:
        return reader.execute(query, values).fetchall()


def streamed(cursor: Asking, shape: type[Row], query: Query, values: Mapping[str, object]) -> Iterator[Row]:
    """The same, some rows at a time, for answers larger than memory; other queries may run in between."""
    with cursor.connection.cursor(name="streamed", row_factory=_of(shape)) as reader:
        reader.itersize = _AT_ONCE
        yield from reader.execute(query, values)


def one(cursor: Asking, shape: type[Row], query: Query, values: Mapping[str, object]) -> Row | None:
    """The one row of a query, None where there is none."""
    return next(iter(rows(cursor, shape, query, values)), None)


def columns(shape: type, table: str) -> sql.Composed:
    """The fields of a row as columns of a table, for a row whose fields all stand in one table."""
    return sql.SQL(", ").join(sql.Identifier(table, each.name) for each in fields(shape))


def where(conditions: list[LiteralString]) -> sql.Composed:
    """A WHERE clause of all conditions; nothing for none."""
    joined = sql.SQL(" AND ").join(sql.SQL(condition) for condition in conditions)
    return sql.SQL(" WHERE {}").format(joined) if conditions else sql.Composed([])


def _of(shape: type[Row]) -> Callable[[Cursor[Any]], RowMaker[Row]]:
    def factory(cursor: Cursor[Any]) -> RowMaker[Row]:
        make = class_row(shape)(cursor)

        def made(values: Sequence[Any]) -> Row:
            return make([_stored(value) for value in values])

        return made

    return factory


def _stored(value: object) -> object:
    """A value with its texts marked, those inside of JSON and arrays too."""
    match value:
        case str():
            return StoredText(value)
        case list():
            return [_stored(each) for each in value]
        case dict():
            return {name: _stored(each) for name, each in value.items()}
        case _:
            return value
