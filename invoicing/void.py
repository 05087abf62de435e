"""Voiding an invoice: its charges are free for the next run (DOMAIN.md §4.9)."""

from datetime import datetime

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.errors import SinkError
from invoicing.outbox_records import STATUS_TOPIC, SYSTEM, announce, status_records
from storage.postgres import Lock, Pool, transaction

_VOID = """
UPDATE hourstream.invoices
SET status = 'voided', standing = 'voided', standing_at = %(at)s, voided_at = %(at)s, void_reason = %(reason)s,
    revision = revision + 1
WHERE invoice_id = %(invoice_id)s AND status = 'issued'
RETURNING payable, currency, revision
"""
_FREE = """
WITH freed AS (UPDATE hourstream.invoice_charges SET live = false WHERE invoice_id = %s RETURNING charge_id)
SELECT engagement_id, array_agg(charge_id ORDER BY charge_id) FROM freed JOIN hourstream.charges USING (charge_id)
GROUP BY engagement_id
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


class NotVoidable(SinkError):
    """There is no such invoice, it is voided or paid, or a live credit note credits it."""


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


def void(cursor: Cursor[TupleRow], invoice_id: str, *, at: datetime, reason: str) -> int | None:
    """Void an invoice within a transaction that holds the lock of invoices, and announce it.

    Gives the number of charges set free, None where it is no issued invoice.
    """
    voided = cursor.execute(_VOID, {"invoice_id": invoice_id, "at": at, "reason": reason}).fetchone()
    if voided is None:
        return None
    payable, currency, revision = voided
    freed: dict[str, list[str]] = dict(cursor.execute(_FREE, (invoice_id,)).fetchall())
    records = status_records(invoice_id, freed, "voided", payable, currency, at, revision)
    announce(cursor, STATUS_TOPIC, records)
    return sum(map(len, freed.values()))
