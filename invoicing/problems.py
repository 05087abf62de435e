"""Problems of billing events and their exceptions: opened once, updated when they change, closed when healed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.errors import SinkError
from invoicing.outbox_records import EXCEPTIONS_TOPIC, announce
from invoicing.status_events import StoredEvent, note_problem
from rating.exception_record import json_exception_fields

_SAID = ("engagement_id", "code", "message", "missing", "amount_at_stake")


@dataclass(frozen=True, slots=True)
class StatusProblem:
    """Why an event says nothing yet; `missing` is (kind, id) of what would heal it."""

    code: str
    message: str
    missing: tuple[str, str] | None
    amount: Decimal | None = None


class ProblemFound(SinkError):
    """An event that cannot be used as it is."""

    def __init__(self, problem: StatusProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def announce_problem(
    cursor: Cursor[TupleRow], event: StoredEvent, problem: StatusProblem | None, engagement_id: str = ""
) -> None:
    """Publish the change of an event's exception, and keep it; the engagement is empty if unknown."""
    before = event.told
    if problem is None:
        if before is not None:
            announce(cursor, EXCEPTIONS_TOPIC, [{**before, "status": "resolved"}])
            note_problem(cursor, event, None, event.attempts)
        return
    now = _record(event, problem, engagement_id)
    if before is not None and all(before[name] == now[name] for name in _SAID):
        return
    if before is not None and before["engagement_id"] != engagement_id:
        announce(cursor, EXCEPTIONS_TOPIC, [{**before, "status": "resolved"}])
    announce(cursor, EXCEPTIONS_TOPIC, [now])
    note_problem(cursor, event, now, event.attempts + 1)


def _record(event: StoredEvent, problem: StatusProblem, engagement_id: str) -> Mapping[str, object]:
    missing = problem.missing
    return json_exception_fields(
        engagement_id,
        f"source:{event.system}:statuses:{event.event_id}",
        code=problem.code,
        message=problem.message,
        missing=None if missing is None else {"kind": missing[0], "id": missing[1], "day": None},
        amount_at_stake=problem.amount,
        status="open",
        first_seen=event.appended_at,
        attempts=event.attempts + 1,
    )
