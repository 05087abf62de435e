"""Replays refused charges: one charge, a selection or all; stores the person and the reason."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import LiteralString

from psycopg import Cursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from storage.postgres import Pool, transaction

SELECTED = """
    (%(charge_id)s::text IS NULL OR d.charge_id = %(charge_id)s) AND (%(target)s::text IS NULL OR d.target = %(target)s)
    AND (%(code)s::text IS NULL OR d.code = %(code)s) AND (%(client_id)s::text IS NULL OR d.client_id = %(client_id)s)
    AND (%(engagement_id)s::text IS NULL OR d.engagement_id = %(engagement_id)s)
    AND (%(period)s::text IS NULL OR d.period = %(period)s) AND (%(state)s::text IS NULL OR d.state = %(state)s)
"""
# A cancelled reversal and the charge it undoes are offered again together, or not at all. What waits is due at once.
_REPLAYABLE: LiteralString = f"""
SELECT d.charge_id, d.target, d.state FROM hourstream.deliveries d
WHERE (d.charge_id, d.target) IN (
    SELECT each.charge_id, d.target
    FROM hourstream.deliveries d
    LEFT JOIN hourstream.deliveries undoing
        ON undoing.reverses = d.charge_id AND undoing.target = d.target AND undoing.state = 'cancelled'
    CROSS JOIN LATERAL (VALUES (d.charge_id),
        (CASE d.state WHEN 'cancelled' THEN coalesce(d.reverses, undoing.charge_id) END)) AS each (charge_id)
    WHERE d.state <> 'posted' AND {SELECTED})
ORDER BY d.target, d.charge_id FOR UPDATE
"""  # noqa: S608 - of two constants
_AGAIN = """
UPDATE hourstream.deliveries SET state = 'waiting', attempts = 0, alone = false, failing_since = NULL, due_at = NULL
WHERE (charge_id, target) IN (SELECT charge_id, target FROM hourstream.delivery_replayed WHERE replay = %s)
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of deliveries: those that match all given fields."""

    charge_id: str | None = None
    target: str | None = None
    code: str | None = None
    client_id: str | None = None
    engagement_id: str | None = None
    period: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A charge that is offered to a target again, and the state it was in."""

    charge_id: str
    target: str
    was: str


def replay(pool: Pool, selection: Selection, reason: str, by: str) -> list[Replayed]:
    """Replay the selected deliveries that are not posted; returns the replay. Raises Unreachable.

    Requests that match nothing are logged too. An exception stays open until the target answers.
    """
    said = {name: value for name, value in asdict(selection).items() if value is not None}
    with transaction(pool) as cursor:
        found = [Replayed(*row) for row in cursor.execute(_REPLAYABLE, asdict(selection)).fetchall()]
        number = cursor.execute(
            "INSERT INTO hourstream.delivery_replays (by, reason, selection) VALUES (%s, %s, %s) RETURNING replay",
            (by, reason, Jsonb(said)),
        ).fetchone()
        assert number is not None  # noqa: S101 - INSERT ... RETURNING
        _keep(cursor, int(number[0]), found)
        cursor.execute(_AGAIN, number)
    return found


def _keep(cursor: Cursor[TupleRow], number: int, found: Sequence[Replayed]) -> None:
    cursor.executemany(
        "INSERT INTO hourstream.delivery_replayed VALUES (%s, %s, %s, %s)",
        [(number, each.charge_id, each.target, each.was) for each in found],
    )
