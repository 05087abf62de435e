"""Random small histories of everything the stream takes in, and ways for them to arrive.

Ids are few, so that revisions, corrections to another day or consultant, withdrawals and facts about facts meet often.
A content is drawn without a revision; its place among the contents of its identity is its revision, so that the highest
revision says the same in whatever order the lines arrive. Every content and the whole arrival are drawn as bytes: one
draw each keeps thousands of histories affordable, and Hypothesis shrinks them to the first, plainest options.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tables.settlement.bucket_store import MOST_BYTES
from tests.unit.tables.contents import numbered
from tests.unit.tables.drawn import Bytes, World
from tests.unit.tables.drawn_facts import fact
from tests.unit.tables.drawn_masters import changed_master, first_masters
from tests.unit.tables.stream import Line

WORLD = World()
_FIRST = st.binary(min_size=80, max_size=80)
_CONTENT = st.binary(min_size=32, max_size=32)


@dataclass(frozen=True)
class Arrival:
    """A way for lines to arrive: in which batches, after which of them the worker is started again, sweeps cut how.

    A bucket of more than `most_bytes` is many rows.
    """

    batches: tuple[tuple[Line, ...], ...]
    restarts: frozenset[int]
    chunk: int
    most_bytes: int = MOST_BYTES


@st.composite
def histories(draw: st.DrawFn) -> list[Line]:
    """Lines without conflicts; some masters are missing, some changed several times."""
    masters = first_masters(Bytes(draw(_FIRST)), WORLD)
    lacking = {len(masters) * byte >> 8 for byte in draw(st.just(b"") | st.binary(max_size=2))}
    changed = [changed_master(Bytes(drawn), WORLD) for drawn in draw(st.lists(_CONTENT, max_size=6))]
    facts = [fact(Bytes(drawn), WORLD) for drawn in draw(st.lists(_CONTENT, min_size=6, max_size=24))]
    return numbered([*(each for n, each in enumerate(masters) if n not in lacking), *changed, *facts])


@st.composite
def arrivals(draw: st.DrawFn, lines: Sequence[Line], largest_batch: int = 1) -> Arrival:
    """Any permutation, with repeats (of which some were sent at another time), in batches of up to so many."""
    pick = Bytes(draw(st.binary(min_size=12, max_size=12)))
    repeats = [_sent_again(pick, pick(lines)) for _ in range(pick(range(6)))]
    keys = draw(st.binary(min_size=len(lines) + len(repeats), max_size=len(lines) + len(repeats)))
    order = [each for _, each in sorted(zip(keys, [*lines, *repeats], strict=True), key=lambda pair: pair[0])]
    sizes = draw(st.lists(st.integers(1, largest_batch), min_size=1, max_size=5)) if largest_batch > 1 else [1]
    batches, start, turn = [], 0, 0
    while start < len(order):
        size = sizes[turn % len(sizes)]
        batches.append(tuple(order[start : start + size]))
        start, turn = start + size, turn + 1
    restarts = frozenset(len(batches) * byte >> 8 for byte in draw(st.binary(max_size=3)))
    return Arrival(
        tuple(batches), restarts, draw(st.sampled_from([20_000, 1, 3])), draw(st.sampled_from([MOST_BYTES, 0, 2_500]))
    )


def _sent_again(pick: Bytes, each: Line) -> Line:
    """A repeat: it happened at another time, of which the earliest counts, or says nothing where there was nothing."""
    value = {**each["value"], "occurred_at": WORLD.instant(pick)}
    for name in ("labor_category", "po_number", "vat_id"):
        if name in value and value[name] is None:
            value[name] = ""
    return {**each, "value": value}
