"""The invoice run and the voiding of an invoice: each one locked transaction (DOMAIN.md §4)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from psycopg import Cursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from common.errors import SinkError
from common.isolation import divide
from invoicing.charge_projection import NAME as PROJECTION
from invoicing.draft import Account, Draft, DueCharge, Kind, by_account, draft_invoice
from invoicing.holds import Holds
from invoicing.outbox_records import STATUS_TOPIC, SYSTEM, announce, status_record
from invoicing.parties import Names
from invoicing.store import due_charges, rests_of, store
from invoicing.void import void
from storage.isolated_write import passes_on
from storage.postgres import Lock, Pool, transaction
from topics.catalogue import CHARGES_TOPIC

__all__ = [
    "STATUS_TOPIC",
    "InvoiceRun",
    "IssueDateTooEarly",
    "Issued",
    "NotVoidable",
    "ProjectionBehind",
    "run_invoices",
    "void_invoice",
]

_POLL_SECONDS = 0.1
_LATEST_DATES = """
SELECT legal_entity, max(issue_date) FROM hourstream.invoices
WHERE legal_entity = ANY(%s) AND sequence IS NOT NULL GROUP BY legal_entity ORDER BY legal_entity
"""
_LIVE_CREDIT_NOTES = """
SELECT note.invoice_id
FROM hourstream.invoice_charges own
JOIN hourstream.charges reversal ON reversal.reverses = own.charge_id
JOIN hourstream.invoice_charges credited ON credited.charge_id = reversal.charge_id AND credited.live
JOIN hourstream.invoices note ON note.invoice_id = credited.invoice_id
WHERE own.invoice_id = %s AND note.invoice_id <> own.invoice_id AND note.kind = 'credit_note'
ORDER BY note.invoice_id LIMIT 1
"""


class ProjectionBehind(SinkError):
    """The projection of charges did not reach the noted end offsets in time; nothing was invoiced."""


class NotVoidable(SinkError):
    """There is no such invoice, it is voided or paid, or a live credit note credits it."""


class IssueDateTooEarly(SinkError):
    """A legal entity has issued a document of a later date already; nothing was invoiced (DOMAIN.md §4.6)."""


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
class Refused:
    """An account whose document cannot be made, and why; its charges stay open for the next run."""

    client_id: str
    engagement_id: str
    currency: str
    reason: str


@dataclass(frozen=True, slots=True)
class InvoiceRun:
    """Result of a run: documents, charges consumed because they net to zero, and accounts not invoiced."""

    issued: tuple[Issued, ...]
    netted_charges: int
    refused: tuple[Refused, ...] = ()


def run_invoices(
    pool: Pool,
    *,
    cut_off: date,
    issue_date: date,
    end_offsets: Mapping[int, int],
    at: datetime,
    names: Names | None = None,
    holds: Holds | None = None,
    timeout_seconds: float = 60.0,
) -> InvoiceRun:
    """Invoice every account's charges of work up to and including `cut_off`, dated `issue_date`.

    `end_offsets` are the ends of the partitions of `billing.ready` that the caller saw: the run waits until the
    projection has read that far. `at` is the time noted on `invoice.status`. `holds` are those of the issue date. Runs
    at the same time follow each other. An account whose document cannot be made is refused, and the others are
    invoiced. Raises ProjectionBehind, IssueDateTooEarly, Unreachable, Misconfigured; after any of them nothing was
    invoiced.
    """
    await_projection(pool, end_offsets, timeout_seconds)
    with transaction(pool) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.INVOICES,))
        kept_back = holds or Holds()
        charges = [
            charge
            for charge in due_charges(cursor, cut_off)
            if not kept_back.keeps_back(charge.engagement_id, charge.subject)
        ]
        if not charges:
            return InvoiceRun((), 0)
        rests = rests_of(cursor, (charge.credits for charge in charges if charge.credits))
        run = cursor.execute(
            "INSERT INTO hourstream.invoice_runs (cut_off, issue_date, end_offsets, run_at) VALUES (%s, %s, %s, %s)"
            " RETURNING run",
            (cut_off, issue_date, Jsonb({str(k): v for k, v in end_offsets.items()}), at),
        ).fetchone()
        stored, refused = list[tuple[str, Draft]](), list[Refused]()

        def attempt(accounts: Sequence[tuple[Account, list[DueCharge]]]) -> None:
            with cursor.connection.transaction():  # a savepoint: its numbers are assigned again
                drafts = [draft_invoice(account, due, rests) for account, due in accounts]
                _refuse_earlier_dates(cursor, {d.account.legal_entity for d in drafts if _is_document(d)}, issue_date)
                number = 0 if run is None else int(run[0])
                ids = store(cursor, number, drafts, issue_date, names or Names(), before=len(stored))
                made = list(zip(ids, drafts, strict=True))
                announce(cursor, STATUS_TOPIC, [_issued_status(*each, at) for each in made if _is_document(each[1])])
            stored.extend(made)

        def refuse(account: tuple[Account, list[DueCharge]], error: Exception) -> None:
            refused.append(_refused(account[0], error))

        divide(
            list(by_account(charges).items()),
            attempt,
            refuse,
            lambda e: passes_on(e) or isinstance(e, IssueDateTooEarly),
        )
    return InvoiceRun(
        issued=tuple(_issued(*each) for each in stored if _is_document(each[1])),
        netted_charges=sum(len(draft.charge_ids) for _, draft in stored if not _is_document(draft)),
        refused=tuple(refused),
    )


def _is_document(draft: Draft) -> bool:
    return draft.kind != "nothing"


def _refused(account: Account, error: Exception) -> Refused:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return Refused(account.client_id, account.engagement_id, account.currency, reason)


def void_invoice(pool: Pool, invoice_id: str, *, at: datetime, reason: str) -> int:
    """Void an invoice and free its charges for the next run; gives their number. Its number is not used again.

    One that is paid, if only in part, is not voided but credited; one that another system made is voided there; one
    with a live credit note is not voided before that (DOMAIN.md §4.9). Raises NotVoidable, Unreachable.
    """
    with transaction(pool) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.INVOICES,))
        found = cursor.execute(
            "SELECT system, paid <> 0 OR standing IN ('paid', 'part_paid') FROM hourstream.invoices"
            " WHERE invoice_id = %s AND status = 'issued'",
            (invoice_id,),
        ).fetchone()
        if found is None:
            raise NotVoidable(f"{invoice_id} is no issued invoice; see the list of invoices")
        system, is_paid = found
        if system != SYSTEM:
            raise NotVoidable(f"{invoice_id} was made in {system}: void it there, and let {system} say so")
        if is_paid:
            raise NotVoidable(
                f"{invoice_id} has been paid, if only in part: correct its charges, and a run credits them"
            )
        credited_by = cursor.execute(_LIVE_CREDIT_NOTES, (invoice_id,)).fetchone()
        if credited_by is not None:
            raise NotVoidable(f"{invoice_id} is credited by {credited_by[0]}: void that credit note first")
        return void(cursor, invoice_id, at=at, reason=reason) or 0


def _refuse_earlier_dates(cursor: Cursor[TupleRow], legal_entities: set[str], issue_date: date) -> None:
    for legal_entity, latest in cursor.execute(_LATEST_DATES, (sorted(legal_entities),)).fetchall():
        if issue_date < latest:
            raise IssueDateTooEarly(
                f"{legal_entity} has a document of {latest}, and {issue_date} is before it: issue on {latest} or later"
            )


def await_projection(pool: Pool, end_offsets: Mapping[int, int], timeout_seconds: float) -> None:
    """Wait until the projection has read each partition of `billing.ready` to its offset. Raises ProjectionBehind."""
    deadline = time.monotonic() + timeout_seconds
    while behind := _behind(pool, end_offsets):
        if time.monotonic() >= deadline:
            where = ", ".join(f"partition {p} at {read} of {end}" for p, (read, end) in sorted(behind.items()))
            raise ProjectionBehind(
                f"the projection of {CHARGES_TOPIC} has not caught up in {timeout_seconds:g} s ({where});"
                " start the billing worker, or run again when it has caught up"
            )
        time.sleep(_POLL_SECONDS)


def _behind(pool: Pool, end_offsets: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    with transaction(pool) as cursor:
        rows = cursor.execute(
            "SELECT partition, next_offset FROM hourstream.positions WHERE sink = %s AND topic = %s",
            (PROJECTION, CHARGES_TOPIC),
        ).fetchall()
    read = {partition: int(next_offset) for partition, next_offset in rows}
    return {p: (read.get(p, 0), end) for p, end in end_offsets.items() if read.get(p, 0) < end}


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


def _issued_status(invoice_id: str, draft: Draft, at: datetime) -> dict[str, object]:
    account, charges = draft.account, draft.charge_ids
    return status_record(
        invoice_id, account.engagement_id, "issued", charges, draft.payable, account.currency, at, revision=1
    )
