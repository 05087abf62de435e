"""Partitions that go on to another worker before their turn: nobody is fenced who owns one by then."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from streaming.batch import Batch
from streaming.committer import Committer
from streaming.partitions import Partitions

MANY, NOBODY = 20, "127.0.0.1:1"


class Watched(Committer):
    """Nothing stands behind it; a fence takes until it is let through."""

    def __init__(self, partition: int, fenced: list[int], through: threading.Event) -> None:
        self.partition, self._fenced, self._through = partition, fenced, through
        self.positions: dict[str, int | None] = {}
        self.opened = 0

    def fence(self) -> None:
        self._fenced.append(self.partition)
        assert self._through.wait(30)

    def open(self) -> None:
        self.opened += 1

    def process(self, batch: Batch) -> None:
        raise AssertionError("there is no record")

    def close(self) -> None:
        return


async def until(so: Callable[[], bool]) -> None:
    """Wait for it; fails after half a minute."""
    deadline = time.monotonic() + 30
    while not so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("left", [0, 6, MANY])
def test_a_partition_that_went_on_before_its_turn_is_not_fenced(left: int) -> None:
    fenced: list[int] = []
    through = threading.Event()
    made: dict[int, list[Watched]] = {}

    def make(number: int) -> Watched:
        made.setdefault(number, []).append(Watched(number, fenced, through))
        return made[number][-1]

    async def rebalanced() -> Partitions:
        partitions = Partitions("test", NOBODY, make, seconds=0.1, largest=10)
        partitions.assign(range(MANY))
        await until(lambda: len(fenced) == 8)
        revoking = asyncio.ensure_future(partitions.revoke())
        await asyncio.sleep(0.1)
        assert not revoking.done(), "the next owner may come while fences are under way"
        through.set()
        await revoking
        assert len(fenced) == 8, "a fence began after the partitions were given back"
        partitions.assign(range(left))
        await until(lambda: sum(each.running for each in partitions.held.values()) == left)
        await partitions.close()
        return partitions

    asyncio.run(rebalanced())
    assert sorted(fenced) == sorted({*range(8), *range(left)})
    assert [number for number, each in made.items() if each[0].opened] == sorted(fenced)
