"""Invoice runs on a real projection: what is taken, what it adds up to, and that no charge is billed twice."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from invoicing.account_run import IssueDateTooEarly
from invoicing.charge_projection import Projection
from invoicing.document import load_invoice
from invoicing.holds import Holds
from invoicing.outbox_records import STATUS_TOPIC
from invoicing.projection_wait import ProjectionBehind
from invoicing.run import InvoiceRun, run_invoices
from invoicing.void import NotVoidable, void_invoice
from schemas.json_codec import from_json
from sinks.journal import Journal
from sinks.outbox import Outbox, OutboxRow
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool, transaction
from tests.contract.sinks.sink_charges import batch, charge, reversal
from tests.unit.sinks.documents import NAMES
from topics.catalogue import CHARGES_TOPIC
from warehouse.queries import traced_charges
from warehouse.reports import client_totals, invoices

AT = datetime(2025, 4, 1, 12, tzinfo=UTC)
TERMS: dict[str, Any] = {"cut_off": date(2025, 3, 31), "issue_date": date(2025, 4, 1), "at": AT, "names": NAMES}


def publish(pool: Pool, *charges: ChargeRecord) -> None:
    """Charges as they come to both sinks."""
    for sink in (Projection(pool), Journal(pool)):
        sink.write(batch(sink.positions(CHARGES_TOPIC, 0), charges))


def invoice(pool: Pool, cut_off: date = date(2025, 3, 31), issue_date: date = date(2025, 4, 1)) -> InvoiceRun:
    """One run over all that is published."""
    ends = {0: Projection(pool).positions(CHARGES_TOPIC, 0)}
    return run_invoices(pool, cut_off=cut_off, issue_date=issue_date, end_offsets=ends, at=AT, names=NAMES)


def told(run: InvoiceRun) -> list[tuple[str, str, str]]:
    """Number, kind and payable amount of each document of a run."""
    return [(each.invoice_id, each.kind, str(each.payable)) for each in run.issued]


def audit_holds(pool: Pool) -> bool:
    """The fifth statement of DOMAIN.md §5."""
    return all(total.posted == total.invoiced + total.open for total in client_totals(pool))


@pytest.fixture
def four(pool: Pool) -> list[ChargeRecord]:
    """The four lines of 20 % tax that come to 334.99, published."""
    charges = [charge(str(n), amount) for n, amount in enumerate(("68.33", "68.33", "57.50", "85.00"))]
    publish(pool, *charges)
    return charges


def test_tax_is_of_the_sum_and_never_of_the_lines(pool: Pool, four: list[ChargeRecord]) -> None:
    assert told(invoice(pool)) == [("LE-1-2025-00001", "invoice", "334.99")]
    document = load_invoice(pool, "LE-1-2025-00001")
    assert (document.net, document.tax, document.rounding) == (Decimal("279.16"), Decimal("55.83"), 0)
    assert [str(line.net) for line in document.lines] == ["279.16"]
    assert told(invoice(pool)) == []
    assert audit_holds(pool)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)])
def test_crediting_line_by_line_gives_back_what_was_invoiced(
    pool: Pool, four: list[ChargeRecord], order: tuple[int, ...]
) -> None:
    invoice(pool)
    credits = []
    for n in order:
        publish(pool, reversal(four[n]))
        (issued,) = invoice(pool).issued
        document = load_invoice(pool, issued.invoice_id)
        assert document.kind == "credit_note"
        assert document.credits == (("LE-1-2025-00001", date(2025, 4, 1)),)
        # Each document by itself keeps BR-CO-17 to the cent; BT-114 holds what is between them.
        assert document.tax == (document.net / 5).quantize(Decimal("0.01"), "ROUND_HALF_UP")
        assert document.payable == document.net + document.tax + document.rounding
        credits.append(document.payable)
    assert sum(credits) == Decimal("-334.99")
    assert audit_holds(pool)


def test_crediting_it_all_at_once_needs_no_rounding(pool: Pool, four: list[ChargeRecord]) -> None:
    invoice(pool)
    publish(pool, *map(reversal, four))
    assert told(invoice(pool)) == [("LE-1-2025-00002", "credit_note", "-334.99")]
    assert load_invoice(pool, "LE-1-2025-00002").rounding == 0


def test_hours_withdrawn_after_the_invoice_are_netted_and_not_billed_again(pool: Pool) -> None:
    kept = charge("kept", "450.00", billable_minutes=270)
    withdrawn = charge("withdrawn", "350.00", billable_minutes=210)
    publish(pool, kept, withdrawn)
    assert told(invoice(pool)) == [("LE-1-2025-00001", "invoice", "960.00")]
    publish(pool, reversal(withdrawn), charge("late", "100.00"))
    assert told(invoice(pool)) == [("LE-1-2025-00002", "credit_note", "-300.00")]
    (line,) = load_invoice(pool, "LE-1-2025-00002").lines
    assert (line.quantity, line.unit, line.price, line.net) == (Decimal("-2.5"), "HUR", 100, -250)
    assert audit_holds(pool)


def test_work_after_the_cut_off_waits_and_late_work_names_its_own_period(pool: Pool) -> None:
    publish(pool, charge("march"), charge("april", work_date=date(2025, 4, 1)))
    assert [each.charges for each in invoice(pool).issued] == [1]
    publish(pool, charge("late-march", "50.00", billable_minutes=30))
    invoice(pool, cut_off=date(2025, 4, 30), issue_date=date(2025, 5, 2))
    document = load_invoice(pool, "LE-1-2025-00002")
    assert [(line.period, str(line.net)) for line in document.lines] == [("2025-03", "50.00"), ("2025-04", "100.00")]


def test_what_is_not_billable_is_never_invoiced(pool: Pool) -> None:
    free = charge("free", "0.00", reason="NON_BILLABLE", tax_category=None, tax_rate=None)
    publish(pool, free, reversal(free))
    assert invoice(pool) == InvoiceRun((), 0)


def test_each_account_has_its_own_invoice_and_category_o_stands_alone(pool: Pool) -> None:
    outside = {"tax_category": "O", "tax_rate": Decimal(0)}
    publish(
        pool,
        charge("a"),
        charge("b", **outside),
        charge("c", engagement_id="E-2"),
        charge("d", currency="USD"),
        charge("e", client_id="C-2"),
        charge("f", legal_entity="LE-2"),
        charge("g", tax_category="Z", tax_rate=Decimal(0)),
    )
    run = invoice(pool)
    assert sorted(str(each.payable) for each in run.issued) == ["100.00", *["120.00"] * 4, "220.00"]
    mixed = next(each for each in run.issued if str(each.payable) == "220.00")
    assert [(t.category, str(t.base), str(t.amount)) for t in load_invoice(pool, mixed.invoice_id).taxes] == [
        ("S", "100.00", "20.00"),
        ("Z", "100.00", "0.00"),
    ]


def test_what_nets_to_nothing_is_consumed_without_a_document(pool: Pool) -> None:
    first = charge("a")
    publish(pool, first, reversal(first), charge("b", "0.00", reason="COVERED_BY_FEE"))
    assert invoice(pool) == InvoiceRun((), 3)
    assert invoice(pool) == InvoiceRun((), 0)
    assert invoices(pool) == []
    with transaction(pool) as cursor:
        traced = traced_charges.charge(cursor, first["charge_id"])
    assert traced is not None
    assert (traced.invoice_id, traced.invoice_status) == (None, "consumed")
    assert Outbox(pool, STATUS_TOPIC).unsent() == 0
    assert audit_holds(pool)


def test_a_charge_that_was_consumed_and_comes_back_is_no_credit(pool: Pool) -> None:
    first = charge("a")
    publish(pool, first, reversal(first), charge("a", n=2))
    publish(pool, reversal(charge("a", n=2)), charge("a", "60.00", n=3, billable_minutes=36))
    assert told(invoice(pool)) == [("LE-1-2025-00001", "invoice", "72.00")]
    assert load_invoice(pool, "LE-1-2025-00001").credits == ()


def test_numbers_are_gapless_by_legal_entity_and_year_also_after_a_failure(pool: Pool) -> None:
    publish(pool, charge("a", engagement_id="E-1"), charge("b", engagement_id="E-2"))
    with pool.connection() as connection:
        connection.execute(
            "ALTER TABLE hourstream.outbox ADD CONSTRAINT full_disk CHECK (key <> 'E-2' OR topic <> 'invoice.status')"
        )
    run = invoice(pool)
    assert [each.invoice_id for each in run.issued] == ["LE-1-2025-00001"]
    assert [each.engagement_id for each in run.refused] == ["E-2"]
    with pool.connection() as connection:
        connection.execute("ALTER TABLE hourstream.outbox DROP CONSTRAINT full_disk")
    assert [each.invoice_id for each in invoice(pool).issued] == ["LE-1-2025-00002"]
    publish(pool, charge("c"), charge("d", legal_entity="LE-2"))
    run = invoice(pool, issue_date=date(2026, 1, 2))
    assert [each.invoice_id for each in run.issued] == ["LE-1-2026-00001", "LE-2-2026-00001"]


def test_voiding_frees_the_charges_and_keeps_the_number(pool: Pool, four: list[ChargeRecord]) -> None:
    invoice(pool)
    assert void_invoice(pool, "LE-1-2025-00001", at=AT, reason="wrong address") == 4
    assert audit_holds(pool)
    assert told(invoice(pool)) == [("LE-1-2025-00002", "invoice", "334.99")]
    assert [(each.invoice_id, each.status) for each in invoices(pool)] == [
        ("LE-1-2025-00001", "voided"),
        ("LE-1-2025-00002", "issued"),
    ]
    with pytest.raises(NotVoidable, match="LE-1-2025-00001"):
        void_invoice(pool, "LE-1-2025-00001", at=AT, reason="again")
    with transaction(pool) as cursor:
        (traced,) = traced_charges.charges_of(cursor, "E-1", "time:0")
    assert (traced.posting, traced.invoice_id, traced.invoice_status) == ("JRN-1", "LE-1-2025-00002", "issued")


def test_an_invoice_with_a_live_credit_note_is_not_voided_before_it(pool: Pool, four: list[ChargeRecord]) -> None:
    invoice(pool)
    publish(pool, reversal(four[0]))
    (credit,) = invoice(pool).issued
    with pytest.raises(NotVoidable, match=f"credited by {credit.invoice_id}"):
        void_invoice(pool, "LE-1-2025-00001", at=AT, reason="wrong address")
    void_invoice(pool, credit.invoice_id, at=AT, reason="wrong address")
    void_invoice(pool, "LE-1-2025-00001", at=AT, reason="wrong address")
    (again,) = invoice(pool).issued
    assert again.net == Decimal("210.83")
    assert audit_holds(pool)


def test_a_charge_that_is_held_waits_for_a_later_run(pool: Pool) -> None:
    publish(pool, charge("a"), charge("b", "60.00"))
    ends = {0: 2}
    terms = {
        "cut_off": date(2025, 3, 31),
        "issue_date": date(2025, 4, 1),
        "end_offsets": ends,
        "at": AT,
        "names": NAMES,
    }
    held = Holds(subjects=frozenset({("E-1", "time:b")}))
    assert [each.net for each in run_invoices(pool, holds=held, **terms).issued] == [Decimal("100.00")]
    assert run_invoices(pool, holds=Holds(engagements=frozenset({"E-1"})), **terms).issued == ()
    assert [each.net for each in run_invoices(pool, **terms).issued] == [Decimal("60.00")]


def test_a_run_before_the_latest_document_of_a_seller_is_refused_whole(pool: Pool) -> None:
    publish(pool, charge("a"))
    invoice(pool, issue_date=date(2025, 5, 2))
    void_invoice(pool, "LE-1-2025-00001", at=AT, reason="wrong address")
    publish(pool, charge("b", legal_entity="LE-2"))
    with pytest.raises(IssueDateTooEarly, match="LE-1 has a document of 2025-05-02, and 2025-05-01 is before it"):
        invoice(pool, issue_date=date(2025, 5, 1))
    assert len(invoices(pool)) == 1
    assert len(invoice(pool, issue_date=date(2025, 5, 2)).issued) == 2


def test_statuses_are_records_of_their_topic(pool: Pool, four: list[ChargeRecord]) -> None:
    invoice(pool)
    void_invoice(pool, "LE-1-2025-00001", at=AT, reason="wrong address")
    rows: list[OutboxRow] = []
    Outbox(pool, STATUS_TOPIC).drain(rows.extend)
    records = [from_json(STATUS_TOPIC, row.value) for row in rows]
    assert [(row.key, r["status"], r["revision"], str(r["amount"])) for row, r in zip(rows, records, strict=True)] == [
        ("E-1", "issued", 1, "334.99"),
        ("E-1", "voided", 2, "334.99"),
    ]
    expected = sorted(each["charge_id"] for each in four)
    assert [sorted(record["charge_ids"]) for record in records] == [expected, expected]


def test_a_run_waits_for_the_projection_and_says_where_it_is(pool: Pool) -> None:
    publish(pool, charge("a"))
    ahead = {0: Projection(pool).positions(CHARGES_TOPIC, 0) + 2}
    arguments = {
        "cut_off": date(2025, 3, 31),
        "issue_date": date(2025, 4, 1),
        "end_offsets": ahead,
        "at": AT,
        "names": NAMES,
    }
    with pytest.raises(ProjectionBehind, match=r"partition 0 at 2 of 4\); start the billing worker"):
        run_invoices(pool, **arguments, timeout_seconds=0.2)
    assert invoices(pool) == []
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lambda: run_invoices(pool, **arguments, timeout_seconds=30))
        publish(pool, charge("b"))
        assert [each.charges for each in waiting.result(30).issued] == [2]


def test_runs_at_the_same_time_invoice_every_charge_once(pool: Pool) -> None:
    charges = [charge(str(n), engagement_id=f"E-{n % 7}") for n in range(140)]
    publish(pool, *charges)
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: invoice(pool), range(4)))
    assert sorted(len(run.issued) for run in runs) == [0, 0, 0, 7]
    assert _live(pool) == sorted(each["charge_id"] for each in charges)


def test_the_database_itself_keeps_a_charge_off_a_second_invoice(pool: Pool) -> None:
    publish(pool, charge("a"), charge("b", engagement_id="E-2"))
    invoice(pool)
    with pytest.raises(psycopg.errors.UniqueViolation, match="invoice_charges_live"), pool.connection() as connection:
        connection.execute(
            "INSERT INTO hourstream.invoice_charges VALUES ('LE-1-2025-00002', %s)", (charge("a")["charge_id"],)
        )


def _live(pool: Pool) -> list[str]:
    with pool.connection() as connection:
        rows: Iterable[tuple[str]] = connection.execute(
            "SELECT charge_id FROM hourstream.invoice_charges WHERE live ORDER BY charge_id"
        ).fetchall()
    return [charge_id for (charge_id,) in rows]
