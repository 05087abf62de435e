"""What billing systems say of invoices: held to our own, summed, announced once, whatever comes first."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from common.errors import SinkFenced
from invoicing.outbox_records import EXCEPTIONS_TOPIC, STATUS_TOPIC
from invoicing.status_events import BillingEvent, EventRow
from invoicing.status_intake import EVENTS_TOPIC, NoSuchInvoice, StatusIntake
from invoicing.status_mapping import WordsWrong, load_words
from invoicing.void import NotVoidable, void_invoice
from rating.charge_status import ChargeHistory, InvoiceStatusEvent, progress, with_invoice_status
from schemas.json_codec import from_json
from sinks.outbox import Outbox, OutboxRow
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import charge
from tests.integration.sinks.test_invoice_run import AT, invoice, publish
from warehouse.reports import client_totals, invoices

INVOICE = "LE-1-2025-00001"  # over 120.00


def event(event_id: str, number: str = "X-1", *, days: int = 0, **said: object) -> BillingEvent:
    """What the system `books` says of its invoice X-1, so many days after ours was issued."""
    empty = {"reference": None, "status": None, "payment": None, "charge_ids": [], "amount": None, "currency": None}
    told = {"system": "books", "invoice": number, "event_id": event_id, "at": AT + timedelta(days=days), "revision": 1}
    return cast(BillingEvent, empty | told | said)


def payment(amount: str, currency: str = "EUR") -> dict[str, object]:
    """Money received."""
    return {"amount": Decimal(amount), "currency": currency, "reference": "bank"}


class Desk:
    """The desk, one partition of its topic, and what it announces."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.desk, self._next = pool, StatusIntake(pool, load_words()), 0

    def hears(self, *events: BillingEvent) -> None:
        """One batch."""
        rows = [EventRow(0, self._next + n, datetime(2025, 4, 2, tzinfo=UTC), each) for n, each in enumerate(events)]
        start, self._next = self._next, self._next + len(events)
        self.desk.write(0, start, self._next, rows)

    def announced(self, topic: str = STATUS_TOPIC) -> list[dict[str, Any]]:
        """What is queued for a topic, taken off the outbox."""
        taken: list[OutboxRow] = []
        Outbox(self.pool, topic).drain(taken.extend)
        return [from_json(topic, row.value) for row in taken]

    def statuses(self) -> list[tuple[str, str, int]]:
        """(invoice, status, revision) of what is announced."""
        return [(one["invoice_id"], one["status"], one["revision"]) for one in self.announced()]

    def exceptions(self) -> list[tuple[str, str, str]]:
        """(subject, code, status) of what is announced."""
        return [(one["subject"], one["code"], one["status"]) for one in self.announced(EXCEPTIONS_TOPIC)]


@pytest.fixture
def desk(pool: Pool) -> Desk:
    """One charge of 100.00 and 20 % tax, invoiced by us; what was announced of that is taken off."""
    publish(pool, charge("a"))
    assert [one.invoice_id for one in invoice(pool).issued] == [INVOICE]
    found = Desk(pool)
    assert found.statuses() == [(INVOICE, "issued", 1)]
    return found


def stands(pool: Pool, invoice_id: str = INVOICE) -> tuple[str, str]:
    """Standing and payments of an invoice."""
    (found,) = [one for one in invoices(pool) if one.invoice_id == invoice_id]
    return found.standing, f"{found.paid.normalize():f}"


def test_payments_are_summed_to_part_paid_and_paid(desk: Desk) -> None:
    desk.hears(event("e1", reference=INVOICE, status="sent", days=1), event("e2", payment=payment("50"), days=2))
    assert desk.statuses() == [(INVOICE, "sent", 2), (INVOICE, "part_paid", 3)]
    assert stands(desk.pool) == ("part_paid", "50")
    desk.hears(event("e2", payment=payment("50"), days=2))  # said again
    assert desk.statuses() == []
    desk.hears(event("e3", payment=payment("70"), days=3))
    (told,) = desk.announced()
    assert (told["status"], told["at"], told["amount"], told["source"]) == (
        "paid",
        AT + timedelta(days=3),
        Decimal("120.000000"),
        "hourstream",
    )
    assert told["charge_ids"] == [charge("a")["charge_id"]]
    assert stands(desk.pool) == ("paid", "120")
    assert desk.exceptions() == []


