"""The rows of a batch in a temporary table, so that a batch of any size is a few set-based statements."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import LiteralString

import orjson
from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from common.decimals import plain


def stage(
    cursor: Cursor[TupleRow],
    table: LiteralString,
    columns: Mapping[str, LiteralString],
    rows: Iterable[Sequence[object]],
) -> None:
    """Have these rows, and no others, in the temporary table `table` (columns: name to type) until the commit.

    The table exists as long as the connection, so a batch changes no system catalogue.
    """
    shape = sql.SQL(", ").join(sql.Identifier(column) + sql.SQL(" " + kind) for column, kind in columns.items())
    if cursor.execute("SELECT to_regclass(%s)", (f"pg_temp.{table}",)).fetchone() == (None,):
        cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DELETE ROWS").format(sql.Identifier(table), shape)
        )
    else:  # the transaction may have written another part of its batch
        cursor.execute(sql.SQL("DELETE FROM pg_temp.{}").format(sql.Identifier(table)))
    with cursor.copy(sql.SQL("COPY pg_temp.{} FROM STDIN").format(sql.Identifier(table))) as copy:
        for row in rows:
            copy.write_row(row)


def as_json(value: object) -> str:
    """A nested field as JSON text: decimals as plain strings, dates and instants in ISO 8601."""
    return orjson.dumps(value, default=_decimal).decode()


def _decimal(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
