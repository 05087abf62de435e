"""Writes a batch of records of all topics into the console's read models, in one database transaction.

The positions of all topics move with the rows, so a batch that is read twice is fenced; rows are also idempotent by id.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import LiteralString

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.errors import Health
from common.fault_injection import fault_point
from storage.bulk_load import stage
from storage.charge_batch import SinkBatch
from storage.isolated_write import SetAside, write_isolated
from storage.positions import advance, position
from storage.postgres import Pool, check, transaction
from warehouse.events import (
    EXCEPTIONS,
    STATUSES,
    TIME,
    TOPICS,
    Arrival,
    exception_row,
    flow_of,
    history_of,
    status_row,
    time_row,
)

NAME = "warehouse"
KEPT_MINUTES = 40 * 24 * 60  # of the figures of throughput

_EXCEPTION_COLUMNS: Mapping[str, LiteralString] = {
    "exception_id": "text", "engagement_id": "text", "subject": "text", "revision": "bigint", "code": "text",
    "message": "text", "missing_kind": "text", "missing_id": "text", "missing_day": "date", "amount": "numeric",
    "minutes": "bigint", "status": "text", "first_seen": "timestamptz", "attempts": "bigint", "owner": "text",
    "region": "text", "changed_at": "timestamptz", "partition": "integer", "record_offset": "bigint",
}  # fmt: skip
_TIME_COLUMNS: Mapping[str, LiteralString] = {
    "engagement_id": "text", "entry_id": "text", "revision": "bigint", "status": "text", "task_id": "text",
    "consultant_id": "text", "labor_category": "text", "work_date": "date", "minutes": "bigint", "billable": "boolean",
    "approved_by": "text", "appended_at": "timestamptz", "partition": "integer", "record_offset": "bigint",
}  # fmt: skip
_HISTORY_COLUMNS: Mapping[str, LiteralString] = {
    "topic": "text", "partition": "integer", "record_offset": "bigint", "engagement_id": "text", "subject": "text",
    "appended_at": "timestamptz", "stage": "text", "what": "text", "source": "text",
}  # fmt: skip

_EXCEPTIONS = """
INSERT INTO hourstream.exceptions AS e
SELECT DISTINCT ON (exception_id) * FROM pg_temp.staged_exceptions ORDER BY exception_id, record_offset DESC
ON CONFLICT (exception_id) DO UPDATE SET
    revision = excluded.revision, code = excluded.code, message = excluded.message,
    missing_kind = excluded.missing_kind, missing_id = excluded.missing_id, missing_day = excluded.missing_day,
    amount = excluded.amount, minutes = excluded.minutes, status = excluded.status, first_seen = excluded.first_seen,
    attempts = excluded.attempts, owner = excluded.owner, region = excluded.region, changed_at = excluded.changed_at,
    record_offset = excluded.record_offset
    WHERE excluded.record_offset > e.record_offset
"""

# The highest revision wins; of equal ones the first seen stays (DOMAIN §1).
_TIME = """
INSERT INTO hourstream.time_entries AS t
SELECT DISTINCT ON (engagement_id, entry_id) * FROM pg_temp.staged_entries
ORDER BY engagement_id, entry_id, revision DESC, record_offset
ON CONFLICT (engagement_id, entry_id) DO UPDATE SET
    revision = excluded.revision, status = excluded.status, task_id = excluded.task_id,
    consultant_id = excluded.consultant_id, labor_category = excluded.labor_category, work_date = excluded.work_date,
    minutes = excluded.minutes, billable = excluded.billable, approved_by = excluded.approved_by,
    appended_at = excluded.appended_at, record_offset = excluded.record_offset
    WHERE excluded.revision > t.revision
