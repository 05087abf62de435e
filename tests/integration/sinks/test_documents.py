"""Documents of issued invoices, read back from PostgreSQL: the ones that were issued, and good under the rules."""

from datetime import UTC, date, datetime
from decimal import Decimal

from invoicing.charge_projection import Projection
from invoicing.document import load_invoice
from invoicing.formats.cii import render_cii
from invoicing.formats.schematron import validate
from invoicing.formats.ubl import render
from invoicing.run import InvoiceRun, run_invoices
from invoicing.void import void_invoice
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import batch, charge, reversal
from tests.unit.sinks.documents import NAMES
from topics.catalogue import CHARGES_TOPIC

AT = datetime(2025, 4, 1, 12, tzinfo=UTC)


def invoice(pool: Pool, *charges: ChargeRecord) -> InvoiceRun:
    """One run after those charges have come."""
    projection = Projection(pool)
    projection.write(batch(projection.positions(CHARGES_TOPIC, 0), charges))
    ends = {0: projection.positions(CHARGES_TOPIC, 0)}
    return run_invoices(
        pool, cut_off=date(2025, 3, 31), issue_date=date(2025, 4, 1), end_offsets=ends, at=AT, names=NAMES
    )


def faults(pool: Pool, run: InvoiceRun) -> list[object]:
    """What the official rules find in the documents of a run, in UBL and CII."""
    documents = [load_invoice(pool, each.invoice_id) for each in run.issued]
    assert documents
    return [fault for each in documents for write in (render, render_cii) for fault in validate(write(each))]


def test_invoice_late_work_credit_note_and_reissue_pass_the_official_rules(pool: Pool) -> None:
    first = [
        charge("a", "83.33", billable_minutes=50),
        charge("b", "57.50", tax_category="AE", tax_rate=Decimal(0)),
        charge("c", "120.00", tax_category="O", tax_rate=Decimal(0)),
    ]
    assert faults(pool, invoice(pool, *first)) == []
    late = charge("late", "25.00", work_date=date(2025, 1, 31), billable_minutes=15)
    assert faults(pool, invoice(pool, late)) == []
    run = invoice(pool, reversal(first[0]))
    assert [each.kind for each in run.issued] == ["credit_note"]
    assert faults(pool, run) == []
    void_invoice(pool, "LE-1-2025-00003", at=AT, reason="wrong address")
    again = invoice(pool)
    assert [each.kind for each in again.issued] == ["invoice"]
    assert faults(pool, again) == []


def test_a_credit_note_names_invoice_and_charge_after_it_was_stored(pool: Pool) -> None:
    billed = charge("a", "83.33")
    invoice(pool, billed)
    (note,) = invoice(pool, reversal(billed)).issued
    document = load_invoice(pool, note.invoice_id)
    assert document.credits == (("LE-1-2025-00001", date(2025, 4, 1)),)
    assert [line.note for line in document.lines] == ["Senior, 100 EUR per hour, credits time:a"]
