"""What a rule sees of a partition's state while a batch is decided: its own changes over the store.

Nothing reaches the store before the commit, so an abandoned batch leaves no trace.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Protocol


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
        self._in_order: list[bytes] = []  # their keys, as far as a scan has asked for them

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
            self._change(key, value)

    def delete(self, key: bytes) -> None:
        """Remove a row."""
        if self.get(key) is not None:
            self._change(key, None)

    def _change(self, key: bytes, value: bytes | None) -> None:
        if self._in_order and key not in self.changes:
            insort(self._in_order, key)
        self.changes[key] = value

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows with `prefix`, from key `start` on, in key order, this batch's changes (so far) included."""
        if len(self._in_order) != len(self.changes):  # the first scan
            self._in_order = sorted(self.changes)
        first, last = bisect_left(self._in_order, max(prefix, start)), bisect_left(self._in_order, _behind(prefix))
        changed = self._in_order[first : last if prefix.strip(b"\xff") else None]
        mine: Iterator[tuple[bytes, bytes | None]] = ((key, self.changes[key]) for key in changed)
        theirs = ((key, value) for key, value in self._rows.scan(prefix, start) if key not in self.changes)
        for key, value in heapq.merge(mine, theirs, key=itemgetter(0)):
            if value is not None:
                yield key, value


def _behind(prefix: bytes) -> bytes:
    """The least key that is greater than all keys with `prefix`; empty where there is none."""
    short = prefix.rstrip(b"\xff")
    return short[:-1] + bytes([short[-1] + 1]) if short else b""


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
