"""For every topic and every field of its schema: extreme and malformed values are refused as declared, or taken.

Nothing else may come out of the ways in: JSON lines (`from_json`, `check`) and the broker's bytes (`decoded`).
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sound_records import sound

from common.errors import InvalidRecord
from schemas import codec
from schemas.errors import Undecodable
from schemas.json_codec import from_json, to_json
from schemas.schema_types import Array, AvroRecord, Optional, Shape
from streaming.batch import Output
from streaming.batch import Record as Stored
from streaming.dead_letters import read
from topics.catalogue import TOPICS, check, key_of

WITH_SCHEMA = sorted(topic.name for topic in TOPICS.values() if topic.subject)
EXTREMES: list[object] = [
    None, "", "x", "\0", "nu\0l", "\ud800", "\udfff\ud800", "x" * 100_000, "𝔘" * 201, "[/x]", "'; DROP TABLE x; --",
    0, -1, 1, 2**31 - 1, 2**31, 2**62, 2**63 - 1, -(2**63), 2**63, 2**64, 10**30, 10**5000, True, False,
    1.5, float("nan"), float("inf"), -0.0, "NaN", "Infinity", "1e400", "0.0000001", "9" * 40, "-0",
    "999999999999.999999",
    "0001-01-01", "9999-12-31", "0000-01-01", "10000-01-01", "2024-02-30", "2024-13-01", "-001-01-01",
    "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "9999-12-31T24:00:00Z", "0001-01-01T00:00:00+14:00",
    [], [None], {}, {"x": 1}, ["x"] * 1_000, [[]], [{}], [{}] * 501,
]  # fmt: skip


def places(shape: Shape, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value in a record with one element in each list, those of records and lists included."""
    match shape:
        case AvroRecord():
            for member in shape.fields:
                yield (*path, member.name)
                yield from places(member.shape, (*path, member.name))
        case Optional(inner):
            yield from places(inner, path)
        case Array(items):
            yield (*path, 0)
            yield from places(items, (*path, 0))


def changed(record: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """A copy of a JSON value with another value at a path."""
    copy: Any = json.loads(json.dumps(record))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return dict(copy)


def taken(topic: str, value: object) -> bool:
    """Whether a JSON value is a record; what is one comes back from its bytes as it was."""
    try:
        record = from_json(topic, value)
        key = key_of(topic, record).encode()
        check(topic, key, record)
    except InvalidRecord as refused:
        if len(str(refused)) > 5_000:
            raise AssertionError("a message as long as a record") from refused
        return False
    stored = Stored(topic, 0, 0, 0, key, codec.encode(topic, record), ())
    dead: list[Output] = []
    assert [value for _, value in read([stored], "test", dead)] == [record]
    return True


@pytest.mark.parametrize("topic", WITH_SCHEMA)
def test_an_extreme_value_in_any_field_is_taken_or_refused(topic: str) -> None:
    whole = to_json(topic, sound(topic))
    assert taken(topic, whole)
    for path in places(codec.shape(topic)):
        for value in EXTREMES:
            taken(topic, changed(whole, path, value))


@pytest.mark.parametrize("topic", WITH_SCHEMA)
def test_a_record_without_a_required_field_is_refused_and_without_an_optional_one_taken(topic: str) -> None:
    whole = to_json(topic, sound(topic))
    for member in codec.shape(topic).fields:
        lacking = {name: value for name, value in whole.items() if name != member.name}
        season = member.name in ("season_from", "season_to")  # which come together
        assert taken(topic, lacking) == (isinstance(member.shape, Optional) and not season)


@pytest.mark.parametrize("value", [None, True, 7, "x", [], [{}], 1.5])
def test_what_is_no_object_is_no_record(value: object) -> None:
    assert not any(taken(topic, value) for topic in WITH_SCHEMA)


def dead_or_alive(topic: str, key: bytes | None, value: bytes | None) -> bool:
    """Whether the bytes are a record; what is none is one dead letter."""
    dead: list[Output] = []
    alive = list(read([Stored(topic, 0, 7, 0, key, value, ())], "test", dead))
    assert len(alive) + len(dead) == 1
    return bool(alive)


@pytest.mark.parametrize("topic", WITH_SCHEMA)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_bytes_that_were_broken_anywhere_are_a_record_or_a_dead_letter(topic: str, data: st.DataObject) -> None:
    record = sound(topic)
    key, value = key_of(topic, record).encode(), bytearray(codec.encode(topic, record))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(5, len(value) - 1))
        match data.draw(st.sampled_from(["change", "insert", "cut", "append"])):
            case "change":
                value[at] = data.draw(st.integers(0, 255))
            case "insert":
                value[at:at] = data.draw(st.binary(max_size=12) | st.just(b"\xff" * 9 + b"\x01"))
            case "cut":
                del value[at + 1 :]
            case _:
                value += data.draw(st.binary(max_size=5))
    dead_or_alive(topic, key, bytes(value))


@pytest.mark.parametrize("topic", WITH_SCHEMA)
def test_every_truncation_is_a_dead_letter(topic: str) -> None:
    record = sound(topic)
    key, value = key_of(topic, record).encode(), codec.encode(topic, record)
    assert dead_or_alive(topic, key, value)
    assert not any(dead_or_alive(topic, key, value[:length]) for length in range(len(value)))
    for other in (None, b"", key + b"x", b"\xff\xfe", b"\0", b"x" * 1_000):
        assert not dead_or_alive(topic, other, value) or other == key


@given(st.binary(max_size=300))
def test_random_bytes_are_a_dead_letter(value: bytes) -> None:
    assert not dead_or_alive("time.entries", b"x", value)


@pytest.mark.parametrize("far", [b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x80\x80\xa0\xb4\xef\xeb\xb9\x09"])
def test_an_instant_outside_the_calendar_is_a_broken_record(far: bytes) -> None:
    """The last field of an entry is an instant of six bytes; these are of the years -292,275,055 and 10,000 on."""
    value = codec.encode("time.entries", sound("time.entries"))
    with pytest.raises(Undecodable):
        codec.decode_for("time.entries", value[:-6] + far)
