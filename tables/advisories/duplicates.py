"""Entries of different sources that may be the same work: the later one is kept out of invoices until a person decides.

Two entries may be one where source differs, engagement, person, day and minutes are equal, and their notes are near; or
where one has no readable note, their tasks are equal; or they begin within a quarter of an hour. Each entry stands for
one entry of every other source. The hold is a fact on `billing.holds`, which a person's next revision ends or makes
final.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from rapidfuzz import fuzz, utils

from common.ciphertext import tokens_in
from common.timestamps import instant
from rating.model.charge import Parked
from rating.model.facts import TimeEntry
from rating.time.advisories import counts, duplicate_subject, warning
from schemas.codec import encode
from streaming.batch import Output
from streaming.state_tables import StateRows, StateTable
from tables.advisories.warnings import Warnings
from topics import state_keys, topic_names

HOLDS = topic_names.BILLING_HOLDS
BY = "advisories"
POSSIBLE_DUPLICATE = "POSSIBLE_DUPLICATE"
_NEAR_TEXT = 75.0  # of 100
_NEAR_START_MS = 15 * 60_000
# Between two statements about one entry there is room for the revisions that people make.
_REVISIONS = 1_000


class TwinRow(msgspec.Struct, array_like=True, frozen=True):
    """An entry as it is compared; `original` is the one it may repeat, `decided` whether a person has decided."""

    revision: int
    counts: bool
    group: tuple[str, str, str]  # person, day, minutes
    source: str
    task_id: str
    note: str | None
    start: int | None
    statements: int = 0
    original: str | None = None
    decided: bool = False


class GroupRow(msgspec.Struct, array_like=True, frozen=True):
    """The entries of one engagement, person, day and number of minutes, in the order they arrived."""

    entry_ids: tuple[str, ...]


TWINS = StateTable(state_keys.TWINS, TwinRow)  # (engagement, entry)
GROUPS = StateTable(state_keys.TWIN_GROUPS, GroupRow)  # (engagement, person, day, minutes)


class Duplicates:
    """One batch's work on the entries of a partition."""

    def __init__(self, state: StateRows) -> None:
        self._state = state
        self._groups: dict[tuple[str, tuple[str, str, str]], None] = {}
        self._touched: dict[tuple[str, str], None] = {}

    def load(self, entries: Sequence[TimeEntry]) -> None:
        """Fetch the rows of a batch in one go."""
        self._state.load(TWINS.key(each.engagement_id, each.entry_id) for each in entries)
        self._state.load(GROUPS.key(each.engagement_id, *_group(each)) for each in entries)

    def take(self, entry: TimeEntry) -> None:
        """A revision of an entry."""
        engagement, name = entry.engagement_id, entry.entry_id
        before = TWINS.get(self._state, engagement, name)
        if before is not None and entry.revision <= before.revision:
            return
        after = _row(entry)
        if before is not None:
            after = msgspec.structs.replace(
                after, statements=before.statements, original=before.original, decided=before.decided
            )
        if before is None and not after.counts:
            return
        TWINS.put(self._state, after, engagement, name)
        self._touched[engagement, name] = None
        was = before.group if before is not None and before.counts else None
        now = after.group if after.counts else None
        if was is not None and was != now:
            self._members(engagement, was, [each for each in self._ids(engagement, was) if each != name])
        if now is not None:
            ids = self._ids(engagement, now)
            self._members(engagement, now, ids if name in ids else [*ids, name])

    def decide(self, hold: Mapping[str, Any]) -> None:
        """A revision of a hold: one of a person on a possible duplicate decides it."""
        entry_id = str(hold["subject"] or "").removeprefix("time:")
        if hold["by"] == BY or hold["hold_id"] != duplicate_subject(entry_id):
            return
        row = TWINS.get(self._state, hold["engagement_id"], entry_id)
        if row is not None and hold["revision"] > _revision(row) and row.original is not None:
            decided = msgspec.structs.replace(row, decided=True)
            TWINS.put(self._state, decided, hold["engagement_id"], entry_id)
            self._touched[hold["engagement_id"], entry_id] = None

    def review(self, warnings: Warnings, now_ms: int) -> Iterator[Output]:
        """The holds and warnings of what the batch touched."""
        found: dict[tuple[str, str], str] = {}
        names = dict(self._touched)
        for engagement, group in self._groups:
            ids = self._ids(engagement, group)
            names |= dict.fromkeys((engagement, each) for each in ids)
            found |= {(engagement, late): first for late, first in self._repeats(engagement, ids).items()}
        for engagement, name in names:
            row = TWINS.get(self._state, engagement, name)
            if row is None:
                continue
            if (engagement, row.group) not in self._groups and row.counts:
                original = row.original  # its group is as it was
            else:
                original = found.get((engagement, name))
            if original != row.original:
                row = self._stated(row, original)
                TWINS.put(self._state, row, engagement, name)
                yield _hold(engagement, name, row, now_ms)
            warnings.record(engagement, duplicate_subject(name), _warning(name, row))

    def _stated(self, row: TwinRow, original: str | None) -> TwinRow:
        return msgspec.structs.replace(row, original=original, decided=False, statements=row.statements + 1)

    def _repeats(self, engagement: str, ids: Sequence[str]) -> dict[str, str]:
        """{entry: the earlier one it may repeat}."""
        rows = {each: row for each in ids if (row := TWINS.get(self._state, engagement, each)) is not None}
        firsts, found, stood = list[str](), dict[str, str](), set[tuple[str, str]]()
        for name, row in rows.items():
            first = next(
                (each for each in firsts if (each, row.source) not in stood and _alike(rows[each], row)),
                None,
            )
            if first is None:
                firsts.append(name)
            else:
                stood.add((first, row.source))
                found[name] = first
        return found

    def _ids(self, engagement: str, group: tuple[str, str, str]) -> list[str]:
        row = GROUPS.get(self._state, engagement, *group)
        return [] if row is None else list(row.entry_ids)

    def _members(self, engagement: str, group: tuple[str, str, str], ids: Sequence[str]) -> None:
        self._groups[engagement, group] = None
        if ids:
            GROUPS.put(self._state, GroupRow(tuple(ids)), engagement, *group)
        else:
            GROUPS.delete(self._state, engagement, *group)


