"""An account that cannot be invoiced is named and left open; every other one is invoiced as if it were not there."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from invoicing.run import InvoiceRun, run_invoices
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import charge
from tests.integration.sinks.test_invoice_run import AT, Projection, audit_holds, publish, told
from tests.unit.sinks.documents import NAMES, client
from topics.catalogue import CHARGES_TOPIC


def invoiced(pool: Pool, terms: int = 30) -> InvoiceRun:
    """A run where the terms of C-2 are as given."""
    ends = {0: Projection(pool).positions(CHARGES_TOPIC, 0)}
    names = replace(NAMES, clients={**NAMES.clients, "C-2": client("C-2", payment_terms_days=terms)})
    return run_invoices(
        pool, cut_off=date(2025, 3, 31), issue_date=date(2025, 4, 1), end_offsets=ends, at=AT, names=names
    )


def test_terms_beyond_the_calendar_and_totals_beyond_the_column_stop_nobody_else(pool: Pool) -> None:
    largest = Decimal("999999999999.99")
    publish(
        pool,
        charge("a", client_id="C-1", engagement_id="E-1"),
        charge("b", client_id="C-2", engagement_id="E-2"),
        charge("c", client_id="C-3", engagement_id="E-3", subject="adjustment:1", amount=largest),
        charge("d", client_id="C-3", engagement_id="E-3", subject="adjustment:2", amount=largest),
        charge("e", client_id="C-4", engagement_id="E-4"),
    )
    run = invoiced(pool, terms=2147483647)
    assert told(run) == [("LE-1-2025-00001", "invoice", "120.00"), ("LE-1-2025-00002", "invoice", "120.00")]
    assert [(each.client_id, each.engagement_id) for each in run.invalid] == [("C-2", "E-2")]
    assert "payment_terms_days 2147483647 leads from 2025-04-01 out of the calendar" in run.invalid[0].reason
    assert [(each.client_id, each.engagement_id) for each in run.refused] == [("C-3", "E-3")]
    assert "numeric field overflow" in run.refused[0].reason
    assert audit_holds(pool)

    mended = invoiced(pool)  # numbers have no gap, and only what is still wrong is refused again
    assert told(mended) == [("LE-1-2025-00003", "invoice", "120.00")]
    assert [each.client_id for each in mended.refused] == ["C-3"]


@pytest.mark.parametrize("bad", [range(0), range(3), range(1, 8), range(8)], ids=["none", "first", "most", "all"])
def test_any_share_of_bad_accounts_leaves_the_others(pool: Pool, bad: range) -> None:
    charges = [
        charge(
            str(n), engagement_id=f"E-{n}", amount=Decimal("999999999999.99") if n in bad else Decimal("10.00"),
            client_id="C-1", tax_rate=Decimal(100),
        )
        for n in range(8)
    ]  # fmt: skip
    publish(pool, *charges)
    run = invoiced(pool)
    assert [each.engagement_id for each in run.refused] == [f"E-{n}" for n in bad]
    assert [each.engagement_id for each in run.issued] == [f"E-{n}" for n in range(8) if n not in bad]
    assert [each.invoice_id[-5:] for each in run.issued] == [f"{n:05d}" for n in range(1, 9 - len(bad))]