"""
_HISTORY = "INSERT INTO hourstream.history SELECT * FROM pg_temp.staged_history ON CONFLICT DO NOTHING"
_STATUS = (
    "INSERT INTO hourstream.invoice_statuses VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
_FLOW = (
    "INSERT INTO hourstream.flow AS f VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (minute, what, partition) DO UPDATE SET records = f.records + excluded.records"
)
_WINDOW = (
    "INSERT INTO hourstream.windows AS w VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT (sink, partition, minute, outcome) DO UPDATE SET records = w.records + excluded.records"
)


class Warehouse:
    """The read models as a target of batches. Methods may be called from several threads, one per partition."""

    name = NAME

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def positions(self, partition: int) -> dict[str, int]:
        """The next offset to read of each topic, 0 before the first batch. Raises Unreachable."""
        with transaction(self._pool) as cursor:
            return {topic: position(cursor, NAME, topic, partition) for topic in TOPICS}

    def write(
        self,
        partition: int,
        ends: Mapping[str, tuple[int, int]],
        arrivals: Sequence[Arrival],
        set_aside: SetAside[Arrival] | None = None,
    ) -> None:
        """Take records in and move the position of each topic of `ends` (start, end).

        Records that the database cannot hold go to `set_aside`. Raises Fenced, Unreachable, Misconfigured.
        """

        def begin(cursor: Cursor[TupleRow]) -> None:
            for topic, (start, end) in sorted(ends.items()):
                advance(cursor, NAME, SinkBatch(topic, partition, start, end, ()))

        def take(cursor: Cursor[TupleRow], part: Sequence[Arrival]) -> None:
            _write_models(cursor, part)
            _write_history(cursor, part)
            _count(cursor, partition, part)

        def finish(_: Cursor[TupleRow]) -> None:
            fault_point(f"{NAME}:written")

        write_isolated(self._pool, f"{NAME} partition {partition}", arrivals, begin, take, finish, set_aside)

    def health(self) -> Health:
        """Whether PostgreSQL answers."""
        return check(self._pool)


def _write_models(cursor: Cursor[TupleRow], arrivals: Iterable[Arrival]) -> None:
    of_topic: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        of_topic.setdefault(arrival.topic, []).append(arrival)
    if found := of_topic.get(EXCEPTIONS):
        stage(cursor, "staged_exceptions", _EXCEPTION_COLUMNS, map(exception_row, found))
        cursor.execute(_EXCEPTIONS)
    if found := of_topic.get(TIME):
        stage(cursor, "staged_entries", _TIME_COLUMNS, map(time_row, found))
        cursor.execute(_TIME)
    if found := of_topic.get(STATUSES):
        cursor.executemany(_STATUS, [status_row(arrival) for arrival in found])


def _write_history(cursor: Cursor[TupleRow], arrivals: Iterable[Arrival]) -> None:
    rows = [
        (a.topic, a.partition, a.offset, a.text("engagement_id"), subject, a.appended_at, stage_, what, a.source)
        for a in arrivals
        if (told := history_of(a)) is not None
        for subject, stage_, what in (told,)
    ]
    if rows:
        stage(cursor, "staged_history", _HISTORY_COLUMNS, rows)
        cursor.execute(_HISTORY)


def _count(cursor: Cursor[TupleRow], partition: int, arrivals: Sequence[Arrival]) -> None:
    if not arrivals:
        return
    minutes = [int(arrival.appended_at.timestamp()) // 60 for arrival in arrivals]
    flows = Counter((minute, flow_of(arrival)) for minute, arrival in zip(minutes, arrivals, strict=True))
    received = Counter(minutes)
    cursor.executemany(_FLOW, [(partition, minute, what, n) for (minute, what), n in sorted(flows.items())])
    cursor.executemany(_WINDOW, [(NAME, partition, minute, "received", n) for minute, n in sorted(received.items())])
    latest = max(minutes)
    cursor.execute("DELETE FROM hourstream.windows WHERE sink = %s AND partition = %s AND minute < %s",
                   (NAME, partition, latest - 120))  # fmt: skip
    cursor.execute(
        "DELETE FROM hourstream.flow WHERE partition = %s AND minute < %s", (partition, latest - KEPT_MINUTES)
    )
