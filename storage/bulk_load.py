"""The rows of a batch in a temporary table, so that a batch of any size is a few set-based statements."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import LiteralString

import orjson
from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from common.decimals import plain

# The fields of a charge that are plain columns (DOMAIN.md §3), with their types as in hourstream.charges.
CHARGE_COLUMNS: Mapping[str, LiteralString] = {
    "charge_id": "text",
    "reverses": "text",
    "subject": "text",
    "kind": "text",
    "engagement_id": "text",
    "client_id": "text",
    "legal_entity": "text",
    "consultant_id": "text",
    "task_id": "text",
    "labor_category": "text",
    "work_date": "date",
    "period": "text",
    "worked_minutes": "bigint",
    "billable_minutes": "bigint",
    "rate": "numeric",
    "rate_unit": "text",
    "multiplier": "numeric",
    "currency": "text",
    "amount": "numeric",
    "reason": "text",
    "tax_category": "text",
    "tax_rate": "numeric",
    "po_number": "text",
    "region": "text",
    "approved_by": "text",
    "decided_at": "timestamptz",
    "derivation": "text",
}


def stage(
    cursor: Cursor[TupleRow],
    table: LiteralString,
    columns: Mapping[str, LiteralString],
    rows: Iterable[Sequence[object]],
) -> None:
    """Have these rows, and no others, in the temporary table `table` (columns: name to type) until the commit.

    The table lives as long as the connection, so that a batch costs no change of the catalogue.
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
