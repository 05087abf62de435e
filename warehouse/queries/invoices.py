"""Invoices, the charges on them, their statuses, and what billing systems reported of them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import LiteralString

from psycopg import sql

from warehouse.queries.sql import Asking, columns, one, rows


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
class BillingReport:
    """A billing system's report on an invoice of a charge, with its position."""

    document: str
    system: str
    status: str | None
    payment: Decimal | None
    payment_currency: str | None
    payment_reference: str | None
    at: datetime
    where: str
    appended_at: datetime
    problem: str | None


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


_REPORTS = """
SELECT document, system, status, payment, payment_currency, payment_reference, at,
       topic || '[' || partition || ']@' || record_offset AS "where", appended_at, problem
FROM hourstream.billing_events WHERE document IN (
    SELECT i.document FROM hourstream.charges c JOIN hourstream.invoice_charges b USING (charge_id)
    JOIN hourstream.invoices i USING (invoice_id)
    WHERE c.engagement_id = %(engagement)s AND c.subject = %(subject)s)
ORDER BY appended_at, topic, partition, record_offset
"""


def statuses_of(cursor: Asking, invoice_ids: list[str]) -> list[StatusRow]:
    """The statuses of these invoices, in order of time."""
    query = (
        "SELECT invoice_id, status, amount, currency, at,"
        " topic || '[' || partition || ']@' || record_offset AS \"where\""
        " FROM hourstream.invoice_statuses WHERE invoice_id = ANY(%(ids)s) ORDER BY at, revision"
    )
    return rows(cursor, StatusRow, query, {"ids": invoice_ids})


def reports_of(cursor: Asking, engagement_id: str, subject: str) -> list[BillingReport]:
    """The billing systems' reports on the invoices of a subject's charges, in order of arrival."""
    return rows(cursor, BillingReport, _REPORTS, {"engagement": engagement_id, "subject": subject})


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
