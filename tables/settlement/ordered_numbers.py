"""Numbers of the entries of a coupled scope in order of (day, subject), which is their key, in sum trees.

So what falls on an entry of what all of them share is known without reading the others, and so are the entries on which
something else falls once numbers or terms changed (tables.settlement.cap_sums, retainer_sums, line_sums).
"""

from collections.abc import Iterable, Mapping

from streaming.state_tables import StateRows
from tables.settlement.sum_tree import Item, SumTree

DAY, MONTH = 10, 7  # characters of a key before the subject, and of its month


class OrderedNumbers:
    """A sum tree, and the numbers that its changed keys had before (None: no number)."""

    def __init__(self, state: StateRows, engagement_id: str, name: str) -> None:
        self.tree = SumTree(state, engagement_id, name)
        self.before: dict[str, int | None] = {}

    def replace(self, old: Iterable[str], new: Mapping[str, int]) -> None:
        """Have these numbers, and none of the other keys of `old`."""
        for key in old:
            if key not in new and (item := self.tree.get(key)) is not None:
                self.before.setdefault(key, item.amount)
                self.tree.remove(key)
        for key, number in new.items():
            item = self.tree.get(key)
            if item is None or item.amount != number:
                self.before.setdefault(key, None if item is None else item.amount)
                self.tree.put(Item(key, number))

    def share(self, room: int, key: str, number: int) -> int:
        """What of a number the room leaves after all keys before; less than 0 passes and gives room back."""
        before = self.tree.before(key)
        return number if number <= 0 else min(number, max(room - before.total, -before.dip))
