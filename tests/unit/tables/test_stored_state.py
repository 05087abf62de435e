"""State rows that an earlier version wrote are read, and written anew as they are touched."""

import gzip
import json
from base64 import b64decode
from pathlib import Path

import pytest

from streaming.batch import Output
from tables.settlement.bucket_store import BUCKETS, MOST_BYTES, PLACES
from tables.settlement.large_bucket import MEMBERS
from tests.unit.tables.contents import decision, engagement, entry, expense, line, outcome, period
from tests.unit.tables.stream import Stream, wire

STORED = Path(__file__).parents[2] / "data" / "state"


def reopened(most_bytes: int, *, from_changelog: bool, version: int = 1) -> Stream:
    """A stream that goes on from the stored rows, which hold what was delivered and published before."""
    stored = json.loads(gzip.decompress((STORED / f"settle-{version}.json.gz").read_bytes()))
    stream = Stream(most_bytes=most_bytes)
    stream.settle_rows.update({b64decode(key): b64decode(row) for key, row in stored["rows"]})
    records = [wire(each, next(stream._offsets)) for each in stored["delivered"]]
    for record in records:
        stream.books.take(record)
    stream._masters([record for record in records if record.topic.startswith("master.")])
    stream._publish(Output(topic, b64decode(key), b64decode(value)) for topic, key, value in stored["published"])
    stream._log = [(key, row) for key, row in stream.settle_rows.items() if not PLACES.holds(key)]
    if from_changelog:
        stream.restart()
    stream.rest()
    return stream


def stands(stream: Stream) -> None:
    """The ledger is the one of the law."""
    assert stream.books.ledger() == list(stream.books.expected())


@pytest.mark.parametrize("from_changelog", [False, True])
@pytest.mark.parametrize("most_bytes", [MOST_BYTES, 0])
def test_a_state_of_the_first_version_goes_on(most_bytes: int, from_changelog: bool) -> None:
    stream = reopened(most_bytes, from_changelog=from_changelog)
    stands(stream)
    for each in (
        outcome("E1", "o3", "calls", "7", "2024-02-11"),
        outcome("E1", "o4", "calls", "1", "2024-03-01"),
        outcome("E4", "late", "calls", "2", "2024-02-01"),
        decision("E1", "x1", "outcome:o7", "waive"),
        entry("E1", "many5", 45, "2024-03-06"),
        entry("E1", "many6", 1440, "2024-03-05"),
        entry("E2", "new", 45, "2024-02-02"),
    ):
        stream.deliver([line(each, 9)])
        stands(stream)
    stream.deliver([line(engagement("E1", discount_percent="10"), 9)])
    stream.rest()
    stands(stream)
    stream.restart()
    stream.deliver([line(outcome("E1", "last", "calls", "7", "2024-02-28"))])
    stands(stream)


def test_a_row_that_is_too_large_becomes_many_when_it_is_touched() -> None:
    stream = reopened(MOST_BYTES, from_changelog=False)
    key = BUCKETS.key("E1", "outcomes:2024-02:calls")
    before = len(stream.settle_rows[key])
    stream.most_bytes = before // 2
    stream.deliver([line(outcome("E1", "o3", "calls", "7", "2024-02-11"), 9)])
    assert len(stream.settle_rows[key]) < 20
    assert len([row for row in stream.settle_rows if row.startswith(MEMBERS.key("E1", "outcomes:2024-02:calls"))]) > 30
    stands(stream)


@pytest.mark.parametrize("from_changelog", [False, True])
def test_sums_of_the_second_version_are_made_anew(from_changelog: bool) -> None:
    """They were of a cap alone or a retainer alone; E5, which has both and more, had none."""
    stream = reopened(MOST_BYTES, from_changelog=from_changelog, version=2)
    told = len(stream.outputs)
    stands(stream)
    for each in (
        entry("E2", "03", 45, "2024-02-02"),
        entry("E3", "new", 600, "2024-01-02"),
        entry("E5", "new", 45, "2024-01-02"),
        expense("E5", "x5", "2024-01-01"),
        period("E5", "2024-03", "closed"),
        engagement("E2", cap={"amount": "2000", "policy": "park"}),
    ):
        stream.deliver([line(each, 9)])
        stream.rest()
        stands(stream)
    assert len(stream.outputs) > told
    stream.restart()
    stream.deliver([line(entry("E2", "last", 60, "2024-01-01"))])
    stands(stream)
