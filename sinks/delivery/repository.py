"""Database access of a deliverer: reads the queue, and records each call's answers in one transaction.

That transaction holds the state of the charges, the postings and exceptions to announce, and the figures. It first
locks the target's row at the writer's epoch: a process that has lost the target in the meantime is fenced.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import cast

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.errors import SinkFenced
from common.fault_injection import fault_point
from common.timestamps import instant_text
from rating.model.ids import posting_id
from schemas.json_codec import from_json
from sinks.delivery.exceptions import UNREACHABLE, publish_exception_changes
from sinks.delivery.posted_periods import periods_of_posted
from sinks.delivery.rate_limit import Backoff
from sinks.delivery.scheduling import QueuedCharge
from sinks.delivery.target import DeliveryAnswer
from sinks.journal import POSTINGS_TOPIC
from storage.charge_batch import ChargeRecord
from storage.live_counts import add
from storage.postgres import Pool, transaction
from topics.catalogue import CHARGES_TOPIC

CANCELLED = "REVERSES_REFUSED_CHARGE"
_ALONE_AFTER = 3  # calls without an answer
_LONGEST_SAYING = 1000  # characters
_AT_ONCE = 500  # exceptions opened in one transaction
_ANSWERS = -1  # the "partition" under which answers are counted: a call may have charges of several

# The cost grows with the waiting engagements, not with their charges: a step of `heads` is one index look-up.
_READ = """
WITH RECURSIVE heads AS (
    (SELECT engagement_id, seq FROM hourstream.deliveries WHERE target = %(target)s AND state = 'waiting'
     ORDER BY engagement_id, seq LIMIT 1)
    UNION ALL
    SELECT head.engagement_id, head.seq FROM heads CROSS JOIN LATERAL (
        SELECT d.engagement_id, d.seq FROM hourstream.deliveries d
        WHERE d.target = %(target)s AND d.state = 'waiting' AND d.engagement_id > heads.engagement_id
        ORDER BY d.engagement_id, d.seq LIMIT 1) AS head
), engagements AS (
    SELECT engagement_id FROM heads
    WHERE NOT engagement_id = ANY(%(without)s) AND NOT EXISTS (
        SELECT FROM hourstream.deliveries d WHERE d.target = %(target)s AND d.state = 'waiting' AND d.due_at > now()
            AND d.engagement_id = heads.engagement_id)
    ORDER BY seq LIMIT %(limit)s
), first AS (
    SELECT seq FROM engagements CROSS JOIN LATERAL (
        SELECT d.seq FROM hourstream.deliveries d
        WHERE d.target = %(target)s AND d.state = 'waiting' AND d.engagement_id = engagements.engagement_id
        ORDER BY d.seq LIMIT %(of_one)s) AS own
    ORDER BY seq LIMIT %(limit)s
)
SELECT d.seq, d.charge, d.attempts, d.alone, undone.state
FROM first JOIN hourstream.deliveries d ON d.seq = first.seq
LEFT JOIN hourstream.deliveries undone ON undone.charge_id = d.reverses AND undone.target = d.target
WHERE d.target = %(target)s AND d.state = 'waiting' ORDER BY d.seq
"""

_ANSWER = """
WITH answers AS (
    SELECT * FROM unnest(%(ids)s::text[], %(postings)s::text[], %(states)s::text[], %(references)s::text[],
                         %(reasons)s::text[], %(periods)s::text[])
    AS answer (charge_id, posting_id, state, reference, reason, posting_period)
), answered AS (
    UPDATE hourstream.deliveries d
    SET state = a.state, reference = a.reference, reason = a.reason, revision = d.revision + 1, attempts = 0,
        posting_period = a.posting_period,
        code = CASE a.state WHEN 'refused' THEN 'ERP_REFUSED' END,
        failing_since = NULL, due_at = NULL, answered_at = %(at)s
    FROM answers a WHERE d.charge_id = a.charge_id AND d.target = %(target)s AND d.state = 'waiting'
    RETURNING a.posting_id, d.*
)
INSERT INTO hourstream.outbox (topic, key, value)
SELECT %(topic)s, engagement_id, jsonb_build_object(
    'posting_id', posting_id, 'charge_id', charge_id, 'engagement_id', engagement_id, 'system', target,
    'status', CASE state WHEN 'posted' THEN 'posted' ELSE 'refused' END, 'reference', coalesce(reference, ''),
    'reason', reason, 'at', %(at_text)s::text, 'source', target, 'revision', revision,
    'occurred_at', %(at_text)s::text, 'posting_period', posting_period)
