"""Live figures: counts per minute of the broker's append time, and running totals, kept in the agent's own state.

They are rows like any other, committed with the batch that they count, so a restart loses none and repeats none.
Append time, not business dates: history that is replayed still shows as live load.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from streaming.state_tables import Numbers, StateRows

WINDOW = Numbers(b"~w")  # (minute, outcome) -> count
TOTAL = Numbers(b"~t")  # (name, label...) -> running total
KEPT_MINUTES = 120
SPANS = (1, 5, 60)  # minutes of the published windows


class Tally:
    """Counts of one batch, written once at its end."""

    def __init__(self) -> None:
        self._outcomes: Counter[tuple[int, str]] = Counter()
        self._totals: Counter[tuple[str, ...]] = Counter()

    def count(self, outcome: str, timestamp_ms: int, n: int = 1) -> None:
        """`n` more of `outcome` in the minute of that append time."""
        if n:
            self._outcomes[timestamp_ms // 60_000, outcome] += n

    def count_each(self, outcome: str, timestamps_ms: Iterable[int]) -> None:
        """One more of `outcome` for each append time."""
        for minute, n in Counter([ms // 60_000 for ms in timestamps_ms]).items():
            self._outcomes[minute, outcome] += n

    def add(self, n: int, name: str, *labels: str) -> None:
        """Change a running total by `n`."""
        if n:
            self._totals[(name, *labels)] += n

    def write(self, state: StateRows) -> None:
        """Put all counts into the state, and drop minutes that no window reaches any more."""
        minute_is_new = False
        for (minute, outcome), n in self._outcomes.items():
            parts = (f"{minute:010d}", outcome)
            before = WINDOW.get(state, *parts)
            minute_is_new |= before is None
            WINDOW.put(state, (before or 0) + n, *parts)
        for labels, n in self._totals.items():
            if n:  # what went up and down again changes no row
                TOTAL.put(state, (TOTAL.get(state, *labels) or 0) + n, *labels)
        if minute_is_new:
            oldest = f"{max(minute for minute, _ in self._outcomes) - KEPT_MINUTES:010d}"
            for (minute_key, outcome), _ in list(WINDOW.scan(state)):
                if minute_key >= oldest:
                    break
                WINDOW.delete(state, minute_key, outcome)


class _Read(Protocol):
    """A record, as far as it is counted."""

    @property
    def timestamp_ms(self) -> int: ...


def count_set_aside(state: StateRows, records: Sequence[_Read]) -> None:
    """Count records that no rule could decide: received, and dead."""
    tally = Tally()
    for outcome in ("received", "dead"):
        tally.count_each(outcome, (record.timestamp_ms for record in records))
    tally.write(state)


def windows(rows: Iterable[tuple[bytes, bytes]], now_ms: int) -> dict[tuple[int, str], int]:
    """{(span in minutes, outcome): count} of the minutes that end with `now_ms`'s."""
    this_minute, figures = now_ms // 60_000, Counter[tuple[int, str]]()
    for parts, n in WINDOW.scan(_Snapshot(rows)):
        age = this_minute - int(parts[0])
        for span in SPANS:
            figures[span, parts[1]] += n if 0 <= age < span else 0
    return dict(figures)


def totals(rows: Iterable[tuple[bytes, bytes]]) -> dict[tuple[str, ...], int]:
    """{(name, label...): running total}."""
    return dict(TOTAL.scan(_Snapshot(rows)))


class _Snapshot:
    """Read-only rows, for the accessors above."""

    def __init__(self, rows: Iterable[tuple[bytes, bytes]] | Mapping[bytes, bytes]) -> None:
        self._rows = dict(rows)

    def load(self, keys: Iterable[bytes]) -> None: ...

    def get(self, key: bytes) -> bytes | None:
        return self._rows.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        raise TypeError("a snapshot is read-only")

    def delete(self, key: bytes) -> None:
        raise TypeError("a snapshot is read-only")

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return ((k, v) for k, v in sorted(self._rows.items()) if k.startswith(prefix) and k >= start)
