"""A sum tree: numbers by key, in key order, with sums of any beginning in logarithmic time, as many small rows.

It is a B+ tree. A node is one row of at most `MOST` items, so no row grows with the tree, and one change writes one
row a level. Keys compare by code point. `amount` is what a position is asked by; `kept` is the caller's own.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

import msgspec

from streaming.state_tables import StateRows, StateTable
from topics import state_keys

MOST = 64  # items of a node; a node that has more is cut in two
_ROOT = "0"
_KEY = attrgetter("key")


class Item(msgspec.Struct, array_like=True, frozen=True):
    """One key of a leaf: its number, and another one that the tree only keeps."""

    key: str
    amount: int
    kept: int = 0


class TreeChild(msgspec.Struct, array_like=True, frozen=True):
    """A node below: its first key, its name, and what it holds in all (`TreeSums`)."""

    key: str
    name: str
    number: int
    total: int
    peak: int  # the greatest sum of a beginning
    dip: int  # the least sum of an end, at most 0


class TreeNode(msgspec.Struct, array_like=True):
    """A leaf has items, any other node has children. The root counts the names given to nodes."""

    items: list[Item]
    children: list[TreeChild]
    names: int = 0


@dataclass(slots=True)
class Moved:
    """What changes of a tree come to: the first key of them, and by how much sums rose and fell at most."""

    start: str | None = None
    up: int = 0
    down: int = 0

    def note(self, key: str, change: int) -> None:
        """One more change of a key's number."""
        self.start = key if self.start is None else min(self.start, key)
        self.up += max(change, 0)
        self.down += max(-change, 0)


class TreeSums(NamedTuple):
    """What a run of keys comes to: how many, their sum, the greatest sum of a beginning, the least of an end."""

    number: int = 0
    total: int = 0
    peak: int = 0
    dip: int = 0


NODES = StateTable(state_keys.NODES, bytes)  # (engagement, bucket, node) -> JSON, whose integers have no largest one
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(TreeNode).decode


