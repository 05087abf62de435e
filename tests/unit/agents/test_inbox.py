"""What cannot be read is set aside whole: original bytes and headers, where it stood and why (DOMAIN §1)."""

import pytest

from schemas.codec import decode_for
from streaming.batch import Output, Record
from streaming.dead_letters import read
from tests.unit.tables.contents import engagement, entry, line
from tests.unit.tables.stream import Line, wire

GOOD = line(entry("E1", "1"))
HEADERS = [("trace", b"\xff\x00"), ("trace", b"again"), ("empty", b"")]


def bytes_of(each: Line) -> bytes:
    """The value's wire bytes."""
    return wire(each, 0).value or b""


def at_seven(topic: str, key: bytes | None, value: bytes | None) -> Record:
    """A record at offset 7 of partition 3."""
    return Record(topic, 3, 7, 1_700_000_000_123, key, value, HEADERS)


def changed(each: Line, **fields: object) -> Line:
    """The line with other values."""
    return {**each, "value": {**each["value"], **fields}}


ENGAGEMENT = line(engagement("E1"))
BAD = {
    "tombstone": (at_seven("time.entries", b"E1", None), "no value"),
    "empty": (at_seven("time.entries", b"E1", b""), "no bytes"),
    "no wire format": (at_seven("time.entries", b"E1", b'{"entry_id": "1"}'), "wire format"),
    "unknown schema id": (at_seven("time.entries", b"E1", b"\0\x7f\xff\xff\xff" + bytes_of(GOOD)[5:]), "2147483647"),
    "schema of another topic": (at_seven("time.entries", b"E1", bytes_of(ENGAGEMENT)), "master.engagements"),
    "truncated body": (at_seven("time.entries", b"E1", bytes_of(GOOD)[:-3]), ""),
    "trailing bytes": (at_seven("time.entries", b"E1", bytes_of(GOOD) + b"\0"), ""),
    "key of another": (at_seven("time.entries", b"E2", bytes_of(GOOD)), "'E2'"),
    "no key": (at_seven("time.entries", None, bytes_of(GOOD)), "missing"),
    "empty id": (at_seven("time.entries", b"E1", bytes_of(changed(GOOD, entry_id=""))), "entry_id"),
    "empty engagement": (at_seven("time.entries", b"", bytes_of(changed(GOOD, engagement_id=""))), "engagement_id"),
    "revision 0": (at_seven("time.entries", b"E1", bytes_of(changed(GOOD, revision=0))), "revision"),
    "no hours a day": (
        at_seven("master.engagements", b"E1", bytes_of(changed(ENGAGEMENT, hours_per_day="0"))),
        "hours_per_day",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_becomes_a_dead_letter_with_all_it_was(case: str) -> None:
    record, why = BAD[case]
    dead: list[Output] = []
    assert list(read([record], "settle", dead)) == []
    (letter,) = dead
    assert (letter.topic, letter.key) == ("dead.letters", f"{record.topic}:3:7".encode())
    told = decode_for("dead.letters", letter.value or b"")
    assert (told["topic"], told["partition"], told["offset"]) == (record.topic, 3, 7)
    assert (told["key"], told["value"]) == (record.key, record.value)
    assert [(header["key"], header["value"]) for header in told["headers"]] == HEADERS
    assert told["stage"] == "settle"
    assert told["timestamp"].timestamp() == 1_700_000_000.123
    assert why in told["error"]
    assert told["error"]


def test_good_records_go_on_around_bad_ones_in_their_order() -> None:
    first, last = wire(GOOD, 0), wire(changed(GOOD, entry_id="2"), 2)
    dead: list[Output] = []
    found = list(read([first, BAD["tombstone"][0], last], "settle", dead))
    assert [record for record, _ in found] == [first, last]
    assert [value["entry_id"] for _, value in found] == ["1", "2"]
    assert len(dead) == 1
