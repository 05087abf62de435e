"""Pydantic models of the contracts: they take and refuse what the JSON codec does, and tell every error at once."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from schema_records import records, sample

from common.errors import InvalidRecord
from schemas import codec
from schemas.json_codec import from_json, to_json
from schemas.models import errors_of, model_of, python_form
from topics.catalogue import TOPICS

WITH_SCHEMA = sorted(topic.name for topic in TOPICS.values() if topic.subject)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}),
    st.sampled_from(["2024-02-30", "2024-02-29", "1.2345678", "1e3", "\ud800", "2024-02-29T12:00:00Z", 10**40]),
)  # fmt: skip


def accepts(topic: str, value: object) -> dict[str, Any] | None:
    """What the model makes of a value; None for one that it refuses."""
    try:
        return python_form(model_of(topic).model_validate(value))
    except ValidationError:
        return None


def taken(topic: str, value: object) -> dict[str, Any] | None:
    """The same of the JSON codec."""
    try:
        return from_json(topic, value)
    except InvalidRecord:
        return None


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from places(inner)


@pytest.mark.parametrize("topic", WITH_SCHEMA)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_model_and_codec_take_and_refuse_the_same(topic: str, data: st.DataObject) -> None:
    value = json.loads(json.dumps(to_json(topic, data.draw(records(topic)))))
    assert accepts(topic, value) == taken(topic, value) is not None
    spoiled = copy.deepcopy(value)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(list(places(spoiled))))
        if isinstance(container, dict) and data.draw(st.booleans()):
            del container[key]
        else:
            container[key] = data.draw(ODD)
        if not spoiled:
            break
    assert accepts(topic, spoiled) == taken(topic, spoiled)
    assert (errors_of(topic, spoiled) == ()) == (taken(topic, spoiled) is not None)


@pytest.mark.parametrize("topic", WITH_SCHEMA)
def test_every_value_of_a_record_that_does_not_fit_is_told(topic: str) -> None:
    names = [field.name for field in codec.shape(topic).fields]
    told = errors_of(topic, dict.fromkeys(names, object()))
    assert [each.split()[0] for each in told] == names


def test_the_reader_of_records_tells_all_errors_in_the_order_of_the_contract() -> None:
    value = json.loads(json.dumps(to_json("time.entries", sample(codec.shape("time.entries")))))
    with pytest.raises(InvalidRecord) as refused:
        from_json("time.entries", value | {"minutes": "60", "work_date": "2024-02-30"})
    assert str(refused.value) == (
        "time.entries: work_date must be a date YYYY-MM-DD, not str '2024-02-30'; minutes must be an int, not str '60'"
    )


def test_errors_of_inner_records_have_their_path_and_many_are_counted() -> None:
    lines = [{"line_id": 1} for _ in range(30)]
    with pytest.raises(InvalidRecord, match=r"lines\[0\].line_id must be text.*; and [0-9]+ more") as refused:
        from_json("master.rate-cards", {"lines": lines})
    assert str(refused.value).count(";") == 20
