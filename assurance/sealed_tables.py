"""What people did, as it is kept in PostgreSQL, read as records that can be sealed like those of a topic.

A table's own triggers keep everybody but its owner from altering it; a seal on Kafka, made with a key that the owner
does not have, also shows what the owner did. A row is a record of the topic `hourstream.TABLE`, at the offset of its
number, with every column in its value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString

import orjson
from psycopg import sql

from storage.postgres import Pool, transaction
from streaming.batch import Record

_AT_ONCE = 5000  # rows


@dataclass(frozen=True, slots=True)
class SealedTable:
    """An append-only table: its number, its instant, and its other columns. Columns that come later are not sealed."""

    name: str
    number: LiteralString
    at: LiteralString
    columns: tuple[LiteralString, ...]

    @property
    def topic(self) -> str:
        """The name it is sealed under."""
        return f"hourstream.{self.name}"


SEALED_TABLES: Mapping[str, SealedTable] = {
    table.topic: table
    for table in (
        SealedTable("acts", "act_id", "at", ("name", "via", "act", "subject", "reason")),
        SealedTable("delivery_replays", "replay", "at", ("by", "reason", "selection")),
    )
}


def rows_from(pool: Pool, table: SealedTable, number: int) -> Iterator[Record]:
    """The rows from a number on, in order, with none that may still come in between. Raises Unreachable.

    Numbers are given before a transaction commits, so a row could come behind one with a greater number. Whoever is
    writing is waited for, at most ten seconds, and the rows of that moment are all that is read.
    """
    end = _end(pool, table)
    while number < end:
        rows = _page(pool, table, number, end)
        if not rows:
            return
        yield from rows
        number = rows[-1].offset + 1


def _end(pool: Pool, table: SealedTable) -> int:
    """A number that every row up to now is below, and every later one is not."""
    name = sql.Identifier("hourstream", table.name)
    with transaction(pool) as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(name))
        found = cursor.execute(
            sql.SQL("SELECT coalesce(max({}), -1) + 1 FROM {}").format(sql.Identifier(table.number), name)
        ).fetchone()
    return 0 if found is None else int(found[0])


def _page(pool: Pool, table: SealedTable, number: int, end: int) -> Sequence[Record]:
    columns = [sql.Identifier(column) + sql.SQL("::text") for column in table.columns]
    query = sql.SQL("SELECT {n}, {at}, {columns} FROM {table} WHERE {n} >= %s AND {n} < %s ORDER BY {n} LIMIT %s")
    with transaction(pool) as cursor:
        rows = cursor.execute(
            query.format(
                n=sql.Identifier(table.number),
                at=sql.Identifier(table.at),
                columns=sql.SQL(", ").join(columns),
                table=sql.Identifier("hourstream", table.name),
            ),
            (number, end, _AT_ONCE),
        ).fetchall()
    return [_record(table, int(row[0]), row[1], row[2:]) for row in rows]


def _record(table: SealedTable, number: int, at: datetime, values: Sequence[str | None]) -> Record:
    said = dict(zip(table.columns, values, strict=True)) | {"at": at.astimezone(UTC).isoformat(timespec="microseconds")}
    timestamp_ms = int(at.timestamp() * 1000)
    return Record(table.topic, 0, number, timestamp_ms, None, orjson.dumps(said, option=orjson.OPT_SORT_KEYS), ())