class SumTree:
    """One tree while a batch works on it: nodes are read as they are needed; `write` keeps the changed ones."""

    def __init__(self, state: StateRows, *parts: str) -> None:
        self._state, self._parts = state, parts
        self._nodes: dict[str, TreeNode] = {}
        self._changed: set[str] = set()

    def get(self, key: str) -> Item | None:
        """The item of a key."""
        node = self._node(_ROOT)
        while node.children:
            node = self._node(node.children[_child_of(node, key)].name)
        at = _place(node, key)
        return node.items[at] if at < len(node.items) and node.items[at].key == key else None

    def put(self, item: Item) -> None:
        """Set the item of its key."""
        root = self._node(_ROOT)
        self._put(_ROOT, root, item)
        if _size(root) > MOST:
            left, right = self._new_name(root), self._new_name(root)
            below = _halves(root)
            root.items, root.children = [], []
            for name, half in zip((left, right), below, strict=True):
                self._nodes[name] = half
                self._changed.add(name)
                root.children.append(_child(name, half))

    def keep(self, key: str, kept: int) -> None:
        """Change what is kept beside a key's number; the key is there."""
        name, node = _ROOT, self._node(_ROOT)
        while node.children:
            name = node.children[_child_of(node, key)].name
            node = self._node(name)
        at = _place(node, key)
        node.items[at] = Item(key, node.items[at].amount, kept)
        self._changed.add(name)

    def remove(self, key: str) -> None:
        """Take a key out, if it is there."""
        if self.get(key) is not None:
            self._remove(_ROOT, self._node(_ROOT), key)

    def all(self) -> TreeSums:
        """Sums of the whole tree."""
        return _sums(self._node(_ROOT))

    def first(self) -> str | None:
        """The first key."""
        root = self._node(_ROOT)
        if root.children:
            return root.children[0].key
        return root.items[0].key if root.items else None

    def before(self, key: str) -> TreeSums:
        """Sums of all keys before `key`."""
        runs, node = list[TreeSums](), self._node(_ROOT)
        while node.children:
            at = _child_of(node, key)
            runs.append(_sums_of(node.children[:at]))
            node = self._node(node.children[at].name)
        return _sums_of([*runs, _sums_of_items(node.items[: _place(node, key)])])

    def reaching(self, bound: int) -> str | None:
        """The first key up to and with which the sum is `bound` or more."""
        base, node = 0, self._node(_ROOT)
        while node.children:
            for child in node.children:
                if base + child.peak >= bound and child.number:
                    break
                base += child.total
            else:
                return None
            node = self._node(child.name)
        for item in node.items:
            base += item.amount
            if base >= bound:
                return item.key
        return None

    def crossing(self, low: int, high: int, moved: Moved) -> Iterator[tuple[Item, int]]:
        """Items that reach into `low` to `high` or did before the changes, each with the sum before it.

        No number is negative.
        """
        if moved.start is None or high < self.before(moved.start).total - moved.up:
            return
        start = self.reaching(low - moved.down)
        if start is None:
            return
        for item, before in self.items(max(start, moved.start)):
            if before - moved.up > high:
                return
            yield item, before

    def items(self, start: str = "") -> Iterator[tuple[Item, int]]:
        """Each item from the key `start` on, with the sum of all before it. The tree must not change meanwhile."""
        base = self.before(start).total if start else 0
        for item in self._items(self._node(_ROOT), start):
            yield item, base
            base += item.amount

    def differing(self, room_before: int, room: int, before: Mapping[str, int | None]) -> Iterator[str]:
        """Keys that have another share of a room than with the room and the numbers `before` (None: no number).

        Every number takes what it can of the room that the numbers before it left; one below 0 gives room back.
        Changed keys themselves are not among them. The tree must not change meanwhile.
        """
        if before or room_before != room:
            yield from self._differing(self._node(_ROOT), _Rooms(room_before, room), before, sorted(before))

    def _differing(
        self, node: TreeNode, rooms: "_Rooms", before: Mapping[str, int | None], changed: Sequence[str]
    ) -> Iterator[str]:
        if not node.children:
            yield from _differing_items(node.items, rooms, before, changed)
            return
        start = 0
        for at, child in enumerate(node.children):
            if start == len(changed) and changed and rooms.are_equal():
                rooms.pass_all(node.children[at:])
                return
            last = at == len(node.children) - 1
            end = len(changed) if last else bisect_left(changed, node.children[at + 1].key, lo=start)
            if start < end:
                yield from self._differing(self._node(child.name), rooms, before, changed[start:end])
            elif rooms.are_equal() or rooms.hold(child.peak):
                rooms.pass_by(child)
            else:
                yield from self._differing(self._node(child.name), rooms, before, ())
            start = end

    def write(self) -> None:
        """Put the changed nodes into the state."""
        for name in self._changed:
            node = self._nodes[name]
            if _size(node):
                NODES.put(self._state, _encode(node), *self._parts, name)
            else:
                NODES.delete(self._state, *self._parts, name)
        self._changed.clear()

    def clear(self) -> None:
        """Forget everything."""
        for parts, row in list(NODES.scan(self._state, *self._parts)):
            self._nodes[parts[-1]] = _decode(row)
        for name, node in self._nodes.items():
            node.items, node.children = [], []
            self._changed.add(name)

    def _node(self, name: str) -> TreeNode:
        node = self._nodes.get(name)
        if node is None:
            row = NODES.get(self._state, *self._parts, name)
            node = self._nodes[name] = TreeNode([], []) if row is None else _decode(row)
        return node

    def _new_name(self, root: TreeNode) -> str:
        root.names += 1
        return str(root.names)

    def _put(self, name: str, node: TreeNode, item: Item) -> None:
        self._changed.add(name)
        if not node.children:
            at = _place(node, item.key)
            if at < len(node.items) and node.items[at].key == item.key:
                node.items[at] = item
            else:
                node.items.insert(at, item)
            return
        at = _child_of(node, item.key)
        below_name = node.children[at].name
        below = self._node(below_name)
        self._put(below_name, below, item)
        if _size(below) > MOST:
            left, right = _halves(below)
            right_name = self._new_name(self._node(_ROOT))
            self._changed |= {_ROOT, right_name}
            self._nodes[below_name], self._nodes[right_name] = left, right
            node.children[at : at + 1] = [_child(below_name, left), _child(right_name, right)]
        else:
            node.children[at] = _child(below_name, below)

    def _remove(self, name: str, node: TreeNode, key: str) -> None:
        self._changed.add(name)
        if not node.children:
            del node.items[_place(node, key)]
            return
        at = _child_of(node, key)
        below_name = node.children[at].name
        below = self._node(below_name)
        self._remove(below_name, below, key)
        if _size(below):
            node.children[at] = _child(below_name, below)
        else:
            del node.children[at]

    def _items(self, node: TreeNode, start: str) -> Iterator[Item]:
        if node.children:
            for child in node.children[_child_of(node, start) :]:
                yield from self._items(self._node(child.name), start)
        else:
            yield from node.items[_place(node, start) :]


