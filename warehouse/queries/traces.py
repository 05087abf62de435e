"""The trace of one subject: its submission, charges, postings, invoices and payments, in order of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import LiteralString

from psycopg import sql

from rating.model.charge import CHARGE_FIELDS, PublishedCharge
from warehouse.queries.sql import Asking, StoredText, columns, one, rows


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One thing that happened; `where` is a topic's record or a document, `charge_id` and `invoice_id` lead on."""

    at: datetime
    stage: str
    what: str
    where: str
    charge_id: str | None = None
    invoice_id: str | None = None
    amount: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedCharge(PublishedCharge):
    """A charge as published, where it stands on its topic, with its posting and the invoice it is on."""

    components: list[dict[str, object]]  # type: ignore[assignment]  # as the JSON of the table has them
    lineage: dict[str, object]  # type: ignore[assignment]
    appended_at: datetime
    where: str
    posting: str | None
    posting_status: str | None
    posting_reason: str | None
    posted_at: datetime | None
    invoice_id: str | None
    issue_date: date | None
    run_at: datetime | None


@dataclass(frozen=True, slots=True)
class _HistoryRow:
    at: datetime
    stage: str
    what: str
    where: str
    source: str | None


@dataclass(frozen=True, slots=True)
class StatusRow:
    """A status of an invoice."""

    invoice_id: str
    status: str
    amount: Decimal
    currency: str
    at: datetime
    where: str


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """An invoice or credit note."""

    invoice_id: str
    kind: str
    status: str
    legal_entity: str
    client_id: str
    client: str | None
    engagement_id: str
    currency: str
    issue_date: date
    due_date: date | None
    net: Decimal
    tax: Decimal
    payable: Decimal
    void_reason: str | None


