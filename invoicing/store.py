"""Invoices in PostgreSQL: reads the charges due and writes the invoices of a run, within the run's own transaction."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from hashlib import sha256
from operator import attrgetter
from typing import LiteralString

from psycopg import Cursor
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from invoicing.document import Invoice
from invoicing.draft import Draft, DueCharge
from invoicing.issue import issue
from invoicing.outbox_records import SYSTEM
from invoicing.parties import Names
from storage.bulk_load import as_json

_MOST_ENTITY = 180  # characters in an invoice number, which has 200
_OPEN = """
SELECT c.charge_id, c.reverses, c.legal_entity, c.client_id, c.engagement_id, c.currency, c.subject, c.kind, c.period,
       c.task_id, c.labor_category, c.billable_minutes, c.rate, c.rate_unit, c.multiplier, c.amount, c.reason,
       c.tax_category, c.tax_rate, c.po_number,
       CASE WHEN credited.kind <> 'nothing' THEN credited.invoice_id END AS credits,
       coalesce(origin.invoice_id, (
           SELECT placed.invoice_id FROM hourstream.charges r JOIN hourstream.invoice_charges placed USING (charge_id)
           WHERE r.reverses = c.charge_id AND placed.live)) AS counterpart
FROM hourstream.charges c
LEFT JOIN hourstream.invoice_charges origin ON origin.charge_id = c.reverses AND origin.live
LEFT JOIN hourstream.invoices credited ON credited.invoice_id = origin.invoice_id
WHERE c.reason IS DISTINCT FROM 'NON_BILLABLE'
  AND NOT EXISTS (SELECT FROM hourstream.invoice_charges here WHERE here.charge_id = c.charge_id AND here.live)
"""
_IN_ORDER = " ORDER BY c.topic, c.partition, c.record_offset"

_COPY_LINES: LiteralString = """
COPY hourstream.invoice_lines (invoice_id, line, period, kind, subject, task_id, labor_category, name, note, quantity,
                               unit, price, net, tax_category, tax_rate, engagement_id)
