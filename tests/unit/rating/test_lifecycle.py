"""The state of a charge does not depend on the order in which things are heard of it, nor on how often."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.charge_status import (
    ChargeHistory,
    ChargeStanding,
    InvoiceStatusEvent,
    PostingResult,
    cycle_times,
    progress,
    reversed_by,
    with_invoice_status,
    with_posting_result,
)

Heard: TypeAlias = (
    "tuple[str, PostingResult] | tuple[str, InvoiceStatusEvent] | str"  # of a posting, of an invoice, of a reversal
)

INSTANTS, REVISIONS = st.integers(0, 9), st.integers(1, 4)
ANSWERS = st.builds(
    PostingResult,
    revision=REVISIONS,
    at_ms=INSTANTS,
    system=st.sampled_from(["journal", "tryton"]),
    status=st.sampled_from(["posted", "refused"]),
    reference=st.sampled_from(["", "JRN-1"]),
)
STATUSES = ["issued", "sent", "part_paid", "paid", "disputed", "voided"]
NOTICES = st.builds(InvoiceStatusEvent, revision=REVISIONS, at_ms=INSTANTS, status=st.sampled_from(STATUSES))
HEARD = st.one_of(
    st.tuples(st.sampled_from(["p1", "p2"]), ANSWERS),
    st.tuples(st.sampled_from(["i1", "i2"]), NOTICES),
    st.sampled_from(["reversal-1", "reversal-2"]),
)


def told(heard: Iterable[Heard]) -> ChargeHistory:
    """The life after all of it, in that order."""
    life = ChargeHistory()
    for one in heard:
        if isinstance(one, str):
            life = reversed_by(life, one)
        elif isinstance(one[1], PostingResult):
            life = with_posting_result(life, one[0], one[1])
        else:
            life = with_invoice_status(life, one[0], one[1])
    return life


def slowly(heard: Iterable[Heard]) -> ChargeStanding:
    """The reference: everything is sorted first, and each question asked of all of it."""
    everything = [one for one in heard if not isinstance(one, str)]
    answers: dict[str, PostingResult] = {}
    for name, one in sorted((n, a) for n, a in everything if isinstance(a, PostingResult)):
        answers[name] = one
    posted = min((a.at_ms for a in answers.values() if a.status == "posted"), default=None)
    of_invoice: dict[str, list[InvoiceStatusEvent]] = {}
    for name, notice in sorted((n, a) for n, a in everything if isinstance(a, InvoiceStatusEvent)):
        of_invoice.setdefault(name, []).append(notice)
    standing = {name: notices for name, notices in of_invoice.items() if notices[-1].status != "voided"}
    if not of_invoice:
        refused = any(a.status == "refused" for a in answers.values())
        return ChargeStanding("refused" if refused else "ready" if posted is None else "posted", posted_ms=posted)
    name = sorted(standing or of_invoice, key=lambda n: (of_invoice[n][-1].at_ms, n))[-1]
    notices = of_invoice[name]
    last = notices[-1].status
    at = {status: [n.at_ms for n in notices if n.status == status] for status in STATUSES}
    latest = {status: instants[-1] if instants else None for status, instants in at.items()}
    return ChargeStanding(
        state="invoiced" if last in ("issued", "sent") else last,  # type: ignore[arg-type]
        invoice_id=name,
        posted_ms=posted,
        invoiced_ms=latest["issued"],
        sent_ms=latest["sent"],
        part_paid_ms=latest["part_paid"],
        disputed_ms=latest["disputed"],
        paid_ms=latest["paid"] if last == "paid" else None,
        voided_ms=latest["voided"] if last == "voided" else None,
    )


@given(st.lists(HEARD, max_size=14), st.data())
def test_any_order_and_any_repetition_come_to_the_same_state(heard: list[Heard], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(heard), max_size=8)) if heard else []
    shuffled = data.draw(st.permutations(heard + again))
    assert told(shuffled) == told(heard)
    assert progress(told(shuffled)) == slowly(heard)


@given(st.lists(HEARD, max_size=10))
def test_what_is_heard_again_changes_nothing(heard: list[Heard]) -> None:
    life = told(heard)
    assert told([*heard, *heard]) == life
    for one in heard:
        if isinstance(one, tuple) and isinstance(one[1], PostingResult):
            assert with_posting_result(life, one[0], one[1]) is life


def test_the_way_of_a_charge() -> None:
    life = ChargeHistory()
    assert progress(life).state == "ready"
    life = with_posting_result(life, "p", PostingResult(1, 10, "journal", "refused", "", "NO_LEGAL_ENTITY"))
    assert progress(life).state == "refused"
    life = with_posting_result(life, "p", PostingResult(2, 20, "journal", "posted", "JRN-1"))
    assert progress(life) == ChargeStanding("posted", posted_ms=20)
    for revision, status, state in (
        (1, "issued", "invoiced"),
        (2, "sent", "invoiced"),
        (3, "disputed", "disputed"),
        (4, "part_paid", "part_paid"),
        (5, "paid", "paid"),
    ):
        life = with_invoice_status(life, "INV-1", InvoiceStatusEvent(revision, 100 * revision, status))
        assert progress(life).state == state
    done = progress(life)
    assert (done.invoiced_ms, done.sent_ms, done.part_paid_ms, done.paid_ms) == (100, 200, 400, 500)
    assert cycle_times(5, done) == {
        "decided_to_posted": 15,
        "posted_to_invoiced": 80,
        "invoiced_to_paid": 400,
        "decided_to_paid": 495,
    }


def test_a_voided_invoice_frees_its_charge_for_the_next_one() -> None:
    life = with_invoice_status(ChargeHistory(), "INV-1", InvoiceStatusEvent(1, 100, "issued"))
    life = with_invoice_status(life, "INV-1", InvoiceStatusEvent(2, 200, "voided"))
    assert progress(life) == ChargeStanding("voided", invoice_id="INV-1", invoiced_ms=100, voided_ms=200)
    life = with_invoice_status(life, "INV-2", InvoiceStatusEvent(1, 150, "issued"))  # dated before the other was voided
    assert progress(life) == ChargeStanding("invoiced", invoice_id="INV-2", invoiced_ms=150)


@pytest.mark.parametrize("refusing", ["journal", "tryton"])
def test_of_two_systems_the_one_that_refuses_is_told(refusing: str) -> None:
    other = "tryton" if refusing == "journal" else "journal"
    life = with_posting_result(ChargeHistory(), "p1", PostingResult(1, 30, refusing, "refused", "", "full"))
    life = with_posting_result(life, "p2", PostingResult(1, 20, other, "posted", "X-1"))
    assert progress(life) == ChargeStanding("refused", posted_ms=20)
    healed = with_posting_result(life, "p1", PostingResult(2, 40, refusing, "posted", "Y-1"))
    assert progress(healed) == ChargeStanding("posted", posted_ms=20)


def test_clocks_that_disagree_make_no_time_below_zero() -> None:
    assert cycle_times(50, replace(ChargeStanding("posted"), posted_ms=40)) == {"decided_to_posted": 0}
