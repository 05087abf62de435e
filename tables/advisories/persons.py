"""Time by person, over all engagements: minutes of each day, and the entries that overlap another one."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from rating.time.advisories import exceeds_day, person_day_over_24h, person_day_subject
from schemas.codec import encode
from streaming.batch import Output
from streaming.state_tables import Numbers, StateRows, StateTable
from tables.advisories.intervals import Interval, Intervals
from tables.advisories.warnings import Warnings
from topics import state_keys, topic_names

OVERLAPS = topic_names.TIME_OVERLAPS


class WorkRow(msgspec.Struct, array_like=True, frozen=True):
    """An entry of a person; one that does not count is kept, so that older revisions change nothing."""

    revision: int
    counts: bool
    work_date: date
    minutes: int
    start: int | None
    end: int | None


WORK = StateTable(state_keys.PERSON_WORK, WorkRow)  # (person, engagement, entry)
DAYS = Numbers(state_keys.PERSON_DAYS)  # (person, day) -> minutes


class PersonEntries:
    """One batch's work on the persons of a partition."""

    def __init__(self, state: StateRows) -> None:
        self._state, self._intervals = state, Intervals(state)
        self._days: dict[tuple[str, date], None] = {}

    def load(self, values: Sequence[Mapping[str, Any]]) -> None:
        """Fetch the rows of a batch in one go."""
        self._state.load(
            key
            for value in values
            for key in (
                WORK.key(value["consultant_id"], value["engagement_id"], value["entry_id"]),
                DAYS.key(value["consultant_id"], value["work_date"].isoformat()),
            )
        )

    def take(self, value: Mapping[str, Any]) -> None:
        """A record of `time.by-consultant`."""
        person, *entry = (value[name] for name in ("consultant_id", "engagement_id", "entry_id"))
        before, after = WORK.get(self._state, person, *entry), _row(value)
        if before is not None and after.revision <= before.revision:
            return
        WORK.put(self._state, after, person, *entry)
        was = before if before is not None and before.counts else None
        now = after if after.counts else None
        self._count(person, was, -1)
        self._count(person, now, 1)
        left, entered = _interval(was, entry), _interval(now, entry)
        if left != entered:
            if left is not None:
                self._intervals.remove(person, left)
            if entered is not None:
                self._intervals.add(person, entered)

    def _count(self, person: str, work: WorkRow | None, sign: int) -> None:
        if work is None:
            return
        day = work.work_date.isoformat()
        minutes = (DAYS.get(self._state, person, day) or 0) + sign * work.minutes
        if minutes:
            DAYS.put(self._state, minutes, person, day)
        else:
            DAYS.delete(self._state, person, day)
        self._days[person, work.work_date] = None

    def review(self, warnings: Warnings) -> None:
        """Find the days of more than 24 hours among what the batch touched."""
        for person, day in self._days:
            minutes = DAYS.get(self._state, person, day.isoformat()) or 0
            found = person_day_over_24h(person, day, minutes) if exceeds_day(minutes) else None
            warnings.record("", person_day_subject(person, day), found)

    def findings(self) -> Iterator[Output]:
        """For each entry that overlaps another one now and did not before, or the other way round, a record."""
        for (person, engagement_id, entry_id), overlaps in self._intervals.changed():
            record = {
                "engagement_id": engagement_id,
                "entry_id": entry_id,
                "consultant_id": person,
                "overlaps": overlaps,
            }
            yield Output(OVERLAPS, engagement_id.encode(), encode(OVERLAPS, record))


def _row(value: Mapping[str, Any]) -> WorkRow:
    start, end = (
        None if at is None else round(at.timestamp() * 1000) for at in (value["started_at"], value["ended_at"])
    )
    return WorkRow(value["revision"], value["counts"], value["work_date"], value["minutes"], start, end)


def _interval(work: WorkRow | None, entry: Sequence[str]) -> Interval | None:
    if work is None or work.start is None or work.end is None:
        return None
    return Interval(work.start, work.end, *entry)