_CHARGES = sql.SQL(
    """
SELECT {charge}, c.appended_at, c.topic || '[' || c.partition || ']@' || c.record_offset AS "where",
       'JRN-' || p.number AS posting, p.status AS posting_status, p.reason AS posting_reason, p.posted_at,
       i.invoice_id, i.issue_date, i.run_at
FROM hourstream.charges c
LEFT JOIN hourstream.journal_postings p ON p.charge_id = c.charge_id
LEFT JOIN LATERAL (
    SELECT i.invoice_id, i.issue_date, r.run_at
    FROM hourstream.invoice_charges b JOIN hourstream.invoices i USING (invoice_id)
    LEFT JOIN hourstream.invoice_runs r ON r.run = i.run
    WHERE b.charge_id = c.charge_id AND i.kind <> 'nothing' ORDER BY b.live DESC, i.run DESC LIMIT 1
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


def statuses_of(cursor: Asking, invoice_ids: list[str]) -> list[StatusRow]:
    """The statuses of these invoices, in order of time."""
    query = (
        "SELECT invoice_id, status, amount, currency, at,"
        " topic || '[' || partition || ']@' || record_offset AS \"where\""
        " FROM hourstream.invoice_statuses WHERE invoice_id = ANY(%(ids)s) ORDER BY at, revision"
    )
    return rows(cursor, StatusRow, query, {"ids": invoice_ids})


def trace(cursor: Asking, engagement_id: str, subject: str) -> list[TraceStep]:
    """Everything that happened to a subject; nothing for one that is not known."""
    history = rows(
        cursor,
        _HistoryRow,
        "SELECT appended_at AS at, stage, what, topic || '[' || partition || ']@' || record_offset AS \"where\", source"
        " FROM hourstream.history WHERE subject = %(subject)s AND engagement_id = %(engagement)s"
        " ORDER BY appended_at, topic, record_offset LIMIT 1000",
        {"engagement": engagement_id, "subject": subject},
    )
    steps = [TraceStep(h.at, h.stage, h.what, h.where) for h in history]
    first_of_source = {h.source: h for h in reversed(history) if h.source is not None}
    steps += [
        TraceStep(h.at, "source", f"made from {source}", source.rpartition(" at ")[2])
        for source, h in first_of_source.items()
    ]
    published = charges_of(cursor, engagement_id, subject)
    statuses = statuses_of(cursor, sorted({each.invoice_id for each in published if each.invoice_id}))
    told = {status.invoice_id: status.at for status in reversed(statuses)}
    for each in published:
        steps += _steps_of(each, told)
    steps += [_step_of(status) for status in statuses]
    return sorted(steps, key=lambda step: (step.at, _RANK[step.stage]))


_RANK = {
    stage: rank
    for rank, stage in enumerate(
        ("source", "fact", "decision", "exception", "reversal", "charge", "posting", "invoice", "status", "payment")
    )
}


def _steps_of(each: TracedCharge, told: Mapping[str, datetime]) -> list[TraceStep]:
    money = {"amount": each.amount, "currency": each.currency}
    stage = "charge" if each.reverses is None else "reversal"
    steps = [TraceStep(each.appended_at, stage, each.derivation, each.where, each.charge_id, **money)]  # type: ignore[arg-type]
    if each.posting is not None and each.posted_at is not None:
        why = f": {each.posting_reason}" if each.posting_reason else ""
        words = StoredText(f"{each.posting} {each.posting_status}{why}")
        steps.append(TraceStep(each.posted_at, "posting", words, each.posting, each.charge_id, **money))  # type: ignore[arg-type]
    if each.invoice_id is not None:
        at = min(each.run_at or each.appended_at, told.get(each.invoice_id, datetime.max.replace(tzinfo=UTC)))
        words = StoredText(f"on {each.invoice_id}, dated {each.issue_date}")
        steps.append(TraceStep(at, "invoice", words, each.invoice_id, each.charge_id, each.invoice_id, **money))  # type: ignore[arg-type]
    return steps


def _step_of(status: StatusRow) -> TraceStep:
    stage = "payment" if "paid" in status.status else "status"
    words = f"{status.invoice_id} {status.status.replace('_', ' ')}"
    money = {"amount": status.amount, "currency": status.currency}
    return TraceStep(status.at, stage, words, status.where, invoice_id=status.invoice_id, **money)  # type: ignore[arg-type]


INVOICES: LiteralString = """
SELECT i.invoice_id, i.kind, i.status, i.legal_entity, i.client_id,
       (SELECT m.record ->> 'name' FROM hourstream.masters m
        WHERE m.topic = 'master.clients' AND m.identity = i.client_id) AS client,
       i.engagement_id, i.currency, i.issue_date, i.due_date, i.net, i.tax, i.payable, i.void_reason
FROM hourstream.invoices i
"""
"""Every invoice as an `InvoiceRow`; the conditions follow."""


def invoice(cursor: Asking, invoice_id: str) -> InvoiceRow | None:
    """One invoice or credit note."""
    return one(cursor, InvoiceRow, INVOICES + " WHERE i.invoice_id = %(id)s", {"id": invoice_id})


@dataclass(frozen=True, slots=True)
class OnInvoice:
    """A charge of an invoice."""

    charge_id: str
    engagement_id: str
    subject: str
    work_date: date
    billable_minutes: int
    currency: str
    amount: Decimal


def charges_on(cursor: Asking, invoice_id: str, after: str = "", limit: int = 100) -> list[OnInvoice]:
    """Charges of an invoice by id, behind `after`; at most `limit` + 1, so that an end is seen."""
    query = sql.SQL(
        "SELECT {charge} FROM hourstream.invoice_charges b JOIN hourstream.charges c USING (charge_id)"
        " WHERE b.invoice_id = %(id)s AND b.charge_id > %(after)s ORDER BY b.charge_id LIMIT %(limit)s"
    ).format(charge=columns(OnInvoice, "c"))
    return rows(cursor, OnInvoice, query, {"id": invoice_id, "after": after, "limit": limit + 1})
