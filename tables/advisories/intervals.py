"""Intervals of each person's work, and which of them overlap another; the cost does not grow with how many there are.

Intervals that overlap nothing (ALONE) and those that do (OVERLAPPING) are kept apart, each by length class and start:
an interval of class n has at most 4^n milliseconds, so one look a class finds all that could reach into another one.
A new interval moves the few ALONE ones it meets; of the OVERLAPPING ones, the first that it meets is enough.
"""

from collections.abc import Iterator
from typing import NamedTuple

from streaming.state_tables import StateRows, StateTable
from topics import state_keys

ALONE, OVERLAPPING = "a", "o"
ENDS = StateTable(state_keys.INTERVAL_ENDS, int)  # (person, group, class, start, engagement, entry) -> end
CLASSES = StateTable(state_keys.INTERVAL_CLASSES, dict[str, int])  # (person) -> {group and class: intervals}
_YEAR_1 = 62_135_596_800_000  # milliseconds to 1970, so that no start is below zero


class Interval(NamedTuple):
    """When an entry was worked, [start, end) in epoch milliseconds."""

    start: int
    end: int
    engagement_id: str
    entry_id: str


Of = tuple[str, str, str]  # person, engagement, entry


class Intervals:
    """One batch's work on the intervals of a partition."""

    def __init__(self, state: StateRows) -> None:
        self._state = state
        self._before: dict[Of, bool] = {}
        self._after: dict[Of, bool] = {}

    def add(self, person: str, interval: Interval) -> None:
        """Take in an interval that is not there."""
        for met in list(self._met(person, ALONE, interval)):
            self._move(person, met, ALONE, OVERLAPPING)
        overlaps = next(self._met(person, OVERLAPPING, interval), None) is not None
        self._put(person, interval, OVERLAPPING if overlaps else ALONE)
        self._note(person, interval, False, overlaps)

    def remove(self, person: str, interval: Interval) -> None:
        """Take out an interval that is there."""
        overlapped = ENDS.get(self._state, *_key(person, OVERLAPPING, interval)) is not None
        self._drop(person, interval, OVERLAPPING if overlapped else ALONE)
        self._note(person, interval, overlapped, False)
        if overlapped:
            for met in list(self._met(person, OVERLAPPING, interval)):
                others = (other for other in self._met(person, OVERLAPPING, met) if other != met)
                if next(others, None) is None:
                    self._move(person, met, OVERLAPPING, ALONE)

    def changed(self) -> Iterator[tuple[Of, bool]]:
        """Entries that overlap another one now and did not before the batch, and the other way round."""
        for name, after in self._after.items():
            if after != self._before[name]:
                yield name, after

    def _met(self, person: str, group: str, interval: Interval) -> Iterator[Interval]:
        """The intervals of a group that overlap this one, itself included where it is there."""
        for size in self._sizes(person, group):
            first = ENDS.key(person, group, size, _text(interval.start - 4 ** int(size) + 1))
            for (_, _, _, start, *name), end in ENDS.scan(self._state, person, group, size, start=first):
                began = int(start) - _YEAR_1
                if began >= interval.end:
                    break
                if end > interval.start:
                    yield Interval(began, end, *name)

    def _sizes(self, person: str, group: str) -> list[str]:
        return sorted(name[1:] for name in CLASSES.get(self._state, person) or {} if name[0] == group)

    def _move(self, person: str, interval: Interval, group: str, to: str) -> None:
        self._drop(person, interval, group)
        self._put(person, interval, to)
        self._note(person, interval, group == OVERLAPPING, to == OVERLAPPING)

    def _put(self, person: str, interval: Interval, group: str) -> None:
        ENDS.put(self._state, interval.end, *_key(person, group, interval))
        self._count(person, group + _size(interval), 1)

    def _drop(self, person: str, interval: Interval, group: str) -> None:
        ENDS.delete(self._state, *_key(person, group, interval))
        self._count(person, group + _size(interval), -1)

    def _count(self, person: str, name: str, n: int) -> None:
        counted = CLASSES.get(self._state, person) or {}
        counted = {**counted, name: counted.get(name, 0) + n}
        CLASSES.put(self._state, {name: counted[name] for name in sorted(counted) if counted[name]}, person)

    def _note(self, person: str, interval: Interval, before: bool, after: bool) -> None:
        name = person, interval.engagement_id, interval.entry_id
        self._before.setdefault(name, before)
        self._after[name] = after


def _size(interval: Interval) -> str:
    """The class: the least n with a length of at most 4^n."""
    return f"{((interval.end - interval.start - 1).bit_length() + 1) // 2:02d}"


def _key(person: str, group: str, interval: Interval) -> tuple[str, ...]:
    return person, group, _size(interval), _text(interval.start), interval.engagement_id, interval.entry_id


def _text(start: int) -> str:
    return f"{max(start + _YEAR_1, 0):015d}"
