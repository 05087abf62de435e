"""Reports on the ledger and the invoices: read-only queries for commands, traces and the audit (DOMAIN.md §5)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import LiteralString, TypeVar

from psycopg.rows import class_row

from storage.postgres import Pool, transaction

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    """A document in a list; amounts signed, below zero for a credit note.

    `standing` is its status, with its instant; `paid` the sum of its payments (for a document of several rows, in each
    of them).
    """

    invoice_id: str
    kind: str
    status: str
    standing: str
    standing_at: datetime | None
    paid: Decimal
    legal_entity: str
    client_id: str
    engagement_id: str
    currency: str
    issue_date: date
    due_date: date | None
    net: Decimal
    tax: Decimal
    payable: Decimal
    lines: int
    charges: int


@dataclass(frozen=True, slots=True)
class ClientTotals:
    """The fifth statement of the audit: `posted` equals `invoiced` plus `open`, per client and currency.

    A charge that several journals have counts once.
    """

    client_id: str
    currency: str
    posted: Decimal
    invoiced: Decimal
    open: Decimal


_INVOICES = """
SELECT invoice_id, kind, status, standing, standing_at, paid, legal_entity, client_id, engagement_id, currency,
       issue_date, due_date, net, tax, payable,
       (SELECT count(*) FROM hourstream.invoice_lines l WHERE l.invoice_id = i.invoice_id) AS lines,
       (SELECT count(*) FROM hourstream.invoice_charges c WHERE c.invoice_id = i.invoice_id) AS charges
FROM hourstream.invoices i WHERE kind <> 'nothing' ORDER BY legal_entity, year, sequence
"""

_CLIENTS = """
WITH posted AS (
    SELECT client_id, currency, sum(amount) AS amount FROM (
        SELECT DISTINCT ON (charge_id) client_id, currency, amount FROM hourstream.journal_postings
        WHERE status = 'posted' AND entry = 'charge' ORDER BY charge_id, system
    ) once GROUP BY client_id, currency
), lines AS (
    SELECT i.client_id, i.currency, sum(l.net) AS amount
    FROM hourstream.invoices i JOIN hourstream.invoice_lines l USING (invoice_id)
    WHERE i.status = 'issued' GROUP BY i.client_id, i.currency
), unbilled AS (
    SELECT c.client_id, c.currency, sum(c.amount) AS amount FROM hourstream.charges c
    WHERE NOT EXISTS (SELECT FROM hourstream.invoice_charges b WHERE b.charge_id = c.charge_id AND b.live)
    GROUP BY c.client_id, c.currency
)
SELECT client_id, currency, coalesce(posted.amount, 0) AS posted, coalesce(lines.amount, 0) AS invoiced,
       coalesce(unbilled.amount, 0) AS open
FROM posted FULL JOIN lines USING (client_id, currency) FULL JOIN unbilled USING (client_id, currency)
ORDER BY client_id, currency
"""


def invoices(pool: Pool) -> list[InvoiceSummary]:
    """Every invoice and credit note, voided ones too, in order of number. Raises Unreachable, as all of these."""
    return _read(pool, InvoiceSummary, _INVOICES)


def client_totals(pool: Pool) -> list[ClientTotals]:
    """Posted, invoiced and open amounts, per client and currency."""
    return _read(pool, ClientTotals, _CLIENTS)


def _read(pool: Pool, shape: type[_Row], query: LiteralString, parameters: tuple[str, ...] = ()) -> list[_Row]:
    with transaction(pool) as cursor, cursor.connection.cursor(row_factory=class_row(shape)) as reader:
        return reader.execute(query, parameters).fetchall()
