"""Reads rows of PostgreSQL as records that can be sealed like those of a topic.

Acts of people, issued documents, journal postings and tokens are sealed. Triggers keep everybody except a table's owner
from altering some of them. A seal on Kafka, made with a key that the owner does not have, also shows changes by the
owner. A row is a record of the topic `hourstream.TABLE`, at the offset of its number. Columns that change legitimately
(a status, a payment) are not sealed.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import LiteralString

import orjson
from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from common.errors import Unreachable
from storage.postgres import Pool, transaction
from streaming.batch import Record

_AT_ONCE = 2000  # rows
_PATIENCE_SECONDS = 10.0


class StillWriting(Unreachable):
    """A transaction that writes the table has been open for too long to wait for its rows."""


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table: its number, its instant, and its other columns. Columns that come later are not sealed.

    `parts` are what else belongs to a row `t`, as SQL that gives text.
    """

    name: str
    number: LiteralString
    at: LiteralString
    columns: tuple[LiteralString, ...]
    parts: Mapping[str, LiteralString] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        """The name it is sealed under."""
        return f"hourstream.{self.name}"


_ISSUED_AT: LiteralString = "coalesce(t.issued_at, (SELECT run_at FROM hourstream.invoice_runs r WHERE r.run = t.run))"
_INVOICE_LINES: LiteralString = """
(SELECT coalesce(jsonb_agg(to_jsonb(l) - 'invoice_id' ORDER BY l.line), '[]')::text
 FROM (SELECT invoice_id, line, period, kind, subject, task_id, labor_category, name, note, quantity::text, unit,
              price::text, net::text, tax_category, tax_rate::text FROM hourstream.invoice_lines) l
 WHERE l.invoice_id = t.invoice_id)
"""
_INVOICE_TAXES: LiteralString = """
(SELECT coalesce(jsonb_agg(to_jsonb(x) - 'invoice_id' ORDER BY x.category, x.rate), '[]')::text
 FROM (SELECT invoice_id, category, rate::text, base::text, amount::text FROM hourstream.invoice_taxes) x
 WHERE x.invoice_id = t.invoice_id)
"""
_INVOICE_CHARGES: LiteralString = """
(SELECT coalesce(array_agg(c.charge_id ORDER BY c.charge_id COLLATE "C"), '{}')::text
 FROM hourstream.invoice_charges c WHERE c.invoice_id = t.invoice_id)
"""
# Lines of a charge are computed, not sealed: they appear later when a refused charge is posted after all.
_REVENUE_LINES: LiteralString = """
CASE t.entry WHEN 'revenue' THEN (
    SELECT coalesce(jsonb_agg(jsonb_build_array(l.line, l.account, l.debit::text, l.credit::text) ORDER BY l.line),
                    '[]')::text
    FROM hourstream.journal_lines l WHERE l.posting = t.number)
END
"""

SEALED_TABLES: Mapping[str, SealedTable] = {
    table.topic: table
    for table in (
        SealedTable("acts", "act_id", "at", ("name", "via", "act", "subject", "reason")),
        SealedTable("delivery_replays", "replay", "at", ("by", "reason", "selection")),
        SealedTable(
            "invoices",
            "issue_number",
            _ISSUED_AT,
            (
                "invoice_id", "run", "kind", "legal_entity", "year", "sequence", "client_id", "engagement_id",
                "engagement_name", "currency", "issue_date", "due_date", "po_number", "net", "tax", "rounding",
                "payable", "seller", "buyer", "tax_reason", "credits", "document", "system",
            ),
            {"lines": _INVOICE_LINES, "taxes": _INVOICE_TAXES, "charges": _INVOICE_CHARGES},
        ),
        SealedTable(
            "journal_postings",
            "number",
            "CASE t.entry WHEN 'revenue' THEN t.posted_at ELSE timestamptz '1970-01-01 00:00:00+00' END",
            (
                "system", "entry", "posting_id", "charge_id", "reverses", "subject", "kind", "engagement_id",
                "client_id", "legal_entity", "work_date", "period", "worked_minutes", "billable_minutes", "currency",
                "amount", "tax_category", "tax_rate",
            ),
            {"lines": _REVENUE_LINES},
        ),
        SealedTable(
            "api_tokens",
            "token_number",
            "created_at",
            ("token_id", "name", "digest", "role", "sees_rates", "sees_names", "created_by", "expires_at"),
        ),
        SealedTable(
            "revenue_plans", "number", "planned_at", ("engagement_id", "planned_minutes", "reason", "planned_by")
        ),
        SealedTable("revenue_runs", "run", "run_at", ("system", "period", "entries")),
    )
}  # fmt: skip


