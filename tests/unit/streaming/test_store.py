"""Rows of a partition on disk: RocksDB with the face of rows in memory, and how far changelog and sources are."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streaming.changelog import Changelog
from streaming.state import MemoryRows, State
from streaming.store import REACHED, Store, position_key

KEYS = st.binary(min_size=1, max_size=3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, st.binary(max_size=3)), st.lists(KEYS, max_size=4), KEYS, st.binary(max_size=3))
def test_a_store_answers_as_rows_in_memory_do(
    tmp_path_factory: pytest.TempPathFactory,
    rows: dict[bytes, bytes],
    deleted: list[bytes],
    prefix: bytes,
    start: bytes,
) -> None:
    store, memory = Store(tmp_path_factory.mktemp("store") / "rows"), MemoryRows(rows)
    store.write(dict(rows), None)
    store.write(dict.fromkeys(deleted), None)
    for key in deleted:
        memory.pop(key, None)
    asked = [*rows, *deleted]
    assert store.get_many(asked) == memory.get_many(asked) == [store.get(key) for key in asked]
    for one in (prefix, b""):
        assert list(store.scan(one)) == list(memory.scan(one))
        assert list(store.scan(one, start)) == list(memory.scan(one, start))
    store.close()


def test_everything_written_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state"
    store = Store(path)
    assert (store.reached(), store.positions(["time.entries"])) == (0, {"time.entries": None})
    state = State(store)
    state.put(b"row", b"1")
    store.write({**state.changes, position_key("time.entries"): b"42"}, reached=7)
    store.write({b"row": b"2"}, reached=None)
    store.close()

    again = Store(path)
    assert (again.get(b"row"), again.get(REACHED), again.reached()) == (b"2", b"7", 7)
    assert again.positions(["time.entries", "expenses"]) == {"time.entries": 42, "expenses": None}
    again.close()


def test_a_store_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    held = Store(tmp_path / "state")
    with pytest.raises(Exception, match=r"(?i)lock"):
        Store(tmp_path / "state")
    held.close()
    Store(tmp_path / "state").close()


def test_a_store_tells_when_it_was_written_and_can_begin_anew(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    assert store.written_ms() is None
    began = int(time.time() * 1000)
    store.write({b"row": b"1"}, reached=1)
    written = store.written_ms()
    assert written is not None
    assert began <= written <= time.time() * 1000
    store.empty()
    assert (store.get(b"row"), store.reached(), store.written_ms()) == (None, 0, None)
    store.write({b"row": b"2"}, reached=1)
    store.close()
    again = Store(tmp_path / "state")
    assert again.get(b"row") == b"2"
    again.close()


def test_deletions_are_known_for_half_as_long_as_the_broker_keeps_them() -> None:
    changelog = Changelog(b"id", keeps_deletions_ms=1000)
    assert changelog.has_all_since(0, now_ms=500)
    assert not changelog.has_all_since(0, now_ms=501)
