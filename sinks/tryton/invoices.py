"""Drafted invoices of charges in Tryton: list, post on a date, cancel. Repeats are harmless."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sinks.tryton.client import TrytonClient, TrytonRefused
from sinks.tryton.wire import Row

_FIELDS = (
    "reference",
    "number",
    "state",
    "hourstream_account",
    "company",
    "currency.code",
    "untaxed_amount",
    "tax_amount",
    "total_amount",
    "amount_to_pay",
)


@dataclass(frozen=True, slots=True)
class TrytonInvoice:
    """An invoice as Tryton has it; amounts in the currency's minor unit, below zero where it credits."""

    id: int
    company: int
    reference: str
    account: str
    number: str | None
    state: str
    currency: str
    net: Decimal
    tax: Decimal
    total: Decimal
    to_pay: Decimal

    @classmethod
    def of(cls, row: Row) -> "TrytonInvoice":
        """From the fields that a request reads here."""
        return cls(
            id=int(row["id"]),
            company=int(row["company"]),
            reference=str(row["reference"]),
            account=str(row["hourstream_account"]),
            number=row["number"],
            state=str(row["state"]),
            currency=str(row["currency."]["code"]),
            net=row["untaxed_amount"],
            tax=row["tax_amount"],
            total=row["total_amount"],
            to_pay=row["amount_to_pay"] or Decimal(0),
        )


class TrytonInvoices:
    """Invoices that bill our charges, and no others."""

    def __init__(self, tryton: TrytonClient) -> None:
        # A person would be warned of a due date in the past and of taxes other than the product's: both are meant.
        self._tryton = tryton.within(_skip_warnings=True)

    def all(self, *states: str) -> list[TrytonInvoice]:
        """Those in these states, oldest first. Raises TargetUnavailable."""
        domain = [["hourstream_account", "!=", None], ["state", "in", list(states)]]
        found = self._tryton.search("account.invoice", domain, _FIELDS, order=[("id", "ASC")])
        return [TrytonInvoice.of(row) for row in found]

    def get(self, invoice: int) -> TrytonInvoice:
        """The present state of an invoice. Raises Refused if there is none, TargetUnavailable."""
        found = self._tryton.search("account.invoice", [["id", "=", invoice]], _FIELDS, 1)
        if not found:
            raise TrytonRefused(f"Tryton has no invoice {invoice} that may be seen with this key")
        return TrytonInvoice.of(found[0])

    def post(self, invoice: TrytonInvoice, on: date) -> TrytonInvoice:
        """Post a draft dated `on`: it gets its number and its move. A posted one stays as it is.

        Raises Refused, TargetUnavailable.
        """
        within = self._tryton.within(company=invoice.company)
        if invoice.state in ("draft", "validated"):
            now = self.get(invoice.id)
            if now.state == "draft":
                within.write("account.invoice", invoice.id, {"invoice_date": on, "payment_term_date": on})
            if now.state in ("draft", "validated"):
                within.press("account.invoice", invoice.id, "post")
        return self.get(invoice.id)

    def cancel(self, invoice: TrytonInvoice) -> TrytonInvoice:
        """Cancel it and so release its charges; one that is cancelled stays so. Raises Refused, TargetUnavailable."""
        if self.get(invoice.id).state != "cancelled":
            self._tryton.within(company=invoice.company).press("account.invoice", invoice.id, "cancel")
        return self.get(invoice.id)
