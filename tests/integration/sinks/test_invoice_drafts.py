"""Drafts of runs: reproducible, approved, and issued exactly as approved or refused."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from invoicing.document import load_invoice
from invoicing.formats.ubl import render
from invoicing.holds import Holds
from invoicing.run import run_invoices
from invoicing.stored_drafts import (
    DraftChanged,
    DraftIssued,
    DraftNotApproved,
    NoSuchDraft,
    StoredDraft,
    approve_draft,
    draft_run,
    issue_draft,
)
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import charge, reversal
from tests.integration.sinks.test_invoice_run import TERMS, audit_holds, publish, told
from tests.unit.sinks.documents import NAMES, client
from warehouse.reports import invoices

LATER: dict[str, Any] = {"end_offsets": {}, "at": datetime(2025, 4, 2, tzinfo=UTC)}


def drafted(pool: Pool, clients: Sequence[str] = ()) -> StoredDraft:
    return draft_run(pool, end_offsets={}, clients=clients, **TERMS)


def test_the_same_charges_give_the_same_draft_and_no_number(pool: Pool) -> None:
    publish(pool, charge("a"), charge("b", "60.00", engagement_id="E-2"))
    first = drafted(pool)
    assert drafted(pool) == first
    assert [str(each.payable) for each in first.documents] == ["120", "72"]
    assert invoices(pool) == []
    publish(pool, charge("c"))
    assert drafted(pool).draft_id != first.draft_id


def test_a_draft_of_some_clients_changes_with_their_charges_only(pool: Pool) -> None:
    publish(pool, charge("a"), charge("b", "60.00", client_id="C-2", engagement_id="E-2"))
    draft = drafted(pool, ["C-2"])
    assert [(each.buyer.party_id, str(each.payable)) for each in draft.documents] == [("C-2", "72")]
    assert draft.draft_id not in (drafted(pool).draft_id, drafted(pool, ["C-1"]).draft_id)
    approve_draft(pool, draft.draft_id, by="ann", at=TERMS["at"])
    publish(pool, charge("c"))  # of another client
    assert told(issue_draft(pool, draft.draft_id, **LATER)) == [("LE-1-2025-00001", "invoice", "72.00")]
    again = drafted(pool, ["C-1"])
    approve_draft(pool, again.draft_id, by="ann", at=TERMS["at"])
    publish(pool, charge("d"))
    with pytest.raises(DraftChanged, match="time:d was added"):
        issue_draft(pool, again.draft_id, **LATER)


def test_a_draft_is_issued_exactly_as_approved_and_once(pool: Pool) -> None:
    publish(pool, charge("a"), charge("b", "0.00", engagement_id="E-2", reason="COVERED_BY_FEE"))
    draft = drafted(pool)
    with pytest.raises(DraftNotApproved):
        issue_draft(pool, draft.draft_id, **LATER)
    approve_draft(pool, draft.draft_id, by="ann", at=TERMS["at"])
    renamed = replace(NAMES, clients={"C-1": client("C-1", name="Another", invoice_per="client")})
    run = issue_draft(pool, draft.draft_id, names=renamed, **LATER)
    assert (told(run), run.netted_charges) == ([("LE-1-2025-00001", "invoice", "120.00")], 1)
    (approved,) = draft.documents
    issued = load_invoice(pool, "LE-1-2025-00001")
    assert issued == replace(approved, invoice_id="LE-1-2025-00001", lines=issued.lines)
    assert render(issued) == render(replace(approved, invoice_id="LE-1-2025-00001"))
    assert audit_holds(pool)
    with pytest.raises(DraftIssued):
        issue_draft(pool, draft.draft_id, **LATER)
    with pytest.raises(NoSuchDraft):
        approve_draft(pool, "none", by="ann", at=TERMS["at"])


@pytest.mark.parametrize("change", ["added", "was reversed", "held", "on LE-1-2025-00001"])
def test_a_draft_is_refused_when_its_charges_changed_and_says_which(pool: Pool, change: str) -> None:
    first = charge("a")
    publish(pool, first, charge("b", engagement_id="E-2"))
    draft = drafted(pool)
    approve_draft(pool, draft.draft_id, by="ann", at=TERMS["at"])
    holds = Holds()
    match change:
        case "added":
            publish(pool, charge("c", engagement_id="E-3"))
        case "was reversed":
            publish(pool, reversal(first))
        case "held":
            holds = Holds(subjects=frozenset({("E-1", "time:a")}))
        case _:
            run_invoices(pool, end_offsets={}, **TERMS)
    before = len(invoices(pool))
    with pytest.raises(DraftChanged, match=f"charge .*{change}"):
        issue_draft(pool, draft.draft_id, holds=holds, **LATER)
    assert len(invoices(pool)) == before


def test_a_draft_dated_before_a_later_document_is_not_issued(pool: Pool) -> None:
    publish(pool, charge("a"))
    draft = drafted(pool)
    assert draft.issue_date == date(2025, 4, 1)
    approve_draft(pool, draft.draft_id, by="ann", at=TERMS["at"])
    publish(pool, charge("z", work_date=date(2025, 4, 1), engagement_id="E-9"))
    run_invoices(
        pool,
        **{**TERMS, "cut_off": date(2025, 4, 30), "issue_date": date(2025, 5, 2)},
        end_offsets={},
        holds=Holds(engagements=frozenset({"E-1"})),
    )
    with pytest.raises(Exception, match="has a document of 2025-05-02"):
        issue_draft(pool, draft.draft_id, **LATER)
