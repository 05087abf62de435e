"""A month of one metric as many rows: what settles outcome by outcome comes to what `settle` says of all of them."""

import itertools
from collections.abc import Sequence
from decimal import Decimal
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tables.settlement import bucket_store as buckets
from tables.settlement import sum_tree
from tables.settlement.large_bucket import MEMBERS
from tables.settlement.sum_tree import NODES
from tests.unit.tables.contents import MASTERS, Content, decision, engagement, line, numbered, outcome, period
from tests.unit.tables.stream import Line, Stream

OTHERS = [each for each in MASTERS if each[0] != "master.engagements"]
MODELS = ("per_unit", "graduated", "volume")
TIERS = (
    [{"unit_price": "0.335", "flat_fee": "0"}],
    [{"up_to": "10", "unit_price": "10", "flat_fee": "2"}, {"up_to": "12.5", "unit_price": "5", "flat_fee": "3"},
     {"unit_price": "0.335", "flat_fee": "1"}],
    [{"up_to": "0", "unit_price": "1", "flat_fee": "7"}, {"up_to": "20", "unit_price": "0.1", "flat_fee": "0"},
     {"up_to": "20", "unit_price": "9", "flat_fee": "9"}, {"unit_price": "999999999999", "flat_fee": "0"}],
)  # fmt: skip
QUANTITIES = ("1", "3.5", "0", "0.000001", "2", "8", "999999999999.999999", "-1")
OUTCOMES = st.builds(
    lambda n, day, quantity, status: outcome("E1", f"o{n}", "calls", quantity, f"2024-02-{day:02}", status),
    st.integers(0, 24),
    st.integers(1, 3),
    st.sampled_from(QUANTITIES * 2 + QUANTITIES[:5] * 4),
    st.sampled_from(["approved"] * 8 + ["withdrawn", "submitted"]),
)
DECISIONS = st.builds(
    lambda n, of, what, revision: decision("E1", f"d{n}", f"outcome:o{of}", what, revision),
    st.integers(0, 3),
    st.integers(0, 24),
    st.sampled_from(["waive", "waive", "retry"]),
    st.integers(1, 2),
)


def terms(model: str, tiers: int, **changed: object) -> Content:
    """The engagement with such prices of calls."""
    return engagement("E1", outcomes=[{"metric": "calls", "model": model, "tiers": TIERS[tiers]}], **changed)


TERMS = st.builds(
    terms,
    st.sampled_from(MODELS),
    st.integers(0, len(TIERS) - 1),
    currency=st.sampled_from(["EUR"] * 4 + ["JPY"]),
    ends_on=st.sampled_from([None] * 4 + ["2024-02-02"]),
    late_policy=st.sampled_from([None, "park"]),
)
PERIODS = st.builds(period, st.just("E1"), st.just("2024-02"), st.sampled_from(["open", "closed"]))


def _sent(each: Line, minute: int) -> Line:
    """The line as of another minute, by which it may be late."""
    return {**each, "value": {**each["value"], "occurred_at": f"2024-03-01T00:{minute:02}:00.000Z"}}


def delivered(batches: Sequence[Sequence[Line]], most: int) -> Stream:
    """The stream after these batches, where every bucket is many rows and a node of a sum tree holds `most`."""
    stream = Stream(most_bytes=0)
    with patch.object(sum_tree, "MOST", most):
        for number, batch in enumerate(batches):
            stream.deliver(batch)
            if number % 3 == 2:
                stream.restart()
        stream.rest()
    return stream


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.lists(TERMS, min_size=1, max_size=3),
    st.lists(OUTCOMES | OUTCOMES | OUTCOMES | OUTCOMES | DECISIONS | PERIODS, min_size=5, max_size=60),
    st.randoms(use_true_random=False),
    st.sampled_from([1, 1, 3, 20]),
    st.sampled_from([4, 5, 32]),
)
def test_outcomes_in_any_arrival_come_to_the_law(
    prices: list[Content], facts: list[Content], random: object, largest: int, most: int
) -> None:
    lines = [_sent(each, minute) for each, minute in zip(numbered([*prices, *facts]), itertools.cycle((0, 7, 3, 5)))]
    random.shuffle(lines)  # type: ignore[attr-defined]
    batches = [lines[start : start + largest] for start in range(0, len(lines), largest)]
    stream = delivered([numbered(OTHERS), *batches], most)
    assert stream.books.ledger() == list(stream.books.expected())


def month(model: str, tiers: int, count: int, quantity: str = "1") -> Stream:
    """So many outcomes of one day, a batch each."""
    stream = Stream(most_bytes=0)
    stream.deliver(numbered([*OTHERS, terms(model, tiers)]))
    for n in range(count):
        stream.deliver([line(outcome("E1", f"o{n:03}", "calls", quantity, "2024-02-01", "approved"))])
    return stream


def published_by(stream: Stream, *lines: Line) -> list[tuple[str, Decimal]]:
    """(subject, amount) of what these lines publish."""
    before = len(stream.said("billing.ready"))
    stream.deliver(lines)
    return [(record["subject"], record["amount"]) for record in stream.said("billing.ready")[before:]]


@pytest.mark.parametrize("model", MODELS)
def test_an_outcome_at_the_end_of_a_month_publishes_its_own_charge_only(model: str) -> None:
    stream = month(model, 0, 40, "2000")
    assert len(published_by(stream, line(outcome("E1", "o999", "calls", "2000", "2024-02-01", "approved")))) == 1


def test_a_late_outcome_displaces_those_at_the_ends_of_tiers_only() -> None:
    stream = month("graduated", 1, 40)
    said = published_by(stream, line(outcome("E1", "first", "calls", "1", "2024-02-01", "approved")))
    # It is first, so has the first fee; the one before the tenth unit's end and the one that enters after 12.5 move.
    assert sorted({subject for subject, _ in said}) == [
        "outcome:first", "outcome:o000", "outcome:o009", "outcome:o010", "outcome:o011", "outcome:o012"
    ]  # fmt: skip
    assert stream.books.ledger() == list(stream.books.expected())


def test_rows_of_a_month_do_not_grow() -> None:
    stream = month("graduated", 1, 300)
    sizes = {key: len(row) for key, row in stream.settle_rows.items() if MEMBERS.holds(key) or NODES.holds(key)}
    assert len(sizes) > 300
    assert max(sizes.values()) < 4_000
    assert max(len(row) for row in stream.settle_rows.values()) < 4_000


def test_8500_outcomes_of_one_month_are_all_charged_in_rows_that_fit() -> None:
    stream = Stream()
    stream.deliver(numbered([*OTHERS, terms("graduated", 1)]))
    for start in range(0, 8_500, 500):
        stream.deliver([line(outcome("E1", f"o{n}", "calls", "1", "2024-02-01")) for n in range(start, start + 500)])
    charges = stream.said("billing.ready")
    assert len({record["subject"] for record in charges if record["reverses"] is None}) == 8_500
    assert max(len(row) for row in stream.settle_rows.values()) < buckets.MOST_BYTES
    assert stream.books.ledger() == list(stream.books.expected())
