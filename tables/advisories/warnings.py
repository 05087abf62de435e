"""The advisory exceptions that stand as published; a batch publishes what is otherwise at its end."""

from collections.abc import Iterator

from rating.model.charge import Parked
from schemas.codec import encode
from streaming.batch import Output
from streaming.state_tables import StateRows, StateTable
from tables.settlement.exception_record import (
    EXCEPTIONS,
    RESOLVED,
    StandingException,
    advance,
    exception_record,
)
from tables.windows import Tally
from topics import state_keys

STANDING = StateTable(state_keys.WARNINGS, StandingException)  # (engagement, subject) -> the open exception


class Warnings:
    """One batch's findings; the last of a subject counts."""

    def __init__(self, state: StateRows) -> None:
        self._state = state
        self._found: dict[tuple[str, str], Parked | None] = {}

    def record(self, engagement_id: str, subject: str, warning: Parked | None) -> None:
        """Note the warning of a subject; None where it has none."""
        self._found[engagement_id, subject] = warning

    def publish(self, now_ms: int, tally: Tally) -> Iterator[Output]:
        """A record a change; the rows are written."""
        self._state.load(STANDING.key(*where) for where in self._found)
        for (engagement_id, subject), found in self._found.items():
            before = STANDING.get(self._state, engagement_id, subject)
            after = advance(before, found, now_ms)
            if after == before:
                continue
            if after is not None:
                STANDING.put(self._state, after, engagement_id, subject)
                record = exception_record(engagement_id, subject, after)
            elif before is not None:
                STANDING.delete(self._state, engagement_id, subject)
                record = exception_record(engagement_id, subject, before, RESOLVED)
            tally.count("resolved" if after is None else "open", now_ms)
            yield Output(EXCEPTIONS, engagement_id.encode(), encode(EXCEPTIONS, record))
