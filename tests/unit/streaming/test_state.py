"""What a batch sees of its state: its own changes over the committed rows, and nothing of it elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.state import MemoryRows, State

KEYS = st.sampled_from([b"a", b"a1", b"a2", b"ab", b"b", b"b1"])
ROWS = st.dictionaries(KEYS, st.binary(max_size=2).filter(lambda row: row[:1] != b"\xc1"))  # those have parts
STEPS = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=2)), max_size=10)


class CountingRows(MemoryRows):
    """Rows that note what they were asked for."""

    def __init__(self, rows: dict[bytes, bytes]) -> None:
        super().__init__(rows)
        self.asked: list[list[bytes]] = []

    def get_many(self, keys: object) -> list[bytes | None]:
        wanted = list(keys)  # type: ignore[call-overload]
        self.asked.append(wanted)
        return super().get_many(wanted)


@given(ROWS, STEPS, KEYS, KEYS)
def test_a_state_is_its_rows_with_its_changes(
    rows: dict[bytes, bytes], steps: list[tuple[bytes, bytes | None]], prefix: bytes, start: bytes
) -> None:
    stored, wanted = MemoryRows(rows), dict(rows)
    state = State(stored)
    for key, value in steps:
        if value is None:
            state.delete(key)
            wanted.pop(key, None)
        else:
            state.put(key, value)
            wanted[key] = value
        assert state.get(key) == value
    expected = sorted((key, value) for key, value in wanted.items() if key.startswith(prefix))
    assert list(state.scan(prefix)) == expected
    assert list(state.scan(prefix, start)) == [(key, value) for key, value in expected if key >= start]
    assert stored == rows  # nothing before the commit
    stored.commit(state)
    assert {key: State(stored).get(key) for key in stored if not key.startswith(b"\0")} == wanted


def test_what_is_equal_or_not_there_is_no_change() -> None:
    state = State(MemoryRows({b"a": b"1"}))
    state.put(b"a", b"1")
    state.delete(b"b")
    assert state.changes == {}
    state.put(b"a", b"2")
    state.put(b"b", b"1")
    state.delete(b"b")
    assert state.changes == {b"a": b"2", b"b": None}


def test_a_row_is_asked_for_once() -> None:
    rows = CountingRows({b"a": b"1"})
    state = State(rows)
    state.load([b"a", b"b", b"a"])
    assert (state.get(b"a"), state.get(b"b")) == (b"1", None)
    state.put(b"b", b"2")
    state.load([b"b", b"c"])
    state.load([b"c"])
    assert rows.asked == [[b"a", b"b"], [b"c"]]


def test_rows_changed_while_a_scan_goes_on_do_not_disturb_it() -> None:
    state = State(MemoryRows({b"a1": b"1", b"a2": b"2", b"a3": b"3"}))
    seen = []
    for key, value in state.scan(b"a"):
        seen.append((key, value))
        state.put(b"z" + key, b"looked")
    assert seen == [(b"a1", b"1"), (b"a2", b"2"), (b"a3", b"3")]


def test_a_value_of_any_size_is_kept_in_rows_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.state.MOST_BYTES", 10)
    rows = MemoryRows()
    values = [b"a" * 9, b"b" * 35, b"c" * 21, b"d" * 10, b"\xc1", b"", b"e" * 100]
    for value in values:
        state = State(rows)
        state.put(b"k", value)
        state.put(b"k2", b"beside")
        assert state.get(b"k") == value
        rows.commit(state)
        assert max(len(row) for row in rows.values()) <= 10
        assert len(rows) == 2 + (-(-len(value) // 10) if len(value) > 10 or value == b"\xc1" else 0)
        again = State(rows)
        assert list(again.scan(b"k")) == [(b"k", value), (b"k2", b"beside")]
        again.put(b"k", value)
        assert again.changes == {}
    state = State(rows)
    state.delete(b"k")
    rows.commit(state)
    assert rows == {b"k2": b"beside"}
