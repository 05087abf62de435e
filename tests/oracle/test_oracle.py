"""Two readings of the law agree: `rating/` and tests/oracle, on worked examples and on random histories."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidRecord
from schemas.json_codec import from_json
from tests.oracle.reading import ledger
from tests.unit.tables.histories import histories
from tests.unit.tables.stream import Line, Stream
from tests.unit.tables.test_any_arrival import HISTORIES, NAMES, draws, lines_of
from topics.catalogue import check


def records_of(lines: list[Line]) -> list[tuple[str, dict[str, Any]]]:
    """The sound records of lines."""
    found = []
    for line in lines:
        record = from_json(line["topic"], line["value"])
        try:
            check(line["topic"], line["key"].encode(), record)
        except InvalidRecord:
            continue  # a dead letter
        found.append((line["topic"], record))
    return found


@pytest.mark.timeout(4 * 3600)  # as many as are asked for
@draws(HISTORIES)
@given(st.data())
def test_both_readings_of_a_history_agree(data: st.DataObject) -> None:
    lines = data.draw(histories())
    stream = Stream()
    stream.deliver(lines)
    stream.rest()
    assert list(stream.books.expected()) == ledger(records_of(lines))


@pytest.mark.parametrize("name", NAMES)
def test_the_second_reading_has_the_worked_ledger(name: str) -> None:
    assert ledger(records_of(lines_of(name, "facts"))) == lines_of(name, "ledger")