FROM answered ORDER BY seq
"""


class DeliveryRepository:
    """The rows of one target, as the process that delivers to it under `epoch` sees them. All may raise Unreachable,
    those that write Fenced too."""

    def __init__(self, pool: Pool, target: str, epoch: int) -> None:
        self._pool, self._target, self._epoch = pool, target, epoch

    def waiting(self, without: Collection[str], limit: int, of_one: int) -> list[QueuedCharge]:
        """The first `limit` waiting charges that are due, of engagements outside `without`, in the stream's order.

        Per engagement at most the first `of_one`; an engagement with a charge that is not due yet is left out whole.
        """
        parameters = {"target": self._target, "without": list(without), "limit": limit, "of_one": of_one}
        with transaction(self._pool) as cursor:
            rows = cursor.execute(_READ, parameters).fetchall()
        return [
            QueuedCharge(seq, cast(ChargeRecord, from_json(CHARGES_TOPIC, charge)), attempts, alone, undoes)
            for seq, charge, attempts, alone, undoes in rows
        ]

    def answered(self, answers: Sequence[DeliveryAnswer], retried: bool) -> None:
        """The target's answers to one call."""
        at = datetime.now(UTC)
        ids = [answer.charge_id for answer in answers]
        refused = [answer.charge_id for answer in answers if answer.result == "refused"]
        counts = Counter[str](answer.result for answer in answers)
        with transaction(self._pool) as cursor:
            self._fence(cursor)
            had = self._with_exceptions(cursor, ids)
            self._write(cursor, [_row(answer) for answer in answers], at)
            publish_exception_changes(cursor, {*had, *refused}, at, again=refused)
            self._count(cursor, {**counts, "answered": 1, "retried": int(retried)})
            self._count_live(cursor, at, counts)
            fault_point(f"{self._target}:recording")

    def cancel(self, reversal: str, reversed_id: str) -> bool:
        """Take a reversal and its refused charge off the queue; False if that charge waits again.

        The two net to nothing, so the target's books are right without either.
        """
        at = datetime.now(UTC)
        with transaction(self._pool) as cursor:
            self._fence(cursor)
            states = dict(
                cursor.execute(
                    "SELECT charge_id, state FROM hourstream.deliveries WHERE target = %s AND charge_id = ANY(%s)"
                    " ORDER BY charge_id FOR UPDATE",
                    (self._target, [reversal, reversed_id]),
                ).fetchall()
            )
            if states.get(reversal) != "waiting" or states.get(reversed_id) not in ("refused", "cancelled"):
                return False
            self._write(cursor, [(reversal, "cancelled", None, CANCELLED)], at)
            cursor.execute(
                "UPDATE hourstream.deliveries SET state = 'cancelled', code = NULL"
                " WHERE target = %s AND charge_id = %s",
                (self._target, reversed_id),
            )
            publish_exception_changes(cursor, [reversed_id, reversal], at)
            self._count(cursor, {"cancelled": 2})
        return True

    def unanswered(self, ids: Sequence[str], why: str, pause: float, shut: Backoff, retried: bool) -> None:
        """A call without an answer: its charges are due again in `pause` seconds."""
        with transaction(self._pool) as cursor:
            self._fence(cursor)
            cursor.execute(
                "UPDATE hourstream.deliveries SET attempts = attempts + 1, alone = alone OR attempts + 1 >= %s,"
                " failing_since = coalesce(failing_since, now()), due_at = now() + make_interval(secs => %s),"
                " reason = %s WHERE target = %s AND charge_id = ANY(%s) AND state = 'waiting'",
                (_ALONE_AFTER, pause, _kept(why), self._target, list(ids)),
            )
            cursor.execute(
                "UPDATE hourstream.delivery_targets SET paused_until = now() + make_interval(secs => %s),"
                " breaker_until = coalesce(now() + make_interval(secs => %s), breaker_until) WHERE target = %s",
                (shut.asked, shut.open_for, self._target),
            )
            opened = int(shut.open_for is not None)
            self._count(cursor, {"unanswered": 1, "retried": int(retried), "opened": opened})

    def divided(self, ids: Sequence[str]) -> None:
        """A call that was refused as a whole: each of its charges is offered alone."""
        with transaction(self._pool) as cursor:
            self._fence(cursor)
            cursor.execute(
                "UPDATE hourstream.deliveries SET alone = true"
                " WHERE target = %s AND charge_id = ANY(%s) AND state = 'waiting'",
                (self._target, list(ids)),
            )
            self._count(cursor, {"answered": 1})

    def closed(self) -> None:
        """The breaker has closed."""
        with transaction(self._pool) as cursor:
            self._fence(cursor)
            cursor.execute(
                "UPDATE hourstream.delivery_targets SET breaker_until = NULL WHERE target = %s", (self._target,)
            )

    def open_exceptions(self, budget: float) -> int:
        """Open an exception for charges without success for longer than `budget` seconds; returns their number."""
        with transaction(self._pool) as cursor:
            self._fence(cursor)
            found = cursor.execute(
                "UPDATE hourstream.deliveries SET code = %s WHERE target = %s AND charge_id IN ("
                " SELECT charge_id FROM hourstream.deliveries WHERE target = %s AND state = 'waiting'"
                " AND code IS NULL AND due_at IS NOT NULL AND failing_since < now() - make_interval(secs => %s)"
                " ORDER BY charge_id LIMIT %s FOR UPDATE) RETURNING charge_id",
                (UNREACHABLE, self._target, self._target, budget, _AT_ONCE),
            ).fetchall()
            publish_exception_changes(cursor, [charge_id for (charge_id,) in found], datetime.now(UTC))
        return len(found)

    def _fence(self, cursor: Cursor[TupleRow]) -> None:
        """Hold the target's row, or raise Fenced. One recording at a time, so their locks never cross."""
        held = cursor.execute(
            "SELECT FROM hourstream.delivery_targets WHERE target = %s AND epoch = %s FOR NO KEY UPDATE",
            (self._target, self._epoch),
        )
        if held.rowcount != 1:
            raise SinkFenced(f"another process delivers to {self._target} now")

    def _with_exceptions(self, cursor: Cursor[TupleRow], ids: list[str]) -> list[str]:
        """Those of the charges that have an open exception; all are locked."""
        rows = cursor.execute(
            "SELECT charge_id, code FROM hourstream.deliveries WHERE target = %s AND charge_id = ANY(%s)"
            " ORDER BY charge_id FOR UPDATE",
            (self._target, ids),
        ).fetchall()
        return [charge_id for charge_id, code in rows if code is not None]

    def _write(
        self, cursor: Cursor[TupleRow], answers: Sequence[tuple[str, str, str | None, str | None]], at: datetime
    ) -> None:
        """(charge, state, reference, reason) of each, and its posting to announce."""
        ids, states, references, reasons = (list(column) for column in zip(*answers, strict=True))
        periods = periods_of_posted(cursor, self._target, [id_ for id_, state, *_ in answers if state == "posted"])
        parameters = {
            "target": self._target,
            "topic": POSTINGS_TOPIC,
            "ids": ids,
            "postings": [posting_id(str(charge_id), self._target) for charge_id in ids],
            "states": states,
            "references": references,
            "reasons": reasons,
            "periods": [periods.get(str(charge_id)) for charge_id in ids],
            "at": at,
            "at_text": instant_text(at),
        }
        cursor.execute(_ANSWER, parameters)

    def _count(self, cursor: Cursor[TupleRow], counts: dict[str, int]) -> None:
        cursor.executemany(
            "INSERT INTO hourstream.delivery_counts AS c VALUES (%s, %s, %s)"
            " ON CONFLICT (target, name) DO UPDATE SET total = c.total + excluded.total",
            [(self._target, name, count) for name, count in counts.items() if count],
        )

    def _count_live(self, cursor: Cursor[TupleRow], at: datetime, counts: Counter[str]) -> None:
        minute = int(at.timestamp()) // 60
        add(cursor, self._target, _ANSWERS, {(minute, outcome): count for outcome, count in counts.items()})


def _row(answer: DeliveryAnswer) -> tuple[str, str, str | None, str | None]:
    reason = _kept(answer.reason or "no reason given") if answer.result == "refused" else None
    return answer.charge_id, answer.result, None if answer.reference is None else _kept(answer.reference), reason


def _kept(said: str) -> str:
    """A target's text as it is stored: cut to a readable length, without characters that no text column holds."""
    return said[:_LONGEST_SAYING].replace("\0", "�").encode(errors="replace").decode()