def _group(entry: TimeEntry) -> tuple[str, str, str]:
    return entry.consultant_id, entry.work_date.isoformat(), str(entry.minutes)


def _row(entry: TimeEntry) -> TwinRow:
    start = None if entry.started_at is None else round(entry.started_at.timestamp() * 1000)
    counted = counts(entry) and entry.billable and entry.minutes > 0
    return TwinRow(entry.revision, counted, _group(entry), entry.source, entry.task_id, entry.note, start)


def _alike(one: TwinRow, other: TwinRow) -> bool:
    if one.source == other.source:
        return False
    if one.start is not None and other.start is not None and abs(one.start - other.start) <= _NEAR_START_MS:
        return True
    if one.note and other.note and not tokens_in(one.note) and not tokens_in(other.note):
        return fuzz.token_set_ratio(one.note, other.note, processor=utils.default_process) >= _NEAR_TEXT
    return one.task_id == other.task_id


def _revision(row: TwinRow) -> int:
    return (row.statements - 1) * _REVISIONS + 1


def _hold(engagement: str, name: str, row: TwinRow, now_ms: int) -> Output:
    reason = f"it may be {row.original} again" if row.original else "it is no possible duplicate any more"
    record = {
        "hold_id": duplicate_subject(name),
        "engagement_id": engagement,
        "subject": f"time:{name}",
        "status": "held" if row.original else "released",
        "until": None,
        "reason": reason,
        "by": BY,
        "source": BY,
        "revision": _revision(row),
        "occurred_at": instant(now_ms),
    }
    return Output(HOLDS, engagement.encode(), encode(HOLDS, record))


def _warning(name: str, row: TwinRow) -> Parked | None:
    if row.original is None or row.decided:
        return None
    person, day, minutes = row.group
    message = (
        f"{name} of {row.source} ({minutes} minutes of {person} on {day}) may be {row.original} of another source; it "
        "is kept out of invoices until `hourstream exceptions decide` says both or duplicate"
    )
    return warning(POSSIBLE_DUPLICATE, message, row.revision)
