"""Sums of what holds now, such as unbilled amounts by region: rows of the agent's state that go when they are nought.

Unlike the running totals of `tables.windows` they are of the present, and their names are as many as there is to tell
apart (engagements, days); the metrics page adds them up to few labels.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from streaming.state_tables import Numbers, StateRows
from topics import state_keys

SUM = Numbers(state_keys.SUM)  # (name, part...) -> sum
Named = tuple[str, ...]


class RollupSums:
    """Changes of one batch, written once at its end."""

    def __init__(self) -> None:
        self._changes: Counter[Named] = Counter()

    def move(self, before: Mapping[Named, int], after: Mapping[Named, int]) -> None:
        """A row that gave `before` to the sums now gives `after`."""
        self._changes.subtract(before)
        self._changes.update(after)

    def write(self, state: StateRows) -> None:
        """Put the changes into the state."""
        changes = {name: change for name, change in self._changes.items() if change}
        state.load(SUM.key(*name) for name in changes)
        for name, change in changes.items():
            now = (SUM.get(state, *name) or 0) + change
            if now:
                SUM.put(state, now, *name)
            else:
                SUM.delete(state, *name)


def sums(rows: Iterable[tuple[bytes, bytes]]) -> dict[Named, int]:
    """{(name, part...): sum} of the rows of a state; others are passed over."""
    return {SUM.parts(key): SUM.unpack(value) for key, value in rows if SUM.holds(key)}