@dataclass(slots=True)
class _Rooms:
    """What is left of a room at a place, with the numbers before the changes and with those of now."""

    before: int
    now: int

    def are_equal(self) -> bool:
        """Whether everything from here on has the same shares, but for changed keys."""
        return self.before == self.now

    def hold(self, peak: int) -> bool:
        """Whether a run has room for all of its numbers, both times."""
        return self.before >= peak and self.now >= peak

    def pass_by(self, run: TreeChild | TreeSums) -> None:
        """Go behind a run without changed keys."""
        self.before = max(self.before - run.total, -run.dip)
        self.now = max(self.now - run.total, -run.dip)

    def pass_all(self, runs: Iterable[TreeChild]) -> None:
        """Go behind runs without changed keys."""
        self.pass_by(_sums_of(runs))


def _differing_items(
    items: Sequence[Item], rooms: _Rooms, before: Mapping[str, int | None], changed: Sequence[str]
) -> Iterator[str]:
    if rooms.are_equal():
        first = bisect_left(items, changed[0], key=_KEY) if changed else len(items)
        rooms.pass_by(_sums_of_items(items[:first]))
        items = items[first:]
    numbers = {item.key: item.amount for item in items}
    for key in sorted({*numbers, *changed}) if changed else numbers:
        now = numbers.get(key)
        was = before.get(key, now)
        if key not in before and now is not None and min(now, rooms.before) != min(now, rooms.now):
            yield key
        rooms.before = max(rooms.before - (was or 0), 0)
        rooms.now = max(rooms.now - (now or 0), 0)


def _size(node: TreeNode) -> int:
    return len(node.children) or len(node.items)


def _halves(node: TreeNode) -> tuple[TreeNode, TreeNode]:
    cut = _size(node) // 2
    return TreeNode(node.items[:cut], node.children[:cut]), TreeNode(node.items[cut:], node.children[cut:])


def _child(name: str, node: TreeNode) -> TreeChild:
    first = node.children[0].key if node.children else node.items[0].key
    return TreeChild(first, name, *_sums(node))


def _sums(node: TreeNode) -> TreeSums:
    return _sums_of(node.children) if node.children else _sums_of_items(node.items)


def _sums_of(runs: Iterable[TreeChild | TreeSums]) -> TreeSums:
    """The sums of runs that follow each other. Plain steps: this is most of what a change costs."""
    number = total = peak = dip = 0
    for run in runs:
        number += run.number
        if total + run.peak > peak:
            peak = total + run.peak
        dip += run.total
        if run.dip < dip:
            dip = run.dip
        total += run.total
    return TreeSums(number, total, peak, dip)


def _sums_of_items(items: Sequence[Item]) -> TreeSums:
    total = peak = dip = 0
    for item in items:
        total += item.amount
        if total > peak:
            peak = total
        dip += item.amount
        if dip > 0:
            dip = 0
    return TreeSums(len(items), total, peak, dip)


def _place(node: TreeNode, key: str) -> int:
    """Where in a leaf a key is, or would be."""
    return bisect_left(node.items, key, key=_KEY)


def _child_of(node: TreeNode, key: str) -> int:
    """The child that has a key, or would have it."""
    return max(bisect_right(node.children, key, key=_KEY) - 1, 0)
