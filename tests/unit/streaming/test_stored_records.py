"""Readers that only look skip what is no record; garbage on `masters.current` leaves the masters as they are."""

import logging
from collections.abc import Sequence

import pytest

from schemas.codec import encode
from schemas.json_codec import from_json
from streaming.batch import Record
from tables.settlement.masters_snapshot import MastersTable
from tests.unit.tables.contents import engagement, line
from topics.records import current_masters, header_text, valid

VALUE = line(engagement("E1"))["value"]
WIRE = encode("master.engagements", from_json("master.engagements", VALUE))
KEY = b"master.engagements:E1"


def at(offset: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> Record:
    return Record("masters.current", 0, offset, 0, key, value, headers)


GARBAGE = [
    at(1, KEY, b"\xff\xfe"),
    at(2, KEY, None),
    at(3, None, WIRE),
    at(4, b"\xff:E1", WIRE),
    at(5, b"time.entries:E1", WIRE),
    at(6, b"no.topic:E1", WIRE),
    at(7, b"master.tasks:E1", WIRE),
    at(8, KEY, WIRE[:-1]),
    at(8, b"master.engagements:E2", WIRE),
]


def test_garbage_on_masters_current_leaves_the_masters_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    table = MastersTable("unused")
    table.apply([at(0, KEY, WIRE, [("lookups", b'["engagement:E1"]')]), *GARBAGE], 9)
    snapshot = table.snapshot()
    assert list(snapshot.masters.engagements) == ["E1"]
    assert (snapshot.end, snapshot.touched_since(0)) == (9, {"engagement:E1"})
    assert len(caplog.records) == len(GARBAGE)
    table.apply([at(9, KEY, WIRE, [("lookups", b"{")])], 10)
    assert table.snapshot().end == 10


def test_a_record_that_is_beyond_a_bound_of_today_stands_where_it_stood() -> None:
    old = encode("master.engagements", from_json("master.engagements", VALUE | {"name": "x" * 501}))
    assert [(topic, id_) for _, topic, id_, _ in current_masters([at(0, KEY, old)])] == [("master.engagements", "E1")]


def test_a_reader_that_only_looks_skips_what_is_no_record(caplog: pytest.LogCaptureFixture) -> None:
    good = Record("master.engagements", 0, 0, 0, b"E1", WIRE, ())
    bad = [good._replace(value=b"\xff"), good._replace(key=b"E2"), good._replace(value=None), good._replace(key=None)]
    with caplog.at_level(logging.WARNING):
        assert [record for record, _ in valid([*bad, good, *bad])] == [good]
    assert "master.engagements[0]@0 is skipped: master.engagements: the key is 'E2'" in caplog.text


def test_a_header_is_text_that_everything_can_hold() -> None:
    record = at(0, None, None, [("a", b"worklogs:\xff\x00"), ("empty", b"")])
    assert header_text(record, "a") == "worklogs:\\xff\\x00"
    assert (header_text(record, "empty"), header_text(record, "absent")) == ("", None)
