"""Keys of typed rows: every text comes back, and a scan of leading parts meets whole parts only."""

from hypothesis import given
from hypothesis import strategies as st

from streaming.state import MemoryRows, State
from streaming.state_tables import StateTable, packed, unpacked
from topics.state_keys import RowKind

TABLE = StateTable(RowKind(b"t", "a test", ("part...",), "numbers"), int)
_PARTS = st.text(st.sampled_from("\0\1\2aé\uffff😀") | st.characters(codec="utf-8"), max_size=6)
_KEYS = st.lists(st.tuples(_PARTS, _PARTS), unique=True, max_size=12)


@given(_PARTS)
def test_a_part_comes_back_and_ends_at_its_only_zero(part: str) -> None:
    assert packed(part).index(b"\0") == len(packed(part)) - 1
    assert unpacked(packed(part)[:-1]) == part


@given(_KEYS, _PARTS, _PARTS)
def test_scans_meet_the_rows_of_whole_leading_parts_in_code_point_order(
    keys: list[tuple[str, str]], first: str, start: str
) -> None:
    state = State(MemoryRows())
    for number, key in enumerate(keys):
        TABLE.put(state, number, *key)
    rows = {key: number for number, key in enumerate(keys)}
    assert list(TABLE.scan(state)) == sorted(rows.items())
    assert list(TABLE.scan(state, first)) == sorted(item for item in rows.items() if item[0][0] == first)
    after = TABLE.scan(state, first, start=TABLE.key(first, start))
    assert list(after) == sorted(item for item in rows.items() if item[0][0] == first and item[0][1] >= start)


@given(_KEYS)
def test_a_row_is_got_put_and_deleted_by_its_parts(keys: list[tuple[str, str]]) -> None:
    state = State(MemoryRows())
    for number, key in enumerate(keys):
        assert TABLE.get(state, *key) is None
        TABLE.put(state, number, *key)
    assert [TABLE.get(state, *key) for key in keys] == list(range(len(keys)))
    for key in keys:
        TABLE.delete(state, *key)
        assert TABLE.get(state, *key) is None
