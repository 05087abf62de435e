"""Bytes and back: the same values, the same bytes as fastavro's, and every kind of bad input named."""

import io
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_records import records

from common.errors import InvalidRecord
from schemas import codec
from schemas.errors import Undecodable, UnknownSchema
from schemas.registry import subject_of
from topics.catalogue import TOPICS

WITH_SCHEMA = sorted(topic.name for topic in TOPICS.values() if topic.subject)
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
ENTRY = {
    "entry_id": "t1",
    "engagement_id": "E1",
    "task_id": "E1-T1",
    "consultant_id": "C1",
    "work_date": date(2024, 2, 29),
    "minutes": 47,
    "labor_category": None,
    "billable": True,
    "status": "approved",
    "approved_by": "boss",
    "note": "Réunion",
    "started_at": None,
    "ended_at": None,
    "source": "tempo",
    "revision": 1,
    "occurred_at": NOON,
}
LINE = {
    "line_id": "1",
    "consultant_id": None,
    "task_id": None,
    "labor_category": None,
    "unit": "hour",
    "amount": Decimal("58.374271"),
    "valid_from": date(2024, 1, 1),
    "valid_to": None,
}
CARD = {
    "rate_card_id": "RC",
    "name": "Card",
    "currency": "EUR",
    "is_firm_default": False,
    "lines": [LINE, LINE],
    "source": "finance",
    "revision": 1,
    "occurred_at": NOON,
}
# The bytes of ENTRY as they lie on topics already written: a change here breaks every reader.
ENTRY_BYTES = bytes.fromhex(
    "00" "00000034" "047431" "044531" "0a45312d5431" "044331" "8cb502" "5e" "00" "01" "02"
    "0208626f7373" "021052c3a9756e696f6e" "00" "00" "0a74656d706f" "02" "80d8e2cbbe63"
)  # fmt: skip


@cache
def avro(topic: str) -> object:
    return fastavro.parse_schema(codec.REGISTRY.schema_of(codec.REGISTRY.id_of(subject_of(topic))))


@pytest.mark.parametrize("topic", WITH_SCHEMA)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_topic_survives_bytes_and_agrees_with_fastavro(topic: str, data: st.DataObject) -> None:
    record = data.draw(records(topic))
    written = codec.encode(topic, record)
    schema_id = codec.REGISTRY.id_of(subject_of(topic))
    assert codec.decode(written) == (schema_id, subject_of(topic), record)
    assert codec.decode_for(topic, written) == record
    theirs = io.BytesIO()
    fastavro.schemaless_writer(theirs, avro(topic), record)
    assert written == b"\x00" + schema_id.to_bytes(4, "big") + theirs.getvalue()


@pytest.mark.parametrize("topic", WITH_SCHEMA)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_no_topic_reads_a_record_cut_short_or_run_over(topic: str, data: st.DataObject) -> None:
    written = codec.encode(topic, data.draw(records(topic)))
    cut = data.draw(st.integers(0, len(written) - 1))
    for broken in (written[:cut], written + b"\x00"):
        with pytest.raises(Undecodable):
            codec.decode(broken)
        with pytest.raises(Undecodable):
            codec.decode_for(topic, broken)


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200), topic=st.sampled_from(WITH_SCHEMA))
def test_noise_is_undecodable_or_a_record_that_can_be_written_again(body: bytes, topic: str) -> None:
    header = b"\x00" + codec.REGISTRY.id_of(subject_of(topic)).to_bytes(4, "big")
    try:
        record = codec.decode_for(topic, header + body)
    except Undecodable:
        return
    assert codec.decode_for(topic, codec.encode(topic, record)) == record


def test_the_bytes_of_a_known_record_are_those_of_its_version() -> None:
    assert codec.encode("time.entries", ENTRY) == ENTRY_BYTES
    assert codec.decode_for("time.entries", ENTRY_BYTES) == ENTRY


def test_absent_optional_fields_are_written_as_null() -> None:
    needed = {name: value for name, value in ENTRY.items() if value is not None}
    assert codec.encode("time.entries", needed) == ENTRY_BYTES
    bare = {name: value for name, value in LINE.items() if value is not None}
    assert codec.encode("master.rate-cards", CARD | {"lines": [bare, LINE]}) == codec.encode("master.rate-cards", CARD)


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    elsewhere = ENTRY | {"occurred_at": NOON.astimezone(timezone(timedelta(hours=9)))}
    assert codec.encode("time.entries", elsewhere) == ENTRY_BYTES


def test_a_decimal_is_its_value_not_its_writing() -> None:
    other = CARD | {"lines": [LINE | {"amount": Decimal("58.3742710000")}, LINE]}
    assert codec.encode("master.rate-cards", other) == codec.encode("master.rate-cards", CARD)


def test_a_tuple_is_written_as_a_list() -> None:
    assert codec.encode("master.rate-cards", CARD | {"lines": (LINE, LINE)}) == codec.encode("master.rate-cards", CARD)


def test_arrays_in_several_blocks_are_read() -> None:
    header = codec.encode("master.calendars", {**_calendar(), "holidays": []})[:5]
    days = [date(2024, 1, 1), date(2024, 5, 1), date(2024, 12, 25)]
    one, two, three = (_long((day - date(1970, 1, 1)).days) for day in days)
    blocks = _long(2) + one + two + _long(-1) + _long(len(three)) + three + _long(0)
    body = codec.encode("master.calendars", {**_calendar(), "holidays": days})
    plain = _long(3) + one + two + three + _long(0)
    assert codec.decode_for("master.calendars", header + body[5:].replace(plain, blocks))["holidays"] == days


def _calendar() -> dict[str, object]:
    return {"calendar_id": "CAL", "source": "people", "revision": 1, "occurred_at": NOON}