@pytest.mark.parametrize("seed", range(6))
def test_in_any_order_and_batches_of_any_size_it_comes_to_the_same(desk: Desk, seed: int) -> None:
    random = Random(seed)
    events = [
        event("e1", reference=INVOICE, status="sent", days=1),
        event("e2", payment=payment("50"), days=2),
        event("e3", status="disputed", days=3),
        event("e3", status="sent", days=3, revision=2),  # it was no dispute after all
        event("e4", payment=payment("30"), days=4),
        event("e5", payment=payment("40"), days=5),
    ]
    events += random.sample(events, 3)
    random.shuffle(events)
    told = [InvoiceStatusEvent(1, int(AT.timestamp() * 1000), "issued")]
    while events:
        size = random.randrange(1, 4)
        desk.hears(*events[:size])
        events = events[size:]
        for one in desk.announced():
            told.append(InvoiceStatusEvent(one["revision"], int(one["at"].timestamp() * 1000), one["status"]))
    assert [notice.revision for notice in told] == list(range(1, len(told) + 1))
    assert stands(desk.pool) == ("paid", "120")
    life = ChargeHistory()
    for notice in told:
        life = with_invoice_status(life, INVOICE, notice)
    reached = progress(life)
    day = int(timedelta(days=1).total_seconds() * 1000)
    since = [
        None if at is None else at - told[0].at_ms for at in (reached.invoiced_ms, reached.sent_ms, reached.paid_ms)
    ]
    assert (reached.state, since) == ("paid", [0, since[1], 5 * day])
    last = {(subject, code): status for subject, code, status in desk.exceptions()}
    assert set(last.values()) <= {"resolved"}  # only of what came before its invoice was named


def test_an_invoice_nobody_knows_is_an_exception_until_it_is_linked(desk: Desk) -> None:
    desk.hears(event("e1", payment=payment("120"), days=1))
    (told,) = desk.announced(EXCEPTIONS_TOPIC)
    assert (told["subject"], told["code"], told["status"]) == ("source:books:statuses:e1", "UNKNOWN_INVOICE", "open")
    assert told["missing"] == {"kind": "invoice", "id": "books:X-1", "day": None}
    assert told["engagement_id"] == ""
    desk.desk.apply_waiting()
    assert desk.exceptions() == []
    with pytest.raises(NoSuchInvoice, match="none-such is no invoice"):
        desk.desk.link("books", "X-1", "none-such")
    desk.desk.link("books", "X-1", INVOICE)
    assert desk.exceptions() == [("source:books:statuses:e1", "UNKNOWN_INVOICE", "resolved")]
    assert desk.statuses() == [(INVOICE, "paid", 2)]


def test_a_payment_that_comes_before_its_invoice_waits_for_it(pool: Pool) -> None:
    desk = Desk(pool)
    desk.hears(event("e1", number=INVOICE, payment=payment("120"), days=1))
    assert desk.exceptions() == [("source:books:statuses:e1", "UNKNOWN_INVOICE", "open")]
    publish(pool, charge("a"))
    invoice(pool)
    desk.desk.apply_waiting()
    assert desk.exceptions() == [("source:books:statuses:e1", "UNKNOWN_INVOICE", "resolved")]
    assert desk.statuses() == [(INVOICE, "issued", 1), (INVOICE, "paid", 2)]


def test_a_payment_in_another_currency_and_a_word_nobody_mapped_are_told(desk: Desk) -> None:
    desk.hears(
        event("e1", number=INVOICE, payment=payment("120", "USD")),
        event("e2", number=INVOICE, status="overdue", days=1),
    )
    assert sorted(desk.exceptions()) == [
        ("source:books:statuses:e1", "OTHER_CURRENCY", "open"),
        ("source:books:statuses:e2", "UNMAPPED_STATUS", "open"),
    ]
    assert desk.statuses() == []
    desk.hears(event("e1", number=INVOICE, payment=payment("120"), revision=2), event("e2", number=INVOICE, revision=2))
    assert {status for _, _, status in desk.exceptions()} == {"resolved"}
    assert desk.statuses() == [(INVOICE, "paid", 2)]


def test_a_corrected_payment_takes_back_what_it_had_said(desk: Desk) -> None:
    desk.hears(event("e1", number=INVOICE, payment=payment("120"), days=1))
    desk.hears(event("e1", number="ANOTHER", payment=payment("120"), days=1, revision=2))
    assert desk.statuses() == [(INVOICE, "paid", 2), (INVOICE, "issued", 3)]
    assert stands(desk.pool) == ("issued", "0")
    assert desk.exceptions() == [("source:books:statuses:e1", "UNKNOWN_INVOICE", "open")]


def test_another_system_voids_and_the_charges_are_free(desk: Desk) -> None:
    desk.hears(
        event("e1", number=INVOICE, payment=payment("20"), days=1), event("e2", INVOICE, status="voided", days=2)
    )
    assert desk.statuses() == [(INVOICE, "part_paid", 2), (INVOICE, "voided", 3)]
    assert desk.exceptions() == [("source:books:statuses:e1", "VOIDED_INVOICE", "open")]
    assert [(one.invoice_id, one.charges) for one in invoice(desk.pool).issued] == [("LE-1-2025-00002", 1)]
    desk.hears(event("e3", number=INVOICE, payment=payment("-20"), days=3))  # the money is given back
    assert desk.exceptions() == [("source:books:statuses:e1", "VOIDED_INVOICE", "resolved")]


def test_what_is_paid_is_not_voided(desk: Desk) -> None:
    desk.hears(event("e1", number=INVOICE, payment=payment("20")))
    with pytest.raises(NotVoidable, match="has been paid"):
        void_invoice(desk.pool, INVOICE, at=AT, reason="x")
    desk.hears(event("e2", number=INVOICE, payment=payment("-20"), days=1))
    assert void_invoice(desk.pool, INVOICE, at=AT, reason="x") == 1
    assert [status for _, status, _ in desk.statuses()] == ["part_paid", "issued", "voided"]


