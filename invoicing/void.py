"""Voids an invoice in a transaction that holds the lock of invoices; its charges are free for the next run."""

from datetime import datetime

from psycopg import Cursor
from psycopg.rows import TupleRow

from invoicing.outbox_records import STATUS_TOPIC, announce, status_record

_VOID = """
UPDATE hourstream.invoices
SET status = 'voided', standing = 'voided', standing_at = %(at)s, voided_at = %(at)s, void_reason = %(reason)s,
    revision = revision + 1
WHERE invoice_id = %(invoice_id)s AND status = 'issued'
RETURNING engagement_id, payable, currency, revision
"""


def void(cursor: Cursor[TupleRow], invoice_id: str, *, at: datetime, reason: str) -> int | None:
    """Void an invoice and announce it; gives the number of charges set free, None where it is no issued invoice."""
    voided = cursor.execute(_VOID, {"invoice_id": invoice_id, "at": at, "reason": reason}).fetchone()
    if voided is None:
        return None
    freed = cursor.execute(
        "UPDATE hourstream.invoice_charges SET live = false WHERE invoice_id = %s RETURNING charge_id", (invoice_id,)
    ).fetchall()
    engagement_id, payable, currency, revision = voided
    charge_ids = [charge_id for (charge_id,) in freed]
    told = status_record(invoice_id, engagement_id, "voided", charge_ids, payable, currency, at, revision)
    announce(cursor, STATUS_TOPIC, [told])
    return len(charge_ids)
