"""The invoice run: one locked transaction (DOMAIN.md §4)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from psycopg import Cursor
from psycopg.rows import TupleRow

from invoicing.account_run import AccountOutcome, AccountRun, make_document
from invoicing.draft import DocumentKey, Draft, DueCharge, Kind, by_account
from invoicing.holds import Holds
from invoicing.invalid_invoices import Invalid, announce_invalid
from invoicing.parties import Names
from invoicing.projection_wait import await_projection
from invoicing.store import due_charges
from storage.postgres import Lock, Pool, transaction


@dataclass(frozen=True, slots=True)
class Issued:
    """A document that a run issued; amounts in minor units of the currency, below zero for a credit note."""

    invoice_id: str
    kind: Kind
    client_id: str
    engagement_id: str
    currency: str
    net: Decimal
    tax: Decimal
    payable: Decimal
    charges: int


@dataclass(frozen=True, slots=True)
class RefusedAccount:
    """An account whose document cannot be made, and why; its charges stay open for the next run."""

    client_id: str
    engagement_id: str
    currency: str
    reason: str


@dataclass(frozen=True, slots=True)
class InvoiceRun:
    """What a run did: the documents, the charges consumed because they net to nothing, and accounts left open.

    `invalid` break the rules of EN 16931 and have an exception; `refused` could not be made.
    """

    issued: tuple[Issued, ...]
    netted_charges: int
    refused: tuple[RefusedAccount, ...] = ()
    invalid: tuple[RefusedAccount, ...] = ()


def run_invoices(
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
) -> InvoiceRun:
    """Invoice every account's charges of work up to and including `cut_off`, dated `issue_date`.

    With `clients` only the accounts of these; all others are left as if the run had not been.

    `end_offsets` are the ends of the partitions of `billing.ready` that the caller saw: the run waits until the
    projection has read that far. `at` is the time noted on `invoice.status`. `holds` are those of the issue date. Runs
    at the same time follow each other. An account whose document breaks the rules of EN 16931, or cannot be made, is
    left open, and the others are invoiced. Raises ProjectionBehind, IssueDateTooEarly, Unreachable, Misconfigured;
    after any of them nothing was invoiced.
    """
    known = names or Names()
    await_projection(pool, end_offsets, timeout_seconds)
    with due_accounts(pool, cut_off, known, holds, clients) as (cursor, accounts):
        outcomes = run_accounts(cursor, accounts, cut_off, issue_date, end_offsets, at, known, clients)
        announce_outcomes(cursor, outcomes, known, at, clients)
    return result(outcomes)


@contextmanager
def due_accounts(
    pool: Pool, cut_off: date, names: Names, holds: Holds | None, clients: Collection[str] = ()
) -> Iterator[tuple[Cursor[TupleRow], Mapping[DocumentKey, Sequence[DueCharge]]]]:
    """A transaction that locks invoices, and in it the due charges of each account."""
    with transaction(pool) as cursor:
        lock_invoices(cursor)
        yield cursor, by_account(due_unheld(cursor, cut_off, holds, clients), names.is_shared)


def lock_invoices(cursor: Cursor[TupleRow]) -> None:
    """Wait for every other run, void and status of invoices; they wait for the end of this transaction."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.INVOICES,))


def due_unheld(
    cursor: Cursor[TupleRow], cut_off: date, holds: Holds | None, clients: Collection[str] = ()
) -> list[DueCharge]:
    """The due charges of the clients, or of all, that are not held, oldest first (DOMAIN.md §4.1, §4.11)."""
    kept = holds or Holds()
    due = due_charges(cursor, cut_off, clients)
    return [each for each in due if not kept.keeps_back(each.engagement_id, each.subject)]


def run_accounts(
    cursor: Cursor[TupleRow],
    accounts: Mapping[DocumentKey, Sequence[DueCharge]],
    cut_off: date,
    issue_date: date,
    end_offsets: Mapping[int, int],
    at: datetime,
    names: Names,
    clients: Collection[str] = (),
) -> list[AccountOutcome]:
    """Issue a document for each account; where there is none, no run is noted. Raises IssueDateTooEarly."""
    if not accounts:
        return []
    run = AccountRun(cursor, cut_off, issue_date, end_offsets, at, clients)
    for account, charges in accounts.items():
        run.attempt(account, charges, partial(make_document, cursor, account, charges, issue_date, names))
    return run.outcomes


def announce_outcomes(
    cursor: Cursor[TupleRow],
    outcomes: Sequence[AccountOutcome],
    names: Names,
    at: datetime,
    clients: Collection[str] = (),
) -> None:
    """Open and resolve the exceptions of invalid documents (DOMAIN.md §4.7), of these clients or of all."""
    invalid = {
        each.account.key: Invalid(each.account, sum((c.amount for c in each.charges), Decimal(0)), str(each.error))
        for each in outcomes
        if each.is_invalid
    }
    waiting = {each.account.key for each in outcomes if each.error and not each.is_invalid}
    announce_invalid(cursor, invalid, waiting, names, at, clients)


def result(outcomes: Sequence[AccountOutcome]) -> InvoiceRun:
    """What a run did."""
    made = [each.made for each in outcomes if each.made]
    return InvoiceRun(
        issued=tuple(_issued(invoice.invoice_id, draft) for draft, invoice in made if draft.is_document),
        netted_charges=sum(len(draft.charge_ids) for draft, _ in made if not draft.is_document),
        refused=tuple(_refused(each) for each in outcomes if each.error and not each.is_invalid),
        invalid=tuple(_refused(each) for each in outcomes if each.is_invalid),
    )


def _refused(outcome: AccountOutcome) -> RefusedAccount:
    account = outcome.account
    reason = str(outcome.error) if outcome.is_invalid else outcome.reason
    return RefusedAccount(account.client_id, account.engagement_id, account.currency, reason)


def _issued(invoice_id: str, draft: Draft) -> Issued:
    return Issued(
        invoice_id=invoice_id,
        kind=draft.kind,
        client_id=draft.account.client_id,
        engagement_id=draft.account.engagement_id,
        currency=draft.account.currency,
        net=draft.net,
        tax=draft.tax,
        payable=draft.payable,
        charges=len(draft.charge_ids),
    )
