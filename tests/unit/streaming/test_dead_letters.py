"""`dead.letters` takes whatever any topic takes: whole where it fits, else cut, with the length and SHA-256 of all."""

from hashlib import sha256
from random import Random

import pytest

from schemas.codec import decode_for
from streaming.batch import Output, Record
from streaming.dead_letters import dead_letter, read
from topics.catalogue import LARGEST_RECORD, LARGEST_UPSTREAM
from topics.dead_letter_record import clean

RANDOM = Random(11)


def record(value: bytes | None, key: bytes | None = b"E1", headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
    return Record("time.entries", 2, 7, 1_700_000_000_123, key, value, headers)


def told(letter: Output) -> dict[str, object]:
    assert letter.value is not None
    assert len(letter.value) <= LARGEST_RECORD
    return decode_for("dead.letters", letter.value)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 999_000])
def test_a_value_that_fits_is_kept_whole(size: int) -> None:
    value = RANDOM.randbytes(size)
    said = told(dead_letter(record(value, headers=(("trace", b"\x00\xff"),)), "broken", "settle"))
    assert (said["value"], said["error"]) == (value, "broken")
    assert said["headers"] == [{"key": "trace", "value": b"\x00\xff"}]


@pytest.mark.parametrize("size", [LARGEST_RECORD, 1_048_505, 8_000_000])
def test_a_value_that_does_not_fit_is_cut_and_its_length_and_hash_are_told(size: int) -> None:
    value = RANDOM.randbytes(size)
    said = told(dead_letter(record(value), "broken", "settle"))
    assert (said["topic"], said["partition"], said["offset"], said["key"]) == ("time.entries", 2, 7, b"E1")
    assert said["value"] == value[:65_536]
    kept = f"the first 65,536 of {size:,} bytes of its value are kept"
    assert said["error"] == f"broken; {kept}, SHA-256 of all {sha256(value).hexdigest()}"


def test_a_key_and_headers_that_do_not_fit_are_cut_too() -> None:
    key = RANDOM.randbytes(600_000)
    headers = tuple((f"h{n}" * 200, RANDOM.randbytes(50_000)) for n in range(60))
    said = told(dead_letter(record(b"v", key, headers), "broken", "settle"))
    assert (said["key"], said["value"]) == (key[:4_096], b"v")
    assert isinstance(said["headers"], list)
    assert [header["value"] for header in said["headers"]] == [value[:4_096] for _, value in headers[:50]]
    error = str(said["error"])
    assert sha256(key).hexdigest() in error
    assert "the first 50 of 60 headers are kept" in error


def test_the_error_is_text_that_everything_can_hold() -> None:
    said = told(dead_letter(record(b"v"), "nu\0l and \ud800" + "x" * 10_000, "settle"))
    assert str(said["error"]).startswith("nu\\x00l and \\ud800x")
    assert len(str(said["error"])) == 4_000
    assert clean("plain ü 𝔘") == "plain ü 𝔘"


def test_a_record_larger_than_a_row_of_state_holds_is_a_dead_letter() -> None:
    dead: list[Output] = []
    assert list(read([record(b"\x00" * (LARGEST_RECORD + 1))], "settle", dead)) == []
    assert "has 1,000,003 bytes; at most 1,000,000 are taken" in str(told(dead[0])["error"])
    upstream = record(b"\x00" * LARGEST_UPSTREAM)._replace(topic="source.jira.worklogs")
    assert list(read([upstream], "intake", dead)) == []
    assert "at most 500,000 are taken" in str(told(dead[1])["error"])
