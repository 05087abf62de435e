"""Charges with their posting and their invoice: for traces, the page of a charge, and the API."""

from dataclasses import dataclass
from datetime import date, datetime

from psycopg import sql

from rating.model.charge import CHARGE_FIELDS, PublishedCharge
from warehouse.queries.sql import Asking, one, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedCharge(PublishedCharge):
    """A charge as published, where it stands on its topic, with its posting and the invoice it is on.

    Without a live invoice the last one is named, with its status: voided, or consumed where the charge was netted away
    without a document (then `invoice_id` is None).
    """

    components: list[dict[str, object]]  # type: ignore[assignment]  # as the JSON of the table has them
    lineage: dict[str, object]  # type: ignore[assignment]
    appended_at: datetime
    where: str
    posting: str | None
    posting_system: str | None
    posting_status: str | None
    posting_reason: str | None
    posting_period: str | None
    posted_at: datetime | None
    invoice_id: str | None
    invoice_status: str | None
    issue_date: date | None
    run_at: datetime | None


_CHARGES = sql.SQL(
    """
SELECT {charge}, c.appended_at, c.topic || '[' || c.partition || ']@' || c.record_offset AS "where",
       'JRN-' || p.number AS posting, p.system AS posting_system, p.status AS posting_status,
       p.reason AS posting_reason, p.posting_period, p.posted_at,
       CASE WHEN i.kind <> 'nothing' THEN i.invoice_id END AS invoice_id, i.status AS invoice_status,
       i.issue_date, i.run_at
FROM hourstream.charges c
LEFT JOIN hourstream.journal_postings p ON p.charge_id = c.charge_id
LEFT JOIN LATERAL (
    SELECT i.invoice_id, i.kind, i.status, i.issue_date, r.run_at
    FROM hourstream.invoice_charges b JOIN hourstream.invoices i USING (invoice_id)
    LEFT JOIN hourstream.invoice_runs r ON r.run = i.run
    WHERE b.charge_id = c.charge_id ORDER BY b.live DESC, i.run DESC LIMIT 1
) i ON true
"""
).format(charge=sql.SQL(", ").join(sql.Identifier("c", name) for name in CHARGE_FIELDS))
_ORDER = sql.SQL(" ORDER BY c.partition, c.record_offset, p.number")


def charges_of(cursor: Asking, engagement_id: str, subject: str) -> list[TracedCharge]:
    """The charges and reversals of a subject, in order of publication."""
    query = _CHARGES + sql.SQL(" WHERE c.engagement_id = %(engagement)s AND c.subject = %(subject)s") + _ORDER
    return rows(cursor, TracedCharge, query, {"engagement": engagement_id, "subject": subject})


def charge(cursor: Asking, charge_id: str) -> TracedCharge | None:
    """One charge or reversal."""
    return one(cursor, TracedCharge, _CHARGES + sql.SQL(" WHERE c.charge_id = %(id)s") + _ORDER, {"id": charge_id})
