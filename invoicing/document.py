"""An issued invoice, read back from PostgreSQL: the input of its documents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg import Cursor
from psycopg.rows import TupleRow, dict_row

from invoicing.draft import DocumentKey
from invoicing.parties import Names, Party, buyer, filled, seller
from invoicing.tax_totals import TaxTotal
from rating.model.money import rounded_money
from storage.postgres import Pool, transaction


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line as issued; `period` (YYYY-MM) is that of the work, amounts are signed as the charges."""

    line: int
    period: str
    name: str
    note: str | None
    quantity: Decimal
    unit: str
    price: Decimal
    net: Decimal
    tax_category: str
    tax_rate: Decimal
    engagement_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An issued document (DOMAIN.md §4); kind invoice or credit_note, amounts in minor units of the currency.

    `engagement_id` is empty where engagements of a client share it. `credits` are the invoices it credits, by number
    and issue date.
    """

    invoice_id: str
    kind: str
    status: str
    engagement_id: str
    engagement_name: str | None
    currency: str
    issue_date: date
    due_date: date | None
    po_number: str | None
    seller: Party
    buyer: Party
    tax_reason: str | None
    lines: tuple[InvoiceLine, ...]
    taxes: tuple[TaxTotal, ...]
    net: Decimal
    tax: Decimal
    rounding: Decimal
    payable: Decimal
    credits: tuple[tuple[str, date], ...]


def load_invoice(pool: Pool, invoice_id: str, names: Names | None = None) -> Invoice:
    """A document as issued, also when it is voided (DOMAIN.md §4.10).

    Earlier versions issued documents whose parties have no country: those alone take from `names` what they lack.
    Raises KeyError for an unknown one, Unreachable.
    """
    with transaction(pool) as cursor:
        with cursor.connection.cursor(row_factory=dict_row) as reader:
            head = reader.execute(
                "SELECT * FROM hourstream.invoices WHERE invoice_id = %s AND sequence IS NOT NULL", (invoice_id,)
            ).fetchone()
        if head is None:
            raise KeyError(invoice_id)
        currency = str(head["currency"])
        account = DocumentKey(head["legal_entity"], head["client_id"], head["engagement_id"], currency, False)
        return Invoice(
            invoice_id=head["invoice_id"],
            kind=head["kind"],
            status=head["status"],
            engagement_id=head["engagement_id"],
            engagement_name=head["engagement_name"],
            currency=currency,
            issue_date=head["issue_date"],
            due_date=head["due_date"],
            po_number=head["po_number"],
            seller=_party(head["seller"], seller(account, names or Names())),
            buyer=_party(head["buyer"], buyer(account, names or Names())),
            tax_reason=head["tax_reason"],
            lines=_lines(cursor, invoice_id, currency),
            taxes=_taxes(cursor, invoice_id, currency),
            net=rounded_money(head["net"], currency),
            tax=rounded_money(head["tax"], currency),
            rounding=rounded_money(head["rounding"], currency),
            payable=rounded_money(head["payable"], currency),
            credits=credited_invoices(cursor, head["credits"]),
        )


def _party(stored: Mapping[str, Any], known: Party) -> Party:
    party = Party(**stored)
    return party if party.country else filled(party, known)


def _lines(cursor: Cursor[TupleRow], invoice_id: str, currency: str) -> tuple[InvoiceLine, ...]:
    rows = cursor.execute(
        "SELECT line, period, name, note, quantity, unit, price, net, tax_category, tax_rate, engagement_id"
        " FROM hourstream.invoice_lines WHERE invoice_id = %s ORDER BY line",
        (invoice_id,),
    ).fetchall()
    lines = (InvoiceLine(*row) for row in rows)
    return tuple(replace(line, net=rounded_money(line.net, currency)) for line in lines)


def _taxes(cursor: Cursor[TupleRow], invoice_id: str, currency: str) -> tuple[TaxTotal, ...]:
    rows = cursor.execute(
        "SELECT category, rate, base, amount FROM hourstream.invoice_taxes WHERE invoice_id = %s"
        " ORDER BY category, rate",
        (invoice_id,),
    ).fetchall()
    return tuple(
        TaxTotal(category, rate, rounded_money(base, currency), rounded_money(amount, currency))
        for category, rate, base, amount in rows
    )


def credited_invoices(cursor: Cursor[TupleRow], invoice_ids: Iterable[str]) -> tuple[tuple[str, date], ...]:
    """The invoices of these ids, by number and issue date."""
    rows = cursor.execute(
        "SELECT invoice_id, issue_date FROM hourstream.invoices WHERE invoice_id = ANY(%s) ORDER BY invoice_id",
        (list(invoice_ids),),
    ).fetchall()
    return tuple((invoice_id, issued) for invoice_id, issued in rows)
