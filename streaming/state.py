"""What a rule sees of a partition's state while a batch is decided: its own changes over the store.

Nothing reaches the store before the commit, so an abandoned batch leaves no trace.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile
from operator import itemgetter
from typing import Protocol

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
        if key in self.changes:
            return self.changes[key]
        if key not in self._known:
            self.load((key,))
        return self._known[key]

    def put(self, key: bytes, value: bytes) -> None:
        """Set a row; an equal value is no change."""
        if self.get(key) != value:
            self.changes[key] = value

    def delete(self, key: bytes) -> None:
        """Remove a row."""
        if self.get(key) is not None:
            self.changes[key] = None

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows with `prefix`, from key `start` on, in key order, this batch's changes (so far) included."""
        mine: Iterator[tuple[bytes, bytes | None]] = ((key, self.changes[key]) for key in self._changed(prefix, start))
        theirs = ((key, value) for key, value in self._rows.scan(prefix, start) if key not in self.changes)
        for key, value in heapq.merge(mine, theirs, key=itemgetter(0)):
            if value is not None:
                yield key, value

    def _changed(self, prefix: bytes, start: bytes) -> list[bytes]:
        """Keys of changes with `prefix`, from `start` on, in order. They only grow, and new ones stand last."""
        new = len(self.changes) - len(self._order)
        if new > _MOST_INSERTED:
            self._order = sorted(self.changes)
        else:
            for key in islice(reversed(self.changes), new):
                insort(self._order, key)
        found = islice(self._order, bisect_left(self._order, max(prefix, start)), None)
        return list(takewhile(lambda key: key.startswith(prefix), found))


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