def _long(number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("minutes", True, "minutes must be an int, not bool True"),
        ("minutes", 47.0, "minutes must be an int, not float 47.0"),
        ("minutes", Decimal(47), "minutes must be an int"),
        ("minutes", "47", "minutes must be an int, not str '47'"),
        ("minutes", None, "minutes must be an int, not null"),
        ("minutes", 2**63, "minutes does not fit: a number of more than 64 bits"),
        ("billable", 1, "billable must be true or false, not int 1"),
        ("entry_id", b"t1", "entry_id must be text, not bytes"),
        ("entry_id", "\ud800", "entry_id does not fit"),
        ("note", 5, "note must be text, not int 5"),
        ("status", "done", "status must be one of submitted, approved, rejected, withdrawn, not str 'done'"),
        ("status", ["approved"], "status must be one of"),
        ("work_date", NOON, "work_date must be a date"),
        ("work_date", 19782, "work_date must be a date"),
        ("occurred_at", date(2024, 2, 29), "occurred_at must be an instant"),
        ("occurred_at", NOON.replace(tzinfo=None), "occurred_at does not fit: not an instant"),
        ("occurred_at", NOON.replace(microsecond=1), "occurred_at does not fit: finer than a millisecond"),
        ("occurred_at", 1709208000000, "occurred_at must be an instant"),
        ("surprise", "x", "surprise is no field"),
    ],
)
def test_what_the_schema_does_not_say_is_refused_by_name(field: str, value: object, said: str) -> None:
    with pytest.raises(InvalidRecord, match=f"^time.entries: {said}"):
        codec.encode("time.entries", ENTRY | {field: value})


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (Decimal("1.0000001"), "does not fit: more than 6 places or 18 digits"),
        (Decimal("1." + "0" * 59 + "1"), "does not fit"),
        (Decimal("1000000000000"), "does not fit: more than 6 places or 18 digits"),
        (Decimal("1e999"), "does not fit"),
        (Decimal("NaN"), "does not fit"),
        (Decimal("Infinity"), "does not fit"),
        (58, "must be a Decimal, not int 58"),
        (58.5, "must be a Decimal, not float 58.5"),
        ("58.5", "must be a Decimal, not str '58.5'"),
        (b"\x01", "must be a Decimal, not bytes"),
    ],
)
def test_a_decimal_is_never_rounded_and_nothing_else_is_one(amount: object, said: str) -> None:
    with pytest.raises(InvalidRecord, match=rf"^master.rate-cards: lines\[1\].amount {said}"):
        codec.encode("master.rate-cards", CARD | {"lines": [LINE, LINE | {"amount": amount}]})


@pytest.mark.parametrize("missing", ["entry_id", "minutes", "occurred_at"])
def test_a_missing_field_is_named(missing: str) -> None:
    with pytest.raises(InvalidRecord, match=f"^time.entries: {missing} is missing"):
        codec.encode("time.entries", {name: value for name, value in ENTRY.items() if name != missing})


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"line_id": "1"}, "lines must be a list, not dict"),
        ("RC", "lines must be a list, not str 'RC'"),
        ([LINE, None], r"lines\[1\] must be a record, not null"),
        ([LINE | {"price": 1}], r"lines\[0\].price is no field"),
    ],
)
def test_structure_is_refused_by_path(lines: object, said: str) -> None:
    with pytest.raises(InvalidRecord, match=f"^master.rate-cards: {said}"):
        codec.encode("master.rate-cards", CARD | {"lines": lines})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no bytes at all"),
        (b"\x00\x00", "2 bytes are too few"),
        (b"\x01" + ENTRY_BYTES[1:], "begins with byte 1"),
        (b'{"entry_id": "t1"}', "not in the Confluent wire format"),
        (b"\x00\x7f\xff\xff\xff" + ENTRY_BYTES[5:], "no schema is kept under id 2147483647"),
        (ENTRY_BYTES[:5], "the body is no record of time.entries-value"),
        (ENTRY_BYTES[:-1], "the body is no record"),
        (ENTRY_BYTES + b"\x00\x00", "2 bytes follow the record"),
        (ENTRY_BYTES[:5] + b"\x03", "a negative length"),
        (ENTRY_BYTES[:5] + b"\x04\xff\xff" + ENTRY_BYTES[8:], "the body is no record"),
        (ENTRY_BYTES[:5] + b"\xff" * 11, "the body is no record"),
        (ENTRY_BYTES.replace(b"\x5e\x00\x01\x02", b"\x5e\x00\x02\x02"), "the body is no record"),
        (ENTRY_BYTES.replace(b"\x5e\x00\x01\x02", b"\x5e\x00\x01\x08"), "the body is no record"),
        (ENTRY_BYTES.replace(b"\x5e\x00\x01\x02", b"\x5e\x04\x01\x02"), "no such branch"),
    ],
)
def test_bytes_that_are_no_record_say_why(data: bytes, said: str) -> None:
    with pytest.raises(Undecodable, match=said):
        codec.decode(data)
    with pytest.raises(Undecodable, match=said):
        codec.decode_for("time.entries", data)


def test_another_topics_schema_is_refused_where_one_is_expected() -> None:
    with pytest.raises(Undecodable, match=r"the schema of time.entries-value, not of expenses-value"):
        codec.decode_for("expenses", ENTRY_BYTES)


@pytest.mark.parametrize("topic", ["masters.current", "no.such.topic"])
def test_a_topic_without_a_schema_of_its_own_is_the_callers_mistake(topic: str) -> None:
    with pytest.raises(UnknownSchema, match="no schema"):
        codec.encode(topic, ENTRY)
    with pytest.raises(UnknownSchema, match="no schema"):
        codec.decode_for(topic, ENTRY_BYTES)
