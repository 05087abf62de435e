"""Documents are validated before they get a number; shared documents; and documents render again the same."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from invoicing.document import load_invoice
from invoicing.formats.schematron import validate
from invoicing.formats.ubl import render
from invoicing.holds import Holds
from invoicing.outbox_records import EXCEPTIONS_TOPIC, STATUS_TOPIC
from invoicing.parties import Names
from invoicing.run import InvoiceRun, run_invoices
from invoicing.void import void_invoice
from rating.model.ids import exception_id
from schemas.json_codec import from_json
from sinks.outbox import Outbox, OutboxRow
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import charge, reversal
from tests.integration.sinks.test_invoice_run import TERMS, audit_holds, publish, told
from tests.unit.sinks.documents import NAMES, client, entity

NO_VAT_ID = replace(NAMES, legal_entities={**NAMES.legal_entities, "LE-2": entity("LE-2", vat_id=None)})
SHARED = replace(NAMES, clients={**NAMES.clients, "C-1": client("C-1", invoice_per="client")})


def invoiced(pool: Pool, names: Names, **terms: object) -> InvoiceRun:
    return run_invoices(pool, **{**TERMS, "end_offsets": {}, "names": names, **terms})


def exceptions(pool: Pool) -> list[tuple[str, str, str, str]]:
    """Engagement, subject, status and message of what was announced since the last look."""
    rows: list[OutboxRow] = []
    Outbox(pool, EXCEPTIONS_TOPIC).drain(rows.extend)
    records = [from_json(EXCEPTIONS_TOPIC, row.value) for row in rows]
    assert all((each["code"], each["severity"]) == ("INVOICE_INVALID", "blocking") for each in records)
    assert all(each["exception_id"] == exception_id(each["engagement_id"], each["subject"]) for each in records)
    return [(r["engagement_id"], r["subject"], r["status"], r["message"]) for r in records]


def test_a_failing_document_gets_no_number_and_an_exception_until_it_is_issued(pool: Pool) -> None:
    publish(pool, charge("a"), charge("b", legal_entity="LE-2", engagement_id="E-2"), charge("c", engagement_id="E-3"))
    run = invoiced(pool, NO_VAT_ID)
    assert [number for number, *_ in told(run)] == ["LE-1-2025-00001", "LE-1-2025-00002"]
    assert [(each.client_id, each.engagement_id) for each in run.invalid] == [("C-1", "E-2")]
    message = "LE-2 has no vat_id: publish it on master.legal-entities"
    assert exceptions(pool) == [("E-2", "invoice:LE-2:C-1:E-2:EUR:T:", "open", message)]
    assert audit_holds(pool)
    assert len(invoiced(pool, NO_VAT_ID).invalid) == 1
    assert exceptions(pool) == []  # it reads as before
    assert [number for number, *_ in told(invoiced(pool, NAMES))] == ["LE-2-2025-00001"]
    assert exceptions(pool) == [("E-2", "invoice:LE-2:C-1:E-2:EUR:T:", "resolved", message)]


def test_the_exception_is_resolved_when_a_run_finds_no_charge_for_its_key(pool: Pool) -> None:
    publish(pool, charge("b", legal_entity="LE-2", engagement_id="E-2", po_number="PO-1"))
    invoiced(pool, NO_VAT_ID)
    invoiced(pool, NO_VAT_ID, holds=Holds(engagements=frozenset({"E-2"})))
    subject = "invoice:LE-2:C-1:E-2:EUR:T:PO-1"
    assert [(each[1], each[2]) for each in exceptions(pool)] == [(subject, "open"), (subject, "resolved")]


def test_a_run_of_some_clients_leaves_the_charges_and_the_exceptions_of_others(pool: Pool) -> None:
    """C-1 is invalid in the first run. A run of C-2 says nothing of it; one of C-1 resolves it."""
    publish(pool, charge("a", legal_entity="LE-2"), charge("b", client_id="C-2", engagement_id="E-2"))
    subject = "invoice:LE-2:C-1:E-1:EUR:T:"
    assert told(invoiced(pool, NO_VAT_ID, clients=["C-1"])) == []
    assert [each[1:3] for each in exceptions(pool)] == [(subject, "open")]
    run = invoiced(pool, NO_VAT_ID, clients=["C-2"])
    assert [(each.invoice_id, each.client_id) for each in run.issued] == [("LE-1-2025-00001", "C-2")]
    assert (run.invalid, exceptions(pool)) == ((), [])
    assert [each.client_id for each in invoiced(pool, NAMES, clients=["C-1", "C-2"]).issued] == ["C-1"]
    assert [each[1:3] for each in exceptions(pool)] == [(subject, "resolved")]
    assert audit_holds(pool)


def test_a_document_outside_the_standard_is_issued_all_the_same(pool: Pool) -> None:
    """A seller elsewhere than in the EU has no VAT id; a dinar has three decimals."""
    abroad = entity("LE-2", country="US", vat_id=None, address=None)
    publish(pool, charge("a", legal_entity="LE-2"), charge("b", "100.235", currency="KWD"))
    run = invoiced(pool, replace(NAMES, legal_entities={**NAMES.legal_entities, "LE-2": abroad}))
    assert (len(run.issued), run.invalid, exceptions(pool)) == (2, (), [])


def test_engagements_with_invoice_per_client_share_a_document_that_names_each(pool: Pool) -> None:
    publish(pool, charge("a"), charge("b", engagement_id="E-2"), charge("c", client_id="C-2", engagement_id="E-3"))
    run = invoiced(pool, SHARED)
    assert [(e.client_id, e.engagement_id, str(e.payable)) for e in run.issued] == [
        ("C-1", "", "240.00"),
        ("C-2", "E-3", "120.00"),
    ]
    document = load_invoice(pool, "LE-1-2025-00001")
    assert [(line.engagement_id, line.note) for line in document.lines] == [
        ("E-1", "engagement E-1, Senior, 100 EUR per hour"),
        ("E-2", "engagement E-2, Senior, 100 EUR per hour"),
    ]
    assert validate(render(document)) == []
    void_invoice(pool, "LE-1-2025-00001", at=TERMS["at"], reason="split")
    rows: list[OutboxRow] = []
    Outbox(pool, STATUS_TOPIC).drain(rows.extend)
    records = [from_json(STATUS_TOPIC, row.value) for row in rows]
    assert [(row.key, r["status"], len(r["charge_ids"])) for row, r in zip(rows, records, strict=True)] == [
        ("E-1", "issued", 1),
        ("E-2", "issued", 1),
        ("E-3", "issued", 1),
        ("E-1", "voided", 1),
        ("E-2", "voided", 1),
    ]
    assert len(invoiced(pool, NAMES).issued) == 2  # the client's choice counts when a run is made


def test_an_order_is_printed_only_where_its_charges_name_it(pool: Pool) -> None:
    publish(pool, charge("a"), charge("b", po_number="PO-1"))
    invoiced(pool, NAMES)
    assert [load_invoice(pool, f"LE-1-2025-0000{n}").po_number for n in (1, 2)] == [None, "PO-1"]


def test_a_document_renders_the_same_after_its_masters_changed(pool: Pool) -> None:
    poor = replace(NAMES, clients={"C-1": client("C-1", address=None, vat_id=None)})
    publish(pool, charge("a"))
    invoiced(pool, poor)
    first = render(load_invoice(pool, "LE-1-2025-00001", poor))
    moved = replace(NAMES, clients={"C-1": client("C-1", name="Other", country="FR")})
    void_invoice(pool, "LE-1-2025-00001", at=TERMS["at"], reason="x")
    assert render(load_invoice(pool, "LE-1-2025-00001", moved)) == first


def test_a_credit_beside_new_work_leaves_no_cent_when_everything_is_credited(pool: Pool) -> None:
    amounts = ["68.33", "68.33", "57.50", "85.00"]
    first = [charge(str(n), amount) for n, amount in enumerate(amounts)]
    publish(pool, *first)
    day, payable = date(2025, 4, 1), Decimal(0)
    later = charge("later", "33.33")
    for step in ([reversal(first[0]), later], [reversal(first[1])], [reversal(first[2]), reversal(later)]):
        payable += sum(each.payable for each in invoiced(pool, NAMES, issue_date=day).issued)
        publish(pool, *step)
        day += timedelta(1)
    publish(pool, reversal(first[3]))
    payable += sum(each.payable for each in invoiced(pool, NAMES, issue_date=day).issued)
    assert payable == 0
