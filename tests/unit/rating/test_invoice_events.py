"""Where an invoice stands: of the same events always the same, and what a clerk would say of it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.payment_status import InvoiceEvent, Status, history

START = datetime(2025, 4, 1, tzinfo=UTC)
STATUSES: tuple[Status | None, ...] = (None, "issued", "sent", "part_paid", "paid", "disputed", "voided")
PAYABLES = st.sampled_from([Decimal(100), Decimal(-100), Decimal(0)])


@st.composite
def events(draw: st.DrawFn) -> list[InvoiceEvent]:
    """Some events, several of them at one instant."""
    said = st.tuples(
        st.integers(0, 4), st.sampled_from(STATUSES), st.one_of(st.none(), st.sampled_from([-100, -40, 40, 60, 100]))
    )
    return [
        InvoiceEvent(START + timedelta(days=day), f"e{n}", status, None if paid is None else Decimal(paid))
        for n, (day, status, paid) in enumerate(draw(st.lists(said, max_size=8)))
    ]


def slowly(payable: Decimal, told: Sequence[InvoiceEvent]) -> tuple[Status, Decimal]:
    """The reference: the status after these events, asked of all of them at once."""
    sign = -1 if payable < 0 else 1
    in_order = sorted(told, key=lambda event: (event.at, event.event_id))
    words = [(n, event.status) for n, event in enumerate(in_order) if event.status]
    if any(word == "voided" for _, word in words):
        return "voided", Decimal(0)
    where, word = words[-1] if words else (-1, "issued")
    paid = sum((event.payment for event in in_order if event.payment is not None), Decimal(0))
    backs = [n for n, event in enumerate(in_order) if event.payment is not None and event.payment * sign < 0]
    if word in ("paid", "part_paid") and any(n > where for n in backs):
        word = "issued"
    if word == "paid" or (payable and paid * sign >= payable * sign):
        return "paid", paid
    if word == "disputed":
        return word, paid
    return ("part_paid" if word == "part_paid" or paid * sign > 0 else word), paid


@given(PAYABLES, events(), st.randoms())
def test_the_order_of_arrival_changes_nothing(payable: Decimal, told: list[InvoiceEvent], random: object) -> None:
    shuffled = list(told)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert history(payable, shuffled) == history(payable, told)


@given(PAYABLES, events())
def test_each_standing_is_what_the_events_up_to_it_come_to(payable: Decimal, told: list[InvoiceEvent]) -> None:
    in_order = sorted(told)
    expected: list[tuple[Status, datetime]] = []
    last: tuple[Status, Decimal] = ("issued", Decimal(0))
    for n, event in enumerate(in_order, 1):
        now = slowly(payable, in_order[:n])
        if now[0] != last[0] or (now[0] == "part_paid" and now[1] != last[1]):
            expected.append((now[0], event.at))
            last = now
        if now[0] == "voided":
            break
    assert [(one.status, one.at) for one in history(payable, told)] == expected


def said(*told: tuple[Status | None, int | None], payable: int = 100) -> list[str]:
    """The standings that statuses and payments come to, one a day."""
    found = [
        InvoiceEvent(START + timedelta(days=n), f"e{n}", status, None if paid is None else Decimal(paid))
        for n, (status, paid) in enumerate(told)
    ]
    return [f"{one.status} {one.paid}" for one in history(Decimal(payable), found)]


@pytest.mark.parametrize(
    ("told", "standings"),
    [
        ([("sent", None), (None, 40), (None, 60)], ["sent 0", "part_paid 40", "paid 100"]),
        ([(None, 40), (None, 30)], ["part_paid 40", "part_paid 70"]),
        ([(None, 120)], ["paid 120"]),
        ([("paid", None), (None, 100)], ["paid 0"]),  # a system that says both says it once
        ([("disputed", None), (None, 40), (None, 60)], ["disputed 0", "paid 100"]),
        ([("disputed", None), ("sent", None)], ["disputed 0", "sent 0"]),
        ([(None, 100), (None, -100)], ["paid 100", "issued 0"]),
        ([("paid", None), (None, -100)], ["paid 0", "issued -100"]),
        ([(None, 100), (None, -60)], ["paid 100", "part_paid 40"]),
        ([("voided", None), ("paid", 100)], ["voided 0"]),
        ([], []),
        ([("issued", None)], []),
    ],
)
def test_what_a_clerk_would_say(told: list[tuple[Status | None, int | None]], standings: list[str]) -> None:
    assert said(*told) == standings


def test_a_credit_note_is_paid_by_giving_money_back() -> None:
    assert said((None, -40), (None, -60), payable=-100) == ["part_paid -40", "paid -100"]
    assert said((None, 40), payable=-100) == []
