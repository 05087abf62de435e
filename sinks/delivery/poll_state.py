"""The state of polls for invoice statuses in PostgreSQL: begun, recorded and failed polls of each target.

The results of a poll, the next cursor and the figures are one transaction. Beginning a poll postpones the next one, so
only one of several processes polls at a time. A poll is recorded only if no other was recorded since it began, so a
process that was suspended, or slower than the interval, reports nothing twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import Cursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from common.errors import SinkFenced
from common.fault_injection import fault_point
from invoicing.status_intake import EVENTS_TOPIC
from sinks.delivery.status_source import PollCursor, PollResult, StatusRecord, json_of, key_of
from storage.bulk_load import as_json
from storage.postgres import Pool, transaction
from topics.dead_letter_record import clean

_LONGEST_SAYING = 1000  # characters
# A target that deliveries found away, or that asked them for a pause, is not asked either.
_DUE = """
SELECT looks, cursor, failures, now(),
    extract(epoch FROM greatest(s.due_at, t.paused_until, t.breaker_until) - now())::float8
FROM hourstream.status_looks s LEFT JOIN hourstream.delivery_targets t USING (target)
WHERE target = %s FOR UPDATE OF s
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """A poll that has begun: its cursor, and the number of consecutive failures before it."""

    number: int
    cursor: PollCursor | None
    failures: int
    at: datetime


class PollState:
    """The polls of one target. All methods may raise Unreachable."""

    def __init__(self, pool: Pool, target: str) -> None:
        self._pool, self._target = pool, target

    def begin(self, lease: float) -> Begun | float:
        """A poll that may begin now, with no other within `lease` seconds; else the seconds until one may."""
        with transaction(self._pool) as cursor:
            cursor.execute(
                "INSERT INTO hourstream.status_looks (target) VALUES (%s) ON CONFLICT DO NOTHING", (self._target,)
            )
            looks, mark, failures, now, wait = cursor.execute(_DUE, (self._target,)).fetchall()[0]
            if wait > 0:
                return float(wait)
            self._put_off(cursor, lease)
        return Begun(int(looks), mark, int(failures), now)

    def _put_off(self, cursor: Cursor[TupleRow], seconds: float) -> None:
        cursor.execute(
            "UPDATE hourstream.status_looks SET due_at = now() + make_interval(secs => %s) WHERE target = %s",
            (seconds, self._target),
        )

    def record(self, begun: Begun, look: PollResult, every: float) -> None:
        """Record a poll's results, to be announced; the next poll follows in `every` seconds, or at once if there is
        more.

        Raises Fenced if another poll was recorded since this one began.
        """
        with transaction(self._pool) as cursor:
            moved = cursor.execute(
                "UPDATE hourstream.status_looks SET cursor = %s, looks = looks + 1, failures = 0, breaker = false,"
                " reason = NULL, told_until = CASE WHEN %s THEN told_until ELSE %s END,"
                " due_at = now() + make_interval(secs => %s) WHERE target = %s AND looks = %s",
                (Jsonb(look.cursor), look.more, begun.at, 0 if look.more else every, self._target, begun.number),
            )
            if moved.rowcount != 1:
                raise SinkFenced(f"another process has looked at {self._target} since")
            cursor.executemany(
                "INSERT INTO hourstream.outbox (topic, key, value) VALUES (%s, %s, %s)",
                [(EVENTS_TOPIC, clean(key_of(event)), as_json(_printable(json_of(event)))) for event in look.events],
            )
            self._count(cursor, {"status_answered": 1, "status_told": len(look.events)})
            if look.events:
                fault_point(f"{self._target}:telling")

    def fail(self, begun: Begun, why: str, pause: float, breaker: bool) -> None:
        """Record a poll without an answer; the next follows in `pause` seconds, with the breaker open until then."""
        with transaction(self._pool) as cursor:
            cursor.execute(
                "UPDATE hourstream.status_looks SET failures = failures + 1, breaker = %s, reason = %s,"
                " due_at = now() + make_interval(secs => %s) WHERE target = %s AND looks = %s",
                (breaker, clean(why)[:_LONGEST_SAYING], pause, self._target, begun.number),
            )
            self._count(cursor, {"status_unanswered": 1})

    def _count(self, cursor: Cursor[TupleRow], counts: Mapping[str, int]) -> None:
        cursor.executemany(
            "INSERT INTO hourstream.delivery_counts AS c VALUES (%s, %s, %s)"
            " ON CONFLICT (target, name) DO UPDATE SET total = c.total + excluded.total",
            [(self._target, name, count) for name, count in counts.items() if count],
        )


def _json(event: StatusRecord) -> str:
    return as_json(_printable(json_of(event)))


def _printable(value: object) -> object:
    """A target's text, without the characters that no text column holds."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {name: _printable(each) for name, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list) else value
