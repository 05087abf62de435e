"""Large files of facts with every feature, from a seed: hundreds of engagements, most of them small, some huge."""

from collections.abc import Iterator, Sequence
from datetime import date
from random import Random
from typing import TypeVar

from tests.unit.tables import contents
from tests.unit.tables.contents import Content, numbered
from tests.unit.tables.drawn import World
from tests.unit.tables.drawn_facts import fact
from tests.unit.tables.drawn_masters import changed_master, first_masters
from tests.unit.tables.stream import Line

T = TypeVar("T")
ENGAGEMENTS, CONSULTANTS, CLIENTS = 300, 80, 40
CHANGES = 600  # further revisions of masters, of every kind


class _Skewed:
    """Picks one of a few of the options far more often than most others (Pareto)."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def __call__(self, options: Sequence[T], /) -> T:
        return options[int(self._random.paretovariate(0.6)) % len(options)]


def facts_file(count: int, seed: int) -> list[Line]:
    """The masters, `count` revisions of facts about them, and some repeats, in no order that means anything."""
    random = Random(seed)
    lines = numbered([*_masters(random), *_facts(random, count)])
    lines += random.sample(lines, len(lines) // 20)
    random.shuffle(lines)
    return lines


def _world(engagements: Sequence[str], ids: int) -> World:
    return World(
        engagements=engagements,
        consultants=[f"C{n}" for n in range(CONSULTANTS)],
        clients=[f"CL{n}" for n in range(CLIENTS)],
        first_day=date(2024, 1, 1),
        days=120,
        ids=ids,
    )


def _names() -> list[str]:
    return [f"E{n:03}" for n in range(ENGAGEMENTS)]


def _masters(random: Random) -> Iterator[Content]:
    world = _world(_names(), 1)
    yield from first_masters(random.choice, world)
    for jurisdiction in ("DE", "FR", "US"):
        yield contents.tax_rule("19", f"ALWAYS-{jurisdiction}", jurisdiction)
    for _ in range(CHANGES):
        yield changed_master(random.choice, world)


def _facts(random: Random, count: int) -> Iterator[Content]:
    skewed, names = _Skewed(random), _names()
    sizes: dict[str, int] = {}
    for _ in range(count):
        name = skewed(names)
        sizes[name] = sizes.get(name, 0) + 1
    for name, size in sizes.items():
        world = _world([name], size)  # ids as many as facts: some of each kind meet, as revisions or by name
        for _ in range(size):
            yield fact(random.choice, world)
