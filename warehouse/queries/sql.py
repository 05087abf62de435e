"""How every question is asked: rows as dataclasses, and conditions put together without a value in the text."""

from collections.abc import Mapping
from typing import LiteralString, TypeAlias, TypeVar

from psycopg import Cursor, sql
from psycopg.rows import TupleRow, class_row

Asking: TypeAlias = Cursor[TupleRow]
Row = TypeVar("Row")


def rows(
    cursor: Asking, shape: type[Row], query: LiteralString | sql.Composed, values: Mapping[str, object]
) -> list[Row]:
    """The rows of a query as `shape`, whose fields are the query's columns."""
    with cursor.connection.cursor(row_factory=class_row(shape)) as reader:
        return reader.execute(query, values).fetchall()


def one(
    cursor: Asking, shape: type[Row], query: LiteralString | sql.Composed, values: Mapping[str, object]
) -> Row | None:
    """The one row of a query, None where there is none."""
    return next(iter(rows(cursor, shape, query, values)), None)


def where(conditions: list[LiteralString]) -> sql.Composed:
    """A WHERE clause of all conditions; nothing for none."""
    joined = sql.SQL(" AND ").join(sql.SQL(condition) for condition in conditions)
    return sql.SQL(" WHERE {}").format(joined) if conditions else sql.Composed([])