def test_an_invoice_made_elsewhere_is_taken_into_our_books(pool: Pool) -> None:
    desk = Desk(pool)
    charges = [charge("a"), charge("b", engagement_id="E-2"), charge("free", "0.00", reason="NON_BILLABLE")]
    ids = [one["charge_id"] for one in charges]
    posted = event("i1", status="posted", charge_ids=ids, amount=Decimal("240.01"), currency="EUR", system="tryton")
    desk.hears(posted)  # before the projection knows the charges
    assert desk.exceptions() == [("source:tryton:statuses:i1", "UNKNOWN_CHARGE", "open")]
    publish(pool, *charges)
    desk.desk.apply_waiting()
    assert desk.exceptions() == [("source:tryton:statuses:i1", "UNKNOWN_CHARGE", "resolved")]
    told = desk.announced()
    assert [(one["invoice_id"], one["engagement_id"], one["status"], f"{one['amount']:.2f}") for one in told] == [
        ("tryton:X-1/1", "E-1", "issued", "120.00"),
        ("tryton:X-1/2", "E-2", "issued", "120.01"),
    ]
    assert [one["charge_ids"] for one in told] == [[ids[0]], [ids[1]]]
    desk.hears(event("i2", status="draft", system="tryton"), event("i3", status="paid", days=9, system="tryton"))
    assert desk.statuses() == [("tryton:X-1/1", "paid", 2), ("tryton:X-1/2", "paid", 2)]
    assert invoice(pool).issued == ()  # ours bills none of it again
    assert all(total.posted == total.invoiced + total.open for total in client_totals(pool))
    with pytest.raises(NotVoidable, match="was made in tryton"):
        void_invoice(pool, "tryton:X-1/1", at=AT, reason="x")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"amount": Decimal("130.00")}, "INVOICE_DIFFERS"),
        ({"currency": "USD"}, "OTHER_CURRENCY"),
        ({"status": "overdue"}, "UNMAPPED_STATUS"),
    ],
)
def test_an_invoice_made_elsewhere_that_bills_something_else_is_told(
    pool: Pool, said: dict[str, object], code: str
) -> None:
    desk = Desk(pool)
    publish(pool, charge("a"))
    desk.hears(event("i1", **({"status": "issued", "charge_ids": [charge("a")["charge_id"]]} | said)))
    assert desk.exceptions() == [("source:books:statuses:i1", code, "open")]
    assert [one.charges for one in invoice(pool).issued] == [1]


def test_of_two_invoices_over_one_charge_the_second_is_told(desk: Desk) -> None:
    desk.hears(event("i1", status="issued", charge_ids=[charge("a")["charge_id"]]))
    assert desk.exceptions() == [("source:books:statuses:i1", "CHARGE_INVOICED_TWICE", "open")]
    void_invoice(desk.pool, INVOICE, at=AT, reason="made twice")
    desk.desk.apply_waiting()
    assert desk.exceptions() == [("source:books:statuses:i1", "CHARGE_INVOICED_TWICE", "resolved")]
    assert desk.statuses() == [(INVOICE, "voided", 2), ("books:X-1", "issued", 1)]


def test_partitions_runs_and_links_at_the_same_time_come_to_the_same(desk: Desk) -> None:
    def hears(partition: int) -> None:
        for n in range(10):
            paid = event(f"p{partition}-{n % 5}", payment=payment("6"), revision=n, days=n)
            desk.desk.write(partition, n, n + 1, [EventRow(partition, n, AT, paid)])
            desk.desk.apply_waiting()

    with ThreadPoolExecutor(5) as threads:
        done = [threads.submit(hears, partition) for partition in range(4)]
        threads.submit(desk.desk.link, "books", "X-1", INVOICE).result(60)
        assert [one.result(60) for one in done] == [None] * 4
    assert stands(desk.pool) == ("paid", "120")
    revisions = [revision for _, _, revision in desk.statuses()]
    assert revisions == list(range(2, len(revisions) + 2))


def test_a_draft_that_was_never_issued_says_nothing(pool: Pool) -> None:
    desk = Desk(pool)
    desk.hears(event("d1", status="draft", system="tryton"), event("d2", status="cancelled", system="tryton"))
    assert (desk.exceptions(), desk.statuses()) == ([], [])


def test_a_batch_read_again_is_fenced(desk: Desk) -> None:
    desk.hears(event("e1", number=INVOICE, payment=payment("20")))
    with pytest.raises(SinkFenced):
        desk.desk.write(0, 0, 1, [EventRow(0, 0, AT, event("e9", number=INVOICE, payment=payment("20")))])
    assert desk.desk.position(0) == 1
    assert EVENTS_TOPIC == "source.billing.statuses"


@pytest.mark.parametrize("text", ["- a", "books: {paid: payed}", "books: paid", "{"])
def test_a_file_of_words_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "words.yaml"
    file.write_text(text)
    with pytest.raises(WordsWrong, match=r"words\.yaml"):
        load_words(file)
