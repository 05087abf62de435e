"""The fast path gives, byte for byte, what the general path gives."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.codec import decode_for, shape
from schemas.partial_encoder import run
from schemas.schema_types import Field, Text
from streaming.batch import Record
from tables.settlement.fast_path import TimeRow, time_rows, writes_all_of
from tables.settlement.fast_settling import PlainSettling
from tests.unit.tables.contents import MASTERS as SENSIBLE
from tests.unit.tables.contents import engagement, entry, line, numbered, rate_card
from tests.unit.tables.histories import Arrival, arrivals, histories
from tests.unit.tables.stream import Line, Stream, places_kept

PLAIN = {
    "billing_method": "time_and_materials",
    "cap": None,
    "retainer": None,
    "multipliers": {},
}  # beside the scope of the rounding, which is nested


@contextmanager
def counted() -> Iterator[Counter[bool]]:
    """How many entries took the short way, and how many asked for it and did not."""
    ways, take = Counter[bool](), PlainSettling.take

    def counting(self: PlainSettling, row: TimeRow, record: Record, name: str, bucket: str) -> bool:
        taken = take(self, row, record, name, bucket)
        ways[taken] += 1
        return taken

    with patch.object(PlainSettling, "take", counting):
        yield ways


@contextmanager
def general_only() -> Iterator[None]:
    """Everything goes the general way."""
    with patch.object(PlainSettling, "take", lambda *_: False):
        yield


def made_plain(lines: Sequence[Line]) -> list[Line]:
    """The same history, of contracts whose time is plain."""
    return [_plain(each) if each["topic"] == "master.engagements" else each for each in lines]


def _plain(each: Line) -> Line:
    value = each["value"]
    return {**each, "value": {**value, **PLAIN, "rounding": {**value["rounding"], "scope": "entry"}}}


def played(arrival: Arrival) -> Stream:
    """The stream after an arrival, at rest."""
    stream = Stream(arrival.chunk, arrival.most_bytes)
    for number, batch in enumerate(arrival.batches):
        if number in arrival.restarts:
            stream.restart()
        stream.deliver(batch)
    stream.rest()
    return stream


def same_bytes(one: Stream, other: Stream) -> None:
    """Both published the same; a difference is shown decoded."""
    for a, b in zip(one.outputs, other.outputs, strict=True):
        assert a == b, (decode_for(a.topic, a.value or b""), decode_for(b.topic, b.value or b""))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_both_ways_publish_the_same_bytes(data: st.DataObject) -> None:
    # Whole sweeps: with one under way, the general way settles a day's other entries before the sweep comes to them.
    arrival = replace(data.draw(arrivals(made_plain(data.draw(histories())))), chunk=20_000)
    short = played(arrival)
    with general_only():
        general = played(arrival)
    same_bytes(short, general)
    assert short.totals() == general.totals()
    assert places_kept(short.settle_rows) == places_kept(general.settle_rows)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from(["C1", "C2"]), st.integers(0, 700), st.booleans()),
        min_size=20, max_size=60,
    ),
    st.lists(st.integers(0, 400), min_size=2, max_size=2, unique=True),
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.sampled_from(["100", "58.374271", "0", "0.000001", "899999999999.999999"]),
    st.sampled_from(["0", "7.5", "100"]),
    st.sampled_from([(1, "up"), (15, "up"), (6, "nearest"), (30, "down")]),
)  # fmt: skip
def test_terms_change_on_the_day_they_say(
    entries: list[tuple[int, str, int, bool]],
    edges: list[int],
    currency: str,
    rate: str,
    discount: str,
    rounding: tuple[int, str],
) -> None:
    """Many entries around a card's edges, one by one: each has the rate of its own day, or waits for one."""
    increment, mode = rounding
    contract = engagement(
        "E1", currency=currency, discount_percent=discount,
        rounding={"increment_minutes": increment, "mode": mode, "scope": "entry"},
    )  # fmt: skip
    first, last = (FIRST + timedelta(days) for days in sorted(edges))
    topic, card = rate_card(rate, valid_from=first.isoformat())
    card["lines"][0]["valid_to"], card["currency"] = last.isoformat(), currency
    masters = numbered([*(each for each in SENSIBLE if each[0] != topic), (topic, card), contract])
    lines = [
        line(entry("E1", str(n), minutes, (FIRST + timedelta(days)).isoformat(), consultant_id=who, billable=billable))
        for n, (days, who, minutes, billable) in enumerate(entries)
    ]
    arrival = Arrival((tuple(masters), *((each,) for each in lines)), frozenset(), 20_000)
    short = played(arrival)
    assert short.books.ledger() == list(short.books.expected())
    with general_only():
        same_bytes(short, played(arrival))


FIRST = date(2024, 1, 2)


def hourly() -> Stream:
    """A stream that knows sensible masters, with one rate an hour for everybody."""
    stream = Stream()
    stream.deliver(numbered([*(each for each in SENSIBLE if each[0] != "master.rate-cards"), rate_card("100")]))
    return stream


def test_plain_entries_do_take_the_short_way() -> None:
    """Else the tests above would compare the general way with itself."""
    stream = hourly()
    with counted() as ways:
        stream.deliver([line(entry("E1", str(n), 30, (FIRST + timedelta(n % 9)).isoformat())) for n in range(40)])
    assert ways == {True: 40}


def test_an_overfull_day_goes_the_general_way() -> None:
    stream = hourly()
    with counted() as ways:
        stream.deliver([line(entry("E1", str(n), 500, "2024-01-30")) for n in range(3)])
    assert ways == {True: 2, False: 1}
    assert {one["code"] for one in stream.books.ledger()} == {"DAY_OVER_24H"}


def test_runs_are_fields_that_follow_each_other() -> None:
    with pytest.raises(ValueError, match="do not follow each other"):
        run("billing.ready", "rate", "multiplier")


def test_a_time_entry_with_a_value_in_a_new_field_takes_the_general_path() -> None:
    today = shape("time.entries")
    values: tuple[object, ...] = tuple(range(len(today.fields)))
    for place in (0, 5, len(today.fields)):
        tomorrow = replace(today, fields=(*today.fields[:place], Field("added", Text()), *today.fields[place:]))
        row = time_rows(tomorrow)
        assert row((*values[:place], None, *values[place:])) == time_rows(today)(values) == TimeRow._make(values)
        assert row((*values[:place], "something", *values[place:])) is None


def test_a_charge_with_a_new_field_takes_the_general_path() -> None:
    today = shape("billing.ready")
    assert writes_all_of(today)
    for place in range(len(today.fields) + 1):
        fields = (*today.fields[:place], Field("added", Text()), *today.fields[place:])
        assert not writes_all_of(replace(today, fields=fields))