def rows_from(pool: Pool, table: SealedTable, number: int) -> Iterator[Record]:
    """The rows from a number on, in order, complete up to the last one. Raises StillWriting, Unreachable.

    Numbers are assigned before a transaction commits, so a row could appear after one with a greater number. This waits
    for every writing transaction, at most ten seconds, and reads only the numbers assigned by then. No writer waits.
    """
    end = _end(pool, table)
    while number < end:
        rows = _page(pool, table, number, end)
        if not rows:
            return
        yield from rows
        number = rows[-1].offset + 1


def beyond(pool: Pool, table: SealedTable) -> Iterator[str]:
    """Rows with a number that the table never assigned: inserted outside its sequence, and are never sealed."""
    with transaction(pool) as cursor:
        last = _given(cursor, table)
        query = sql.SQL("SELECT {n} FROM {table} WHERE {n} >= %s ORDER BY {n} LIMIT 20").format(
            n=sql.Identifier(table.number), table=sql.Identifier("hourstream", table.name)
        )
        for (number,) in cursor.execute(query, (last,)).fetchall():
            yield f"{table.topic}[0]@{number} was added with a number that the table has not given"


def _given(cursor: Cursor[TupleRow], table: SealedTable) -> int:
    """The number after the last that was given. Also of rows that are not committed yet, or never will be."""
    found = cursor.execute(
        "SELECT pg_get_serial_sequence(%s, %s)", (f"hourstream.{table.name}", table.number)
    ).fetchone()
    name = sql.SQL(str(found[0])) if found else sql.SQL("")
    last = cursor.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(name)).fetchone()
    return 0 if last is None else int(last[0]) + bool(last[1])


_WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def _end(pool: Pool, table: SealedTable) -> int:
    """A number that every row up to now is below, and every later one is not."""
    with transaction(pool) as cursor:
        end = _given(cursor, table)
        name = (f"hourstream.{table.name}",)
        writing = {str(writer) for (writer,) in cursor.execute(_WRITERS, name).fetchall()}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while writing:
        if time.monotonic() > deadline:
            raise StillWriting(f"{table.topic} is being written for over {_PATIENCE_SECONDS:g} s: it is read next time")
        time.sleep(0.05)
        with transaction(pool) as cursor:
            writing &= {str(writer) for (writer,) in cursor.execute(_WRITERS, name).fetchall()}
    return end


def _page(pool: Pool, table: SealedTable, number: int, end: int) -> Sequence[Record]:
    columns: list[sql.Composable] = [sql.SQL("t.{}::text").format(sql.Identifier(column)) for column in table.columns]
    columns += [sql.SQL(part) for part in table.parts.values()]
    at = sql.Identifier(table.at) if table.at.isidentifier() else sql.SQL(table.at)
    query = sql.SQL("SELECT t.{n}, {at}, {columns} FROM {table} t WHERE t.{n} >= %s AND t.{n} < %s ORDER BY 1 LIMIT %s")
    with transaction(pool) as cursor:
        # A value must read the same for every session.
        cursor.execute("SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL bytea_output = 'hex'")
        rows = cursor.execute(
            query.format(
                n=sql.Identifier(table.number),
                at=at,
                columns=sql.SQL(", ").join(columns),
                table=sql.Identifier("hourstream", table.name),
            ),
            (number, end, _AT_ONCE),
        ).fetchall()
    return [_record(table, int(row[0]), row[1], row[2:]) for row in rows]


def _record(table: SealedTable, number: int, at: datetime, values: Sequence[str | None]) -> Record:
    said = dict(zip((*table.columns, *table.parts), values, strict=True))
    said |= {"at": at.astimezone(UTC).isoformat(timespec="microseconds")}
    timestamp_ms = int(at.timestamp() * 1000)
    return Record(table.topic, 0, number, timestamp_ms, None, orjson.dumps(said, option=orjson.OPT_SORT_KEYS), ())
