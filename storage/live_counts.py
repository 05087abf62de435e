"""Live figures of a sink: records by outcome, a minute of the broker's append time (DESIGN: metrics)."""

from collections import Counter
from collections.abc import Mapping, Sequence

from psycopg import Cursor
from psycopg.rows import TupleRow

from storage.charge_batch import SinkBatch, Written
from storage.postgres import Pool, transaction

KEPT_MINUTES = 120
SPANS = (1, 5, 60)  # minutes of the published windows


def count(cursor: Cursor[TupleRow], sink: str, batch: SinkBatch, written: Written) -> None:
    """Add a batch's outcomes, in the transaction that writes it."""
    counts = Counter[tuple[int, str]]()
    for row, outcome in zip(batch.rows, written.outcomes, strict=True):
        minute = row.timestamp_ms // 60_000
        counts[minute, "received"] += 1
        counts[minute, outcome.result] += 1
    for timestamp_ms in batch.dead_ms:
        counts[timestamp_ms // 60_000, "received"] += 1
        counts[timestamp_ms // 60_000, "dead"] += 1
    add(cursor, sink, batch.partition, counts)


def add(cursor: Cursor[TupleRow], sink: str, partition: int, counts: Mapping[tuple[int, str], int]) -> None:
    """Add counts by (minute, outcome), in one order of rows; delete those too old to be shown."""
    cursor.executemany(
        "INSERT INTO hourstream.windows AS w VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (sink, partition, minute, outcome) DO UPDATE SET records = w.records + excluded.records",
        [(sink, partition, minute, outcome, records) for (minute, outcome), records in sorted(counts.items())],
    )
    if counts:
        latest = max(minute for minute, _ in counts)
        cursor.execute(
            "DELETE FROM hourstream.windows WHERE sink = %s AND partition = %s AND minute < %s",
            (sink, partition, latest - KEPT_MINUTES),
        )


class SinkFigures:
    """The live figures of one sink, for its worker's metrics page."""

    def __init__(self, pool: Pool, sink: str, spans: Sequence[int] = SPANS) -> None:
        self._pool, self._sink, self._spans = pool, sink, spans

    def windows(self, now_ms: int) -> dict[tuple[int, str], int]:
        """{(span in minutes, outcome): records} of the minutes that end with `now_ms`'s. Raises Unreachable."""
        this_minute, figures = now_ms // 60_000, Counter[tuple[int, str]]()
        with transaction(self._pool) as cursor:
            rows = cursor.execute(
                "SELECT minute, outcome, sum(records)::bigint FROM hourstream.windows"
                " WHERE sink = %s AND minute > %s AND minute <= %s GROUP BY minute, outcome",
                (self._sink, this_minute - max(self._spans), this_minute),
            ).fetchall()
        for minute, outcome, records in rows:
            for span in self._spans:
                figures[span, outcome] += records if this_minute - minute < span else 0
        return dict(figures)

    def totals(self) -> dict[tuple[str, ...], int]:
        """A sink keeps no running totals: they are read from its tables instead."""
        return {}
