"""The outbox: rows that a sink has written and must still announce on Kafka (DESIGN: sinks).

Rows are queued in the transaction of the change they announce, and published afterwards, oldest first. A crash between
the broker's answer and the mark repeats rows and never loses one. Their ids are deterministic, so every reader
recognises a repeat as a duplicate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Cursor
from psycopg.rows import TupleRow

from storage.postgres import Lock, Pool, scalar, transaction


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A record to publish; `value` is its JSON form as `schemas.json_codec.from_json` takes it, `seq` its order."""

    seq: int
    topic: str
    key: str
    value: Mapping[str, object]


NUMBER = "outbox"
"""The header of an announcement that holds its row's `seq`: a record that comes again after a crash has the same."""

Publish = Callable[[Sequence[OutboxRow]], None]


class Outbox:
    """The unsent rows of one topic, fed by one process at a time."""

    def __init__(self, pool: Pool, topic: str) -> None:
        self._pool = pool
        self._topic = topic

    def feed(self, publish: Publish, limit: int = 5000) -> int:
        """Pass up to `limit` unsent rows, in order, to `publish`, then mark them sent; returns their number.

        `publish` returns only after the broker's answer to every row; its errors are passed on and leave the rows
        unsent. Returns 0 when nothing is unsent or another process is feeding. Raises Unreachable.
        """
        with transaction(self._pool) as cursor:
            if not scalar(cursor, "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", (Lock.OUTBOX, self._topic)):
                return 0
            rows = self._unsent(cursor, limit)
            if rows:
                publish(rows)
                cursor.execute(
                    "UPDATE hourstream.outbox SET sent_at = now() WHERE seq = ANY(%s)", ([row.seq for row in rows],)
                )
        return len(rows)

    def drain(self, publish: Publish, limit: int = 5000) -> int:
        """Feed until nothing is left that this process may feed; gives the number of rows."""
        total = 0
        while fed := self.feed(publish, limit):
            total += fed
        return total

    def unsent(self) -> int:
        """The number of rows yet to be sent; 0 only when everything announced is with the broker."""
        with transaction(self._pool) as cursor:
            count = "SELECT count(*) FROM hourstream.outbox WHERE topic = %s AND sent_at IS NULL"
            return int(str(scalar(cursor, count, (self._topic,))))

    def prune(self, sent_before: datetime) -> int:
        """Delete rows sent before an instant; gives their number."""
        with transaction(self._pool) as cursor:
            return cursor.execute(
                "DELETE FROM hourstream.outbox WHERE topic = %s AND sent_at < %s", (self._topic, sent_before)
            ).rowcount

    def _unsent(self, cursor: Cursor[TupleRow], limit: int) -> list[OutboxRow]:
        found = cursor.execute(
            "SELECT seq, topic, key, value FROM hourstream.outbox"
            " WHERE topic = %s AND sent_at IS NULL ORDER BY seq LIMIT %s",
            (self._topic, limit),
        )
        return [OutboxRow(*row) for row in found.fetchall()]
