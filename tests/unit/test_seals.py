"""Seals: whatever becomes of a sealed record, it is named, and nothing else is."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.hash_chain import Seal, make, verdict
from streaming.batch import Record

PLACE = ("billing.ready", 0)
KEY = b"a key"


def record(offset: int, **more: object) -> Record:
    fields: dict[str, object] = {
        "headers": (),
        "timestamp_ms": 1_700_000_000_000 + offset,
        "key": b"E1",
        "value": b"charge %d" % offset,
    }
    return Record(*PLACE, offset, **{**fields, **more})  # type: ignore[arg-type]


def sealed(records: Sequence[Record], size: int, key: bytes = KEY) -> list[Seal]:
    seals: list[Seal] = []
    for at in range(0, len(records), size):
        seals.append(make(key, seals[-1] if seals else None, records[at : at + size]))
    return seals


RECORDS = [record(offset) for offset in (0, 1, 2, 4, 5, 7, 8)]  # between are markers
SEALS = sealed(RECORDS, 3)


def faults(records: Sequence[Record], seals: Sequence[Seal] = SEALS, key: bytes = KEY) -> tuple[str, ...]:
    return verdict(key, PLACE, seals, records).faults


def test_what_was_not_altered_is_as_sealed() -> None:
    found = verdict(KEY, PLACE, SEALS, [*RECORDS, record(9), record(11)])
    assert (found.sealed, found.open, found.head, found.faults) == (7, 2, SEALS[-1].hash, ())
    assert verdict(KEY, PLACE, [], RECORDS).open == 7
    assert verdict(KEY, PLACE, [], []).head == b""


@given(
    number=st.integers(0, len(RECORDS) - 1),
    change=st.sampled_from(["value", "key", "timestamp_ms", "headers"]),
    data=st.data(),
)
def test_one_altered_byte_is_found_and_only_its_record_named(number: int, change: str, data: st.DataObject) -> None:
    was = RECORDS[number]
    values = {
        "value": data.draw(st.binary(max_size=12).filter(lambda value: value != was.value)),
        "key": data.draw(st.none() | st.binary(max_size=3).filter(lambda key: key != was.key)),
        "timestamp_ms": was.timestamp_ms + data.draw(st.integers(1, 9)),
        "headers": (("by", b"me"),),
    }
    altered = [*RECORDS]
    altered[number] = was._replace(**{change: values[change]})
    [told] = faults(altered)
    assert told.startswith(f"billing.ready[0]@{was.offset} was altered since it was sealed at 2023-11-14")


@pytest.mark.parametrize("number", range(len(RECORDS)))
def test_a_record_that_is_gone_is_named(number: int) -> None:
    left = [each for each in RECORDS if each is not RECORDS[number]]
    [told] = faults(left)
    assert told.startswith(f"billing.ready[0]@{RECORDS[number].offset} is gone")


def test_a_record_put_in_later_is_named() -> None:
    [told] = faults([*RECORDS[:3], record(3), *RECORDS[3:]])
    assert told.startswith("billing.ready[0]@3 was added")


def test_a_topic_that_lost_its_end_is_found() -> None:
    assert [told.partition(" ")[0] for told in faults(RECORDS[:4])] == [f"billing.ready[0]@{n}" for n in (5, 7, 8)]
    assert len(faults([])) == len(RECORDS)


def test_a_charge_altered_with_its_seal_does_not_fit_without_the_key() -> None:
    altered = [*RECORDS]
    altered[1] = record(1, value=b"a much better charge")
    forged = sealed(altered, 3, key=b"a guess")
    assert verdict(b"a guess", PLACE, forged, altered).faults == ()
    assert len(faults(altered, forged)) >= len(altered)


def test_a_seal_taken_out_or_altered_is_found() -> None:
    assert "does not follow the one before" in faults(RECORDS, [SEALS[0], SEALS[2]])[0]
    lied = replace(SEALS[2], records=SEALS[2].records - 1)
    assert faults(RECORDS, [*SEALS[:2], lied]) == (
        "billing.ready[0]: the seal of 8 to 9 does not follow the one before",
    )
    other = replace(SEALS[2], hash=b"\x00" * 32)
    assert faults(RECORDS, [*SEALS[:2], other]) == (
        "billing.ready[0]: the seal of 8 to 9 was altered, or made with another key",
    )


def test_seals_are_what_the_first_version_made_of_the_same_records() -> None:
    """Worked out with the code of that version: what it sealed is verified, and continued, for good."""
    assert SEALS[-1].hash.hex() == "1f03ce93ff8fa5b626a1ad9ebab18cd4fee4f12765d1f1927583f4a9bc06eed7"
    assert SEALS[0].marks.hex() == "2343dd2832cc9c1715cdc401f00dd027c07b6808331e4d5e"


def test_a_seal_made_without_the_key_counts_where_a_later_one_covers_it() -> None:
    seals: list[Seal] = []
    for at, key in ((0, KEY), (3, b""), (6, KEY)):
        seals.append(make(key, seals[-1] if seals else None, RECORDS[at : at + 3]))
    found = verdict(KEY, PLACE, seals, RECORDS)
    assert (found.faults, len(found.notices)) == ((), 1)
    assert found.notices[0].endswith("made without the key: 1, the last up to 8; a later one covers them")
    assert "was made without the key" in faults(RECORDS, seals[:2])[0]
    [told] = faults([*RECORDS[:4], record(5, value=b"other"), *RECORDS[5:]], seals)
    assert told.startswith("billing.ready[0]@5 was altered")