FROM STDIN
"""
_NEXT_NUMBER = """
INSERT INTO hourstream.invoice_numbers AS n VALUES (%s, %s, 1)
ON CONFLICT (legal_entity, year) DO UPDATE SET last = n.last + 1 RETURNING last
"""


def due_charges(cursor: Cursor[TupleRow], cut_off: date, clients: Collection[str] = ()) -> list[DueCharge]:
    """The published charges of work up to and including `cut_off` that are on no live invoice, oldest first.

    With `clients` only theirs.
    """
    of_clients = " AND c.work_date <= %s AND (%s::text[] IS NULL OR c.client_id = ANY(%s))"
    wanted = list(clients) or None
    with cursor.connection.cursor(row_factory=class_row(DueCharge)) as reader:
        return reader.execute(_OPEN + of_clients + _IN_ORDER, (cut_off, wanted, wanted)).fetchall()


def open_charges(cursor: Cursor[TupleRow], charge_ids: Sequence[str]) -> list[DueCharge]:
    """Those of the charges that are on no live invoice and not NON_BILLABLE, whatever their day, oldest first."""
    with cursor.connection.cursor(row_factory=class_row(DueCharge)) as reader:
        return reader.execute(_OPEN + " AND c.charge_id = ANY(%s)" + _IN_ORDER, (list(charge_ids),)).fetchall()


def number_of(legal_entity: str, year: int, sequence: int) -> str:
    """An invoice number: the entity, the year and the sequence, in at most 200 characters (DOMAIN.md §1.10).

    Of a longer entity id it has the beginning and a hash, so that two entities never share a number.
    """
    if len(legal_entity) > _MOST_ENTITY:
        legal_entity = f"{legal_entity[: _MOST_ENTITY - 17]}~{sha256(legal_entity.encode()).hexdigest()[:16]}"
    return f"{legal_entity}-{year}-{sequence:05d}"


def store(cursor: Cursor[TupleRow], run: int, draft: Draft, invoice: Invoice, position: int) -> Invoice:
    """Number and insert a draft as `invoice`; gives it with its number.

    The number is the next one of its legal entity and year. `position` is how many drafts of the run were stored.
    """
    year = invoice.issue_date.year
    sequence = _next_number(cursor, draft, year) if draft.is_document else None
    number = number_of(draft.account.legal_entity, year, sequence) if sequence else f"nothing-{run}-{position}"
    issued = replace(invoice, invoice_id=number)
    _store_head(cursor, issued, draft, run=run, sequence=sequence, document=number, system=SYSTEM)
    _store_rest(cursor, [issued], [draft])
    return issued


def store_foreign(
    cursor: Cursor[TupleRow], drafts: Sequence[Draft], system: str, document: str, issued_at: datetime
) -> list[str]:
    """Insert the rows of an invoice that another system made, one per draft; returns their invoice ids."""
    names = [document] if len(drafts) == 1 else [f"{document}/{n}" for n in range(1, len(drafts) + 1)]
    issued = [issue(draft, name, issued_at.date(), Names()) for draft, name in zip(drafts, names, strict=True)]
    for invoice, draft in zip(issued, drafts, strict=True):
        _store_head(cursor, invoice, draft, run=None, sequence=None, document=document, system=system)
    cursor.execute("UPDATE hourstream.invoices SET issued_at = %s WHERE document = %s", (issued_at, document))
    _store_rest(cursor, issued, drafts)
    return names


def _store_rest(cursor: Cursor[TupleRow], issued: Sequence[Invoice], drafts: Sequence[Draft]) -> None:
    documents = [(invoice, draft) for invoice, draft in zip(issued, drafts, strict=True) if draft.is_document]
    _copy(cursor, _COPY_LINES, (row for pair in documents for row in _lines(*pair)))
    taxes = ((i.invoice_id, t.category, t.rate, t.base, t.amount) for i, _ in documents for t in i.taxes)
    _copy(cursor, "COPY hourstream.invoice_taxes FROM STDIN", taxes)
    charges = ((i.invoice_id, charge_id) for i, d in zip(issued, drafts, strict=True) for charge_id in d.charge_ids)
    _copy(cursor, "COPY hourstream.invoice_charges (invoice_id, charge_id) FROM STDIN", charges)


def _next_number(cursor: Cursor[TupleRow], draft: Draft, year: int) -> int:
    row = cursor.execute(_NEXT_NUMBER, (draft.account.legal_entity, year)).fetchone()
    return 0 if row is None else int(row[0])


def _store_head(
    cursor: Cursor[TupleRow],
    invoice: Invoice,
    draft: Draft,
    *,
    run: int | None,
    sequence: int | None,
    document: str,
    system: str,
) -> None:
    row = {
        "invoice_id": invoice.invoice_id,
        "run": run,
        "kind": invoice.kind,
        "status": invoice.status,
        "legal_entity": draft.account.legal_entity,
        "year": invoice.issue_date.year if sequence else None,
        "sequence": sequence,
        "client_id": draft.account.client_id,
        "engagement_id": invoice.engagement_id,
        "engagement_name": invoice.engagement_name,
        "currency": invoice.currency,
        "issue_date": invoice.issue_date,
        "due_date": invoice.due_date,
        "po_number": invoice.po_number,
        "net": invoice.net,
        "tax": invoice.tax,
        "rounding": invoice.rounding,
        "payable": invoice.payable,
        "seller": Jsonb(invoice.seller, as_json),
        "buyer": Jsonb(invoice.buyer, as_json),
        "tax_reason": invoice.tax_reason,
        "credits": list(draft.credits),
        "document": document,
        "system": system,
    }
    cursor.execute(
        "INSERT INTO hourstream.invoices (invoice_id, run, kind, status, legal_entity, year, sequence, client_id,"
        " engagement_id, engagement_name, currency, issue_date, due_date, po_number, net, tax, rounding, payable,"
        " seller, buyer, tax_reason, credits, document, system)"
        " VALUES (%(invoice_id)s, %(run)s, %(kind)s, %(status)s, %(legal_entity)s,"
        " %(year)s, %(sequence)s, %(client_id)s, %(engagement_id)s, %(engagement_name)s, %(currency)s, %(issue_date)s,"
        " %(due_date)s, %(po_number)s, %(net)s, %(tax)s, %(rounding)s, %(payable)s, %(seller)s, %(buyer)s,"
        " %(tax_reason)s, %(credits)s, %(document)s, %(system)s)",
        row,
    )


def _lines(invoice: Invoice, draft: Draft) -> Iterable[tuple[object, ...]]:
    grouped = attrgetter("kind", "subject", "task_id", "labor_category")
    for line, drafted in zip(invoice.lines, draft.lines, strict=True):
        said = (line.name, line.note, line.quantity, line.unit, line.price, line.net, line.tax_category, line.tax_rate)
        yield (invoice.invoice_id, line.line, line.period, *grouped(drafted.key), *said, line.engagement_id)


def _copy(cursor: Cursor[TupleRow], statement: LiteralString, rows: Iterable[tuple[object, ...]]) -> None:
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
