"""JSON and back: strict on the way in, plain on the way out."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_records import records

from common.decimals import plain
from common.errors import InvalidRecord
from schemas import codec
from schemas.errors import UnknownSchema
from schemas.json_codec import from_json, to_json
from topics.catalogue import TOPICS, check

WITH_SCHEMA = sorted(topic.name for topic in TOPICS.values() if topic.subject)
Fact: TypeAlias = dict[str, Any]

FACTS: list[Fact] = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "contract" / "facts.jsonl").read_text().splitlines()
]
EXPENSE = {
    "expense_id": "X1",
    "engagement_id": "E1",
    "consultant_id": "C1",
    "category": "meals",
    "incurred_on": "2024-02-29",
    "amount": "58.374271",
    "currency": "EUR",
    "status": "approved",
    "source": "expensify",
    "revision": 1,
    "occurred_at": "2024-02-29T12:00:00.000Z",
}
ENTRY = {
    "entry_id": "t1",
    "engagement_id": "E1",
    "task_id": "T1",
    "consultant_id": "C1",
    "work_date": "2024-02-29",
    "minutes": 47,
    "billable": True,
    "status": "approved",
    "source": "tempo",
    "revision": 1,
    "occurred_at": "2024-02-29T12:00:00Z",
}


@pytest.mark.parametrize("topic", WITH_SCHEMA)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_topic_survives_json(topic: str, data: st.DataObject) -> None:
    record = data.draw(records(topic))
    assert from_json(topic, json.loads(json.dumps(to_json(topic, record)))) == record


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact['topic']} {fact['key']}")
def test_the_worked_examples_are_the_same_after_bytes_and_json(fact: Fact) -> None:
    topic, value = fact["topic"], fact["value"]
    record = from_json(topic, value)
    assert codec.decode_for(topic, codec.encode(topic, record)) == record
    check(topic, fact["key"].encode(), record)
    assert _plainly(to_json(topic, record)) == _plainly(value)


def _plainly(value: object) -> object:
    """Without absent optional fields, and with decimals in their shortest writing."""
    if isinstance(value, dict):
        return {name: _plainly(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_plainly(part) for part in value]
    if isinstance(value, str) and "." in value and value.replace(".", "", 1).lstrip("-").isdigit():
        return plain(Decimal(value))
    return value


def test_the_python_form_of_a_json_record() -> None:
    assert from_json("expenses", EXPENSE) == {
        **EXPENSE,
        "incurred_on": date(2024, 2, 29),
        "amount": Decimal("58.374271"),
        "receipt": None,
        "approved_by": None,
        "place": None,
        "quantity": None,
        "occurred_at": datetime(2024, 2, 29, 12, tzinfo=UTC),
    }


def test_instants_may_leave_milliseconds_out() -> None:
    assert from_json("time.entries", ENTRY)["occurred_at"] == datetime(2024, 2, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "shown"),
    [("20", "20"), ("20.000000", "20"), ("58.374271", "58.374271"), ("-0.00", "0"), ("0.000001", "0.000001"),
     ("007", "7"), ("-12.50", "-12.5"), ("999999999999.999999", "999999999999.999999")],
)  # fmt: skip
def test_decimals_are_shown_plainly(written: str, shown: str) -> None:
    record = from_json("expenses", EXPENSE | {"amount": written})
    assert to_json("expenses", codec.decode_for("expenses", codec.encode("expenses", record)))["amount"] == shown


@pytest.mark.parametrize("value", [Decimal("1E+3"), Decimal("1000"), Decimal("1000.0")])
def test_plain_never_shows_an_exponent(value: Decimal) -> None:
    assert plain(value) == "1000"


@pytest.mark.parametrize(
    "amount",
    [58.5, 58.0, True, None, 10**12, 10**30, "", " 5", "5 ", "+5", "5.", ".5", "1e3", "1_000", "1,5", "NaN", "Infinity",
     "٥", "0x1", "1.0000001", "1.0000000", "1000000000000", ["5"]],
)  # fmt: skip
def test_a_decimal_is_a_plain_string_within_its_digits(amount: object) -> None:
    with pytest.raises(InvalidRecord, match=r"^expenses: amount (must be|has)"):
        from_json("expenses", EXPENSE | {"amount": amount})


@pytest.mark.parametrize("amount", [58, 0, -7, 999_999_999_999])
def test_a_decimal_may_be_a_whole_number(amount: int) -> None:
    assert from_json("expenses", EXPENSE | {"amount": amount})["amount"] == amount


def test_a_whole_number_too_long_to_show_is_refused() -> None:
    with pytest.raises(InvalidRecord, match=r"^expenses: amount must be a decimal .*, not int too long to show$"):
        from_json("expenses", EXPENSE | {"amount": 10**5000})


def test_fields_outside_the_schema_are_ignored() -> None:
    address = {"street": "Weg 1", "city": "Köln", "postcode": "50667", "country": "DE", "floor": 3}
    entity = {
        "legal_entity_id": "L", "name": "Firm", "country": "DE", "tax_jurisdiction": "DE", "address": address,
        "source": "erp", "revision": 1, "occurred_at": "2024-02-29T12:00:00Z", "chairs": [7],
    }  # fmt: skip
    read = from_json("master.legal-entities", entity)
    assert "chairs" not in read
    assert "floor" not in read["address"]


@pytest.mark.parametrize("day", ["2024-02-30", "20240229", "2024-W09-4", "29.02.2024", "2024-2-29", "", 19782, None])
def test_a_date_has_one_writing(day: object) -> None:
    with pytest.raises(InvalidRecord, match=r"^expenses: incurred_on must be a date YYYY-MM-DD"):
        from_json("expenses", EXPENSE | {"incurred_on": day})


@pytest.mark.parametrize(
    "instant",
    ["2024-02-29", "2024-02-29T12:00:00", "2024-02-29T12:00:00+01:00", "2024-02-29 12:00:00Z", "2024-02-30T12:00:00Z",
     "2024-02-29T12:00:00.0001Z", "2024-02-29T24:00:01Z", "", 1709208000000, None],
)  # fmt: skip
def test_an_instant_is_utc_in_milliseconds(instant: object) -> None:
    with pytest.raises(InvalidRecord, match=r"^expenses: occurred_at must be an instant in UTC"):
        from_json("expenses", EXPENSE | {"occurred_at": instant})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"minutes": True}, "minutes must be an int, not bool True"),
        ({"minutes": 47.0}, "minutes must be an int, not float 47.0"),
        ({"minutes": "47"}, "minutes must be an int, not str '47'"),
        ({"minutes": 2**64}, "minutes does not fit"),
        ({"billable": 1}, "billable must be true or false, not int 1"),
        ({"billable": "true"}, "billable must be true or false"),
        ({"task_id": None}, "task_id must be text, not null"),
        ({"task_id": 7}, "task_id must be text, not int 7"),
        ({"note": "\ud800"}, "note does not fit"),
        ({"status": "done"}, "status must be one of submitted, approved"),
        ({"status": "APPROVED"}, "status must be one of"),
    ],
)
def test_what_the_schema_does_not_say_is_refused_by_name(change: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRecord, match=f"^time.entries: {said}"):
        from_json("time.entries", ENTRY | change)


@pytest.mark.parametrize("missing", ["entry_id", "work_date", "revision"])
def test_a_missing_field_is_named(missing: str) -> None:
    with pytest.raises(InvalidRecord, match=f"^time.entries: {missing} is missing"):
        from_json("time.entries", {name: value for name, value in ENTRY.items() if name != missing})


@pytest.mark.parametrize("value", [None, [], "entry", 1])
def test_a_value_that_is_no_record_is_refused(value: object) -> None:
    with pytest.raises(InvalidRecord, match=r"^time.entries: the value must be a record"):
        from_json("time.entries", value)


def test_a_nested_field_is_named_by_its_path() -> None:
    tiers = [{"unit_price": "1", "flat_fee": "0"}, {"unit_price": 1.5, "flat_fee": "0"}]
    engagement = next(fact["value"] for fact in FACTS if fact["topic"] == "master.engagements")
    changed = engagement | {"outcomes": [{"metric": "m", "model": "volume", "tiers": tiers}]}
    with pytest.raises(InvalidRecord, match=r"outcomes\[0\]\.tiers\[1\]\.unit_price must be a decimal"):
        from_json("master.engagements", changed)


def test_bytes_are_base64() -> None:
    letter = {
        "topic": "time.entries",
        "partition": 0,
        "offset": 7,
        "timestamp": "2024-02-29T12:00:00.000Z",
        "key": "RTE=",
        "value": None,
        "headers": [{"key": "trace", "value": "AP8="}],
        "error": "no bytes at all",
        "stage": "settle",
    }
    record = from_json("dead.letters", letter)
    assert (record["key"], record["headers"][0]["value"]) == (b"E1", b"\x00\xff")
    assert to_json("dead.letters", record) == letter
    with pytest.raises(InvalidRecord, match=r"^dead.letters: key must be bytes in base64"):
        from_json("dead.letters", letter | {"key": "not base64!"})


def test_a_record_that_does_not_fit_is_not_shown() -> None:
    with pytest.raises(InvalidRecord, match=r"^expenses: amount must be a Decimal"):
        to_json("expenses", from_json("expenses", EXPENSE) | {"amount": 5})


def test_a_topic_without_a_schema_is_the_callers_mistake() -> None:
    with pytest.raises(UnknownSchema, match="no schema"):
        from_json("masters.current", {})
