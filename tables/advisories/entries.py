"""Entries by engagement: the winning revision of each goes to its consultant, and what is found there comes back.

Only here, in the entry's own engagement, an overlap is raised and resolved. The consultants that an entry had are in
several partitions, whose records have no common order; so each says what it found, and that of the present one counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from common.timestamps import instant
from rating.model.charge import Parked
from rating.model.facts import TimeEntry
from rating.time.advisories import counts, interval, overlap_subject, overlapping_time
from schemas.codec import encode
from streaming.batch import Output
from streaming.state_tables import StateRows, StateTable
from tables.advisories.warnings import Warnings
from topics import state_keys, topic_names

BY_CONSULTANT = topic_names.TIME_BY_CONSULTANT


class EntryRow(msgspec.Struct, array_like=True, frozen=True):
    """The winning revision of an entry, as far as advisories look at it; start and end in epoch milliseconds."""

    revision: int
    consultant_id: str
    counts: bool
    work_date: date
    minutes: int
    start: int | None
    end: int | None


ENTRIES = StateTable(state_keys.ADVISORY_ENTRIES, EntryRow)  # (engagement, entry)
OVERLAPS = StateTable(
    state_keys.ADVISORY_OVERLAPS, bool
)  # (engagement, entry, consultant): found to overlap; no row: not


class Entries:
    """One batch's work on the entries of a partition."""

    def __init__(self, state: StateRows) -> None:
        self._state = state
        self._touched: dict[tuple[str, str], None] = {}

    def load(self, entries: Sequence[TimeEntry]) -> None:
        """Fetch the rows of a batch in one go."""
        self._state.load(ENTRIES.key(each.engagement_id, each.entry_id) for each in entries)

    def take(self, entry: TimeEntry) -> Iterator[Output]:
        """The copies that a revision sends to its consultant, and to the former one."""
        name = entry.engagement_id, entry.entry_id
        before, after = ENTRIES.get(self._state, *name), _row(entry)
        if before is not None and after.revision <= before.revision:
            return
        ENTRIES.put(self._state, after, *name)
        self._touched[name] = None
        counted = before is not None and before.counts
        if before is not None and counted and before.consultant_id != after.consultant_id:
            gone = msgspec.structs.replace(before, revision=after.revision, counts=False)
            yield _copy(*name, gone)
            counted = False
        if (after.counts or counted) and not _same(before, after):
            yield _copy(*name, after)

    def apply_finding(self, value: Mapping[str, Any]) -> None:
        """Take in whether an entry overlaps others of its consultant."""
        name = value["engagement_id"], value["entry_id"]
        if value["overlaps"]:
            OVERLAPS.put(self._state, True, *name, value["consultant_id"])
        else:
            OVERLAPS.delete(self._state, *name, value["consultant_id"])
        self._touched[name] = None

    def review(self, warnings: Warnings) -> None:
        """Find the overlaps among what the batch touched."""
        for engagement_id, entry_id in self._touched:
            row = ENTRIES.get(self._state, engagement_id, entry_id)
            found = None if row is None else self._overlap(engagement_id, entry_id, row)
            warnings.record(engagement_id, overlap_subject(entry_id), found)

    def _overlap(self, engagement_id: str, entry_id: str, row: EntryRow) -> Parked | None:
        if not row.counts or row.start is None or row.end is None:
            return None
        if not OVERLAPS.get(self._state, engagement_id, entry_id, row.consultant_id):
            return None
        return overlapping_time(entry_id, row.consultant_id, instant(row.start), instant(row.end), row.revision)


def _row(entry: TimeEntry) -> EntryRow:
    worked = interval(entry)
    start, end = (None, None) if worked is None else (round(at.timestamp() * 1000) for at in worked)
    return EntryRow(entry.revision, entry.consultant_id, counts(entry), entry.work_date, entry.minutes, start, end)


def _same(before: EntryRow | None, after: EntryRow) -> bool:
    return before is not None and msgspec.structs.replace(before, revision=after.revision) == after


def _copy(engagement_id: str, entry_id: str, row: EntryRow) -> Output:
    record = {
        "consultant_id": row.consultant_id,
        "engagement_id": engagement_id,
        "entry_id": entry_id,
        "revision": row.revision,
        "counts": row.counts,
        "work_date": row.work_date,
        "minutes": row.minutes,
        "started_at": None if row.start is None else instant(row.start),
        "ended_at": None if row.end is None else instant(row.end),
    }
    return Output(BY_CONSULTANT, row.consultant_id.encode(), encode(BY_CONSULTANT, record))
