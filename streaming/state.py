"""What a rule sees of a partition's state while a batch is decided: its own changes over the store.

Nothing reaches the store before the commit, so an abandoned batch leaves no trace. A value of more than `MOST_BYTES` is
kept in parts, each a row of its own, so that every row fits into a record of the changelog.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile
from operator import itemgetter
from typing import Protocol

from topics import state_keys

MOST_BYTES = 512 << 10  # of one row; Kafka's default largest record is twice as much
_PART = state_keys.PART.prefix
_IN_PARTS = b"\xc1"  # begins the value of a row that has parts, then their number; no MessagePack or JSON begins so
_MOST_INSERTED = 64  # into an ordered list, before it is quicker to sort it anew


class Rows(Protocol):
    """What a state stands on: a store, or a plain dictionary in tests."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]: ...
    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]: ...


class State:
    """Reads through to the store, writes stay here: `changes` are the rows to commit (None deletes)."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._known: dict[bytes, bytes | None] = {}
        self.changes: dict[bytes, bytes | None] = {}
        self._order: list[bytes] = []  # keys of changes in order, as far as a scan has asked for them

    def load(self, keys: Iterable[bytes]) -> None:
        """Fetch many rows in one go; later `get`s of them cost nothing."""
        wanted = [key for key in dict.fromkeys(keys) if key not in self._known]
        if wanted:
            self._known.update(zip(wanted, self._rows.get_many(wanted), strict=True))

    def get(self, key: bytes) -> bytes | None:
        """The row as this batch left it."""
        row = self._row(key)
        return self._joined(key, row) if row is not None and row.startswith(_IN_PARTS) else row

    def put(self, key: bytes, value: bytes) -> None:
        """Set a row; an equal value is no change."""
        before = self._row(key)
        was_in_parts = before is not None and before.startswith(_IN_PARTS)
        if was_in_parts or len(value) > MOST_BYTES or value.startswith(_IN_PARTS):
            value = self._divided(key, value)
        if before != value:
            self.changes[key] = value

    def _row(self, key: bytes) -> bytes | None:
        if key in self.changes:
            return self.changes[key]
        if key not in self._known:
            self.load((key,))
        return self._known[key]

    def _joined(self, key: bytes, row: bytes) -> bytes:
        return b"".join(self._row(_part(key, n)) or b"" for n in range(int(row[1:])))

    def _divided(self, key: bytes, value: bytes) -> bytes:
        """Put the parts of a value, and take away those that it no longer has; -> the row that stands for them."""
        parts = [value[at : at + MOST_BYTES] for at in range(0, len(value), MOST_BYTES)]
        if len(parts) < 2 and value[:1] != _IN_PARTS:
            parts = []
        before = self._row(key)
        had = int(before[1:]) if before is not None and before[:1] == _IN_PARTS else 0
        for n, part in enumerate(parts):
            if self._row(part_key := _part(key, n)) != part:
                self.changes[part_key] = part
        for n in range(len(parts), had):
            self.changes[_part(key, n)] = None
        return _IN_PARTS + b"%d" % len(parts) if parts else value

    def delete(self, key: bytes) -> None:
        """Remove a row."""
        row = self._row(key)
        if row is not None:
            if row[:1] == _IN_PARTS:
                self._divided(key, b"")
            self.changes[key] = None

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows with `prefix`, from key `start` on, in key order, this batch's changes (so far) included."""
        mine: Iterator[tuple[bytes, bytes | None]] = ((key, self.changes[key]) for key in self._changed(prefix, start))
        theirs = ((key, value) for key, value in self._rows.scan(prefix, start) if key not in self.changes)
        for key, value in heapq.merge(mine, theirs, key=itemgetter(0)):
            if value is not None:
                yield key, self._joined(key, value) if value[:1] == _IN_PARTS else value

    def _changed(self, prefix: bytes, start: bytes) -> list[bytes]:
        """Keys of changes with `prefix`, from `start` on, in order. They only grow, and new ones stand last."""
        new = len(self.changes) - len(self._order)
        if new > _MOST_INSERTED:
            self._order += islice(reversed(self.changes), new)
            self._order.sort()  # what is ordered already costs next to nothing
        else:
            for key in islice(reversed(self.changes), new):
                insort(self._order, key)
        found = islice(self._order, bisect_left(self._order, max(prefix, start)), None)
        return list(takewhile(lambda key: key.startswith(prefix), found))


def _part(key: bytes, n: int) -> bytes:
    return _PART + key + b"\0%06d" % n


class MemoryRows(dict[bytes, bytes]):
    """Rows in memory: what the unit tests of stateful rules run on."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.get(key) for key in keys]

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        for key in sorted(self):
            if key.startswith(prefix) and key >= start:
                yield key, self[key]

    def commit(self, state: State) -> None:
        """Apply a state's changes, as the plane does after a commit."""
        for key, value in state.changes.items():
            if value is None:
                self.pop(key, None)
            else:
                self[key] = value
