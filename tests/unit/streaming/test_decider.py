"""What cannot be decided is set aside; all else of its batch is decided as if it had never been there."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.isolation import ISOLATED, divide
from schemas.codec import decode_for
from streaming.batch import Batch, Output, Record
from streaming.dead_letters import DEAD_LETTERS
from streaming.decider import BatchDecision, Decider
from streaming.isolation import is_environment
from streaming.local_state import StoreFailed
from streaming.state import MemoryRows, State


def batch_of(*values: bytes) -> Batch:
    records = [record(number, value) for number, value in enumerate(values)]
    return Batch(0, 0, {"in": 0}, {"in": len(values)}, records)


def record(offset: int, value: bytes) -> Record:
    return Record("in", 0, offset, 1_700_000_000_000, b"k", value, [("h", b"1")])


class Sum:
    """Adds up numbers in the state, remembers beside it that it began, and fails of what is no number."""

    def __init__(self) -> None:
        self.began = False

    def __call__(self, batch: Batch, state: State) -> list[Output]:
        if batch.due and state.get(b"poison") is not None:
            raise ZeroDivisionError("the due step")
        if not self.began:
            state.put(b"began", b"1")
            self.began = True
        outputs = []
        for each in batch.records:
            total = int(state.get(b"total") or 0) + int(each.value or b"")
            state.put(b"total", b"%d" % total)
            outputs.append(Output("out", None, b"%d" % total))
        return outputs


def values(decided: BatchDecision) -> list[bytes | None]:
    return [output.value for output in decided.outputs if output.topic == "out"]


@given(st.lists(st.sampled_from([b"1", b"2", b"x"]), max_size=12))
def test_every_good_record_is_decided_and_every_bad_one_set_aside(kinds: list[bytes]) -> None:
    decided = Decider("sums", Sum).decide(batch_of(*kinds), MemoryRows())
    good = [int(kind) for kind in kinds if kind != b"x"]
    assert values(decided) == [b"%d" % sum(good[: n + 1]) for n in range(len(good))]
    assert [each.offset for each in decided.set_aside] == [n for n, kind in enumerate(kinds) if kind == b"x"]
    if good:
        assert decided.changes == {b"began": b"1", b"total": b"%d" % sum(good)}  # memory was rolled back with the rows


def test_a_dead_letter_has_the_record_whole_and_the_exception() -> None:
    decided = Decider("sums", Sum).decide(batch_of(b"1", b"x\xff"), MemoryRows())
    (letter,) = [output for output in decided.outputs if output.topic == DEAD_LETTERS]
    assert letter.key == b"in:0:1"
    value = decode_for(DEAD_LETTERS, letter.value or b"")
    assert (value["key"], value["value"], value["stage"]) == (b"k", b"x\xff", "sums")
    assert value["headers"] == [{"key": "h", "value": b"1"}]
    assert str(value["error"]).startswith("ValueError: invalid literal for int()")


def test_due_work_that_fails_blames_no_record_and_rests() -> None:
    decider, rows = Decider("sums", Sum), MemoryRows({b"poison": b"1"})
    before = ISOLATED.counts()["due"]
    decided = decider.decide(batch_of(b"1", b"2"), rows)
    assert (values(decided), decided.set_aside) == ([b"1", b"3"], [])
    assert decider.due_rests
    assert ISOLATED.counts()["due"] == before + 1
    assert values(decider.decide(batch_of(b"4"), rows)) == [b"4"]  # and no batch fails for it in the meantime


@pytest.mark.parametrize("fault", [StoreFailed("torn"), OSError("no space left on device"), MemoryError()])
def test_a_fault_of_the_environment_sets_nothing_aside(fault: Exception) -> None:
    def fail(_batch: Batch, _state: State) -> list[Output]:
        raise fault

    with pytest.raises(type(fault)):
        Decider("sums", lambda: fail).decide(batch_of(b"1", b"2"), MemoryRows())


def test_a_failure_of_a_combination_sets_one_record_aside() -> None:
    """Two records that are right alone, and wrong together: the first is taken."""

    def decide(batch: Batch, state: State) -> list[Output]:
        for each in batch.records:
            if state.get(b"seen") is not None:
                raise RuntimeError("twice")
            state.put(b"seen", each.value or b"")
        return []

    decided = Decider("pairs", lambda: decide).decide(batch_of(b"1", b"2"), MemoryRows())
    assert decided.changes == {b"seen": b"1"}
    assert [each.offset for each in decided.set_aside] == [1]


@pytest.mark.parametrize(("count", "most"), [(1, 1), (2_000, 30)])
def test_one_bad_item_costs_few_attempts(count: int, most: int) -> None:
    attempts, taken, refused = 0, list[int](), list[int]()

    def attempt(items: Sequence[int]) -> None:
        nonlocal attempts
        attempts += 1
        if count - 1 in items:
            raise ValueError("bad")
        taken.extend(items)

    refuse: Callable[[int, Exception], None] = lambda item, _: refused.append(item)  # noqa: E731
    divide(range(count), attempt, refuse, is_environment)
    assert (taken, refused) == (list(range(count - 1)), [count - 1])
    assert attempts <= most
