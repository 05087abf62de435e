"""Drafts of runs: stored, approved by a person, then issued exactly as approved or refused (DOMAIN.md §4.12)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.errors import SinkError
from invoicing.account_run import AccountOutcome, AccountRun, make_draft
from invoicing.document import Invoice
from invoicing.draft import Draft, DueCharge
from invoicing.draft_content import DraftedAccount, content_of, digest_of, drafted
from invoicing.holds import Holds
from invoicing.parties import Names
from invoicing.projection_wait import await_projection
from invoicing.run import InvoiceRun, announce_outcomes, due_accounts, due_unheld, lock_invoices, result, run_accounts
from invoicing.store import due_charges
from storage.postgres import Pool, transaction

_MOST_CHANGES = 20  # named in a refusal


class NoSuchDraft(SinkError):
    """There is no draft of this id."""


class DraftNotApproved(SinkError):
    """A draft is issued only after a person approved it."""


class DraftIssued(SinkError):
    """The draft is issued already."""


class DraftChanged(SinkError):
    """The charges of a draft are not what they were; the message names what changed. Nothing was issued."""


@dataclass(frozen=True, slots=True)
class StoredDraft:
    """A draft and what its run would issue; the documents in it have no number. Without `clients` it is of all."""

    draft_id: str
    cut_off: date
    issue_date: date
    accounts: tuple[DraftedAccount, ...]
    clients: tuple[str, ...]
    approved_by: str | None
    run: int | None

    @property
    def documents(self) -> list[Invoice]:
        """What is to be issued."""
        return [each.invoice for each in self.accounts if each.invoice and each.invoice.kind != "nothing"]


def draft_run(
    pool: Pool,
    *,
    cut_off: date,
    issue_date: date,
    end_offsets: Mapping[int, int],
    at: datetime,
    names: Names | None = None,
    holds: Holds | None = None,
    clients: Collection[str] = (),
    timeout_seconds: float = 60.0,
) -> StoredDraft:
    """Store what a run would issue now, for these clients or for all. It gets no number, and no exception opens.

    The run is made and taken back, so a draft says what the run would. Drafts that say the same are one. Raises
    ProjectionBehind, IssueDateTooEarly, Unreachable, Misconfigured.
    """
    known = names or Names()
    await_projection(pool, end_offsets, timeout_seconds)
    with due_accounts(pool, cut_off, known, holds, clients) as (cursor, accounts):
        with cursor.connection.transaction(force_rollback=True):
            outcomes = run_accounts(cursor, accounts, cut_off, issue_date, end_offsets, at, known)
        content = content_of(cut_off, issue_date, outcomes, clients)
        draft_id = digest_of(content)
        cursor.execute(
            "INSERT INTO hourstream.invoice_drafts (draft_id, cut_off, issue_date, content, drafted_at)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (draft_id, cut_off, issue_date, content, at),
        )
        return _load(cursor, draft_id)


def load_draft(pool: Pool, draft_id: str) -> StoredDraft:
    """A stored draft. Raises NoSuchDraft, Unreachable."""
    with transaction(pool) as cursor:
        return _load(cursor, draft_id)


def approve_draft(pool: Pool, draft_id: str, *, by: str, at: datetime) -> StoredDraft:
    """Note that a person approves a draft; the latest approval counts. Raises NoSuchDraft, DraftIssued, Unreachable."""
    with transaction(pool) as cursor:
        lock_invoices(cursor)
        _refuse_issued(_load(cursor, draft_id))
        cursor.execute(
            "UPDATE hourstream.invoice_drafts SET approved_by = %s, approved_at = %s WHERE draft_id = %s",
            (by, at, draft_id),
        )
        return _load(cursor, draft_id)


def issue_draft(
    pool: Pool,
    draft_id: str,
    *,
    end_offsets: Mapping[int, int],
    at: datetime,
    names: Names | None = None,
    holds: Holds | None = None,
    timeout_seconds: float = 60.0,
) -> InvoiceRun:
    """Issue a draft exactly as approved. `holds` are those of its issue date.

    Raises NoSuchDraft, DraftNotApproved, DraftIssued, DraftChanged, ProjectionBehind, IssueDateTooEarly, Unreachable,
    Misconfigured; after any of them nothing was issued.
    """
    await_projection(pool, end_offsets, timeout_seconds)
    with transaction(pool) as cursor:
        lock_invoices(cursor)
        draft = _load(cursor, draft_id)
        _refuse_issued(draft)
        if draft.approved_by is None:
            raise DraftNotApproved(f"draft {draft_id} is not approved: hourstream invoice approve {draft_id} --by NAME")
        due = {each.charge_id: each for each in due_unheld(cursor, draft.cut_off, holds, draft.clients)}
        if changes := list(_changes(cursor, draft, due)):
            raise DraftChanged(f"draft {draft_id} is not what was approved: " + "; ".join(changes))
        run = AccountRun(cursor, draft.cut_off, draft.issue_date, end_offsets, at, draft.clients)
        for each in draft.accounts:
            _issue_account(cursor, run, each, [due[charge_id] for charge_id in each.charge_ids])
        cursor.execute("UPDATE hourstream.invoice_drafts SET run = %s WHERE draft_id = %s", (run.number, draft_id))
        announce_outcomes(cursor, run.outcomes, names or Names(), at, draft.clients)
    return result(run.outcomes)


def _issue_account(
    cursor: Cursor[TupleRow], run: AccountRun, approved: DraftedAccount, charges: Sequence[DueCharge]
) -> None:
    invoice = approved.invoice
    if invoice is None:
        run.outcomes.append(AccountOutcome(approved.account, charges, None, approved.error()))
        return

    def as_approved() -> tuple[Draft, Invoice]:
        draft = make_draft(cursor, approved.account, charges)
        same = (draft.net, draft.tax, draft.rounding, draft.payable, len(draft.lines))
        if same != (invoice.net, invoice.tax, invoice.rounding, invoice.payable, len(invoice.lines)):
            raise DraftChanged(f"the documents that {approved.account.key} credits have changed")
        return draft, invoice

    run.attempt(approved.account, charges, as_approved)
    if error := run.outcomes[-1].error:
        raise error


def _changes(cursor: Cursor[TupleRow], draft: StoredDraft, due: Mapping[str, DueCharge]) -> Iterator[str]:
    """What is due now and was not drafted, and the other way round; at most twenty."""
    approved = {charge_id for each in draft.accounts for charge_id in each.charge_ids}
    unheld = {each.charge_id: each for each in due_charges(cursor, draft.cut_off)}
    found = [_added(each, approved) for charge_id, each in due.items() if charge_id not in approved]
    gone = sorted(approved - due.keys())
    for charge_id in gone:
        if held := unheld.get(charge_id):
            found.append(f"charge {charge_id} of {held.subject} is held")
            continue
        row = cursor.execute(
            "SELECT invoice_id FROM hourstream.invoice_charges WHERE charge_id = %s AND live", (charge_id,)
        ).fetchone()
        found.append(f"charge {charge_id} is on {row[0]}" if row else f"charge {charge_id} is not due any more")
    yield from found[:_MOST_CHANGES]
    if len(found) > _MOST_CHANGES:
        yield f"and {len(found) - _MOST_CHANGES} more"


def _added(charge: DueCharge, approved: set[str]) -> str:
    if charge.reverses in approved:
        return f"charge {charge.reverses} of {charge.subject} was reversed by {charge.charge_id}"
    return f"charge {charge.charge_id} of {charge.subject} was added"


def _refuse_issued(draft: StoredDraft) -> None:
    if draft.run is not None:
        raise DraftIssued(f"draft {draft.draft_id} was issued by run {draft.run}")


def _load(cursor: Cursor[TupleRow], draft_id: str) -> StoredDraft:
    row: Any = cursor.execute(
        "SELECT cut_off, issue_date, content, approved_by, run FROM hourstream.invoice_drafts WHERE draft_id = %s",
        (draft_id,),
    ).fetchone()
    if row is None:
        raise NoSuchDraft(f"there is no draft {draft_id}")
    cut_off, issue_date, content, approved_by, run = row
    clients = tuple(content.get("clients", ()))  # drafts of all clients name none
    return StoredDraft(draft_id, cut_off, issue_date, tuple(drafted(content)), clients, approved_by, run)
