"""Charges of an engagement, and invoices: lists, paged by key."""

from typing import LiteralString

from psycopg import sql

from warehouse.queries.invoices import INVOICES, InvoiceRow, OnInvoice
from warehouse.queries.sql import Asking, columns, rows, where


def charges_listed(cursor: Asking, engagement_id: str, after: tuple[str, str] | None, limit: int) -> list[OnInvoice]:
    """Charges and reversals of an engagement by subject and id, behind (subject, id); `limit` + 1 at most."""
    query = sql.SQL(
        "SELECT {charge} FROM hourstream.charges c"
        " WHERE engagement_id = %(engagement)s AND (subject, charge_id) > (%(subject)s, %(id)s)"
        " ORDER BY subject, charge_id LIMIT %(limit)s"
    ).format(charge=columns(OnInvoice, "c"))
    subject, charge_id = after or ("", "")
    values = {"engagement": engagement_id, "subject": subject, "id": charge_id, "limit": limit + 1}
    return rows(cursor, OnInvoice, query, values)


def invoices_listed(
    cursor: Asking, *, client: str | None, engagement: str | None, status: str | None, after: str, limit: int
) -> list[InvoiceRow]:
    """Invoices and credit notes by id, behind `after`; `limit` + 1 at most. None is any."""
    conditions: list[LiteralString] = ["i.kind <> 'nothing'", "i.invoice_id > %(after)s"]
    if client is not None:
        conditions.append("i.client_id = %(client)s")
    if engagement is not None:
        conditions.append("i.engagement_id = %(engagement)s")
    if status is not None:
        conditions.append("i.status = %(status)s")
    values = {"client": client, "engagement": engagement, "status": status, "after": after, "limit": limit + 1}
    composed = sql.SQL(INVOICES) + where(conditions) + sql.SQL(" ORDER BY i.invoice_id LIMIT %(limit)s")
    return rows(cursor, InvoiceRow, composed, values)
