"""Reports on the ledger and the invoices: read-only queries for commands, traces and the audit (DOMAIN.md §5)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import LiteralString, TypeVar

from psycopg.rows import class_row

from storage.postgres import Pool, transaction

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class JournalBalance:
    """The journal in one currency; it balances when debit equals credit. `revenue` is credits less debits of revenue.

    Minutes are statistics of the postings, reversals netted.
    """

    currency: str
    postings: int
    debit: Decimal
    credit: Decimal
    balance: Decimal
    revenue: Decimal
    worked_minutes: int
    billable_minutes: int


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
class ChargeStep:
    """A charge of a subject, with its posting and invoice; both are None until they exist.

    `invoice_status` is consumed where the charge was netted away without a document; a voided invoice is shown only
    while the charge is on no live one.
    """

    charge_id: str
    reverses: str | None
    topic: str
    partition: int
    record_offset: int
    decided_at: datetime
    currency: str
    amount: Decimal
    billable_minutes: int
    derivation: str
    posting: str | None
    posting_status: str | None
    posting_reason: str | None
    posted_at: datetime | None
    invoice_id: str | None
    invoice_status: str | None
    issue_date: date | None


@dataclass(frozen=True, slots=True)
class SaidOfInvoice:
    """A billing system's report on an invoice of a charge, with its position."""

    document: str
    system: str
    status: str | None
    payment: Decimal | None
    payment_currency: str | None
    payment_reference: str | None
    at: datetime
    topic: str
    partition: int
    record_offset: int
    appended_at: datetime
    problem: str | None


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


_BALANCE = """
WITH totals AS (
    SELECT p.number, p.currency, p.worked_minutes, p.billable_minutes, sum(l.debit) AS debit, sum(l.credit) AS credit,
           sum(l.credit - l.debit) FILTER (WHERE l.account = '4000') AS revenue
    FROM hourstream.journal_postings p JOIN hourstream.journal_lines l ON l.posting = p.number
    WHERE p.status = 'posted' AND p.system = %s GROUP BY p.number
)
SELECT currency, count(*) AS postings, sum(debit) AS debit, sum(credit) AS credit, sum(debit - credit) AS balance,
       sum(revenue) AS revenue, sum(worked_minutes) AS worked_minutes, sum(billable_minutes) AS billable_minutes
FROM totals GROUP BY currency ORDER BY currency
"""

_INVOICES = """
SELECT invoice_id, kind, status, standing, standing_at, paid, legal_entity, client_id, engagement_id, currency,
       issue_date, due_date, net, tax, payable,
       (SELECT count(*) FROM hourstream.invoice_lines l WHERE l.invoice_id = i.invoice_id) AS lines,
       (SELECT count(*) FROM hourstream.invoice_charges c WHERE c.invoice_id = i.invoice_id) AS charges
FROM hourstream.invoices i WHERE kind <> 'nothing' ORDER BY legal_entity, year, sequence
"""

_STEPS = """
SELECT c.charge_id, c.reverses, c.topic, c.partition, c.record_offset, c.decided_at, c.currency, c.amount,
       c.billable_minutes, c.derivation, 'JRN-' || p.number AS posting, p.status AS posting_status,
       p.reason AS posting_reason, p.posted_at, i.invoice_id, i.status AS invoice_status, i.issue_date
FROM hourstream.charges c
LEFT JOIN LATERAL (
    SELECT * FROM hourstream.journal_postings j WHERE j.charge_id = c.charge_id ORDER BY j.system LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT i.* FROM hourstream.invoice_charges b JOIN hourstream.invoices i USING (invoice_id)
    WHERE b.charge_id = c.charge_id ORDER BY b.live DESC, i.run DESC LIMIT 1
) i ON true
"""

_SAID = """
SELECT document, system, status, payment, payment_currency, payment_reference, at, topic, partition, record_offset,
       appended_at, problem
FROM hourstream.billing_events WHERE document IN (
    SELECT i.document FROM hourstream.charges c JOIN hourstream.invoice_charges b USING (charge_id)
    JOIN hourstream.invoices i USING (invoice_id) WHERE c.engagement_id = %s AND c.subject = %s)
ORDER BY appended_at, topic, partition, record_offset
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


def journal_balance(pool: Pool, system: str) -> list[JournalBalance]:
    """A journal by currency. Raises Unreachable, as all of these."""
    return _read(pool, JournalBalance, _BALANCE, (system,))


def invoices(pool: Pool) -> list[InvoiceSummary]:
    """Every invoice and credit note, voided ones too, in order of number."""
    return _read(pool, InvoiceSummary, _INVOICES)


def steps_of_subject(pool: Pool, engagement_id: str, subject: str) -> list[ChargeStep]:
    """The charges and reversals of a subject, in order of publication, with posting and invoice."""
    query = _STEPS + "WHERE c.engagement_id = %s AND c.subject = %s ORDER BY c.partition, c.record_offset"
    return _read(pool, ChargeStep, query, (engagement_id, subject))


def step_of_charge(pool: Pool, charge_id: str) -> ChargeStep | None:
    """One charge with its posting and invoice, None where the projection does not know it."""
    return next(iter(_read(pool, ChargeStep, _STEPS + "WHERE c.charge_id = %s", (charge_id,))), None)


def said_of_invoices(pool: Pool, engagement_id: str, subject: str) -> list[SaidOfInvoice]:
    """The billing systems' reports on the invoices of a subject's charges, in order of arrival."""
    return _read(pool, SaidOfInvoice, _SAID, (engagement_id, subject))


def client_totals(pool: Pool) -> list[ClientTotals]:
    """Posted, invoiced and open amounts, per client and currency."""
    return _read(pool, ClientTotals, _CLIENTS)


def _read(pool: Pool, shape: type[_Row], query: LiteralString, parameters: tuple[str, ...] = ()) -> list[_Row]:
    with transaction(pool) as cursor, cursor.connection.cursor(row_factory=class_row(shape)) as reader:
        return reader.execute(query, parameters).fetchall()
