"""Invoices made of charges: their tax, their kind, and how a cancellation frees their charges."""

import datetime as dt
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

from trytond.model import ModelView, Workflow, fields
from trytond.model.exceptions import AccessError, ValidationError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction, without_check_access

from .only_once import Once, OnlyOnceMixin


class Invoice(OnlyOnceMixin, metaclass=PoolMeta):
    __name__ = "account.invoice"
    _only_once = (
        Once(
            "account_invoice_hourstream_reference",
            "company, reference",
            "hourstream_account IS NOT NULL",
            "An invoice of Hourstream with this reference is here already.",
        ),
    )

    hourstream_account = fields.Char(
        "Hourstream Account",
        states={"readonly": Eval("id", -1) >= 0},
        help="Client, engagement and currency whose charges this invoice bills; empty for any other invoice.",
    )

    @classmethod
    def preprocess_values(cls, mode, values):
        """Account, journal, address, payment term: what Tryton proposes to a person for that party."""
        values = super().preprocess_values(mode, values)
        if mode == "create" and values.get("hourstream_account"):
            with without_check_access(), Transaction().set_context(company=values["company"]):
                proposed = cls(type="out", company=values["company"], party=values["party"])
                proposed.on_change_type()
                for name in ("account", "journal", "invoice_address", "payment_term", "party_tax_identifier"):
                    record = getattr(proposed, name, None)
                    values.setdefault(name, record.id if record else None)
        return values

    @fields.depends("hourstream_account", "currency")
    def _get_taxes(self):
        """One tax line a tax: the sum of the nets by the rate, rounded half away from zero (EN 16931 BR-CO-17).

        Tryton's own way keeps lines above and below zero apart, and rounds half to even.
        """
        taxes = super()._get_taxes()
        if not self.hourstream_account:
            return taxes
        bases = defaultdict(Decimal)
        for line in taxes.values():
            bases[line.tax] += line.base
        merged = {}
        for tax, base in bases.items():
            amount = self.currency.round(base * tax.rate, rounding=ROUND_HALF_UP)
            line = self._compute_tax_line(amount=amount, base=base, tax=tax)
            merged[line._key] = line
        return merged

    @property
    def _sequence_type(self):
        if self.hourstream_account:
            return "credit_note" if self.total_amount < 0 else "invoice"
        return super()._sequence_type

    @classmethod
    def _post(cls, invoices):
        cls._check_charges([invoice for invoice in invoices if invoice.hourstream_account])
        super()._post(invoices)

    @classmethod
    def _check_charges(cls, invoices):
        """Refuse an invoice whose lines are no longer what their charges come to."""
        for invoice in invoices:
            for line in invoice.line_lines:
                charges = line.hourstream_charges
                if charges and line.amount != sum(charge.amount for charge in charges):
                    raise ValidationError(
                        f"{invoice.rec_name}: a line is {line.amount}, its charges of Hourstream are "
                        f"{sum(charge.amount for charge in charges)}. Put the line back and add another one instead."
                    )

    @classmethod
    @ModelView.button
    @Workflow.transition("cancelled")
    def cancel(cls, invoices):
        """Cancel, and release the charges, so that they can be billed again."""
        super().cancel(invoices)
        Charge = Pool().get("hourstream.charge")
        charges = Charge.search([("line.invoice", "in", [invoice.id for invoice in invoices])])
        Charge.write(charges, {"released_at": dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)})

    @classmethod
    @ModelView.button
    @Workflow.transition("draft")
    def draft(cls, invoices):
        """Back to draft, but not from cancelled: what it billed may be on another invoice by now."""
        for invoice in invoices:
            if invoice.hourstream_account and invoice.state == "cancelled":
                raise AccessError(f"{invoice.rec_name} is cancelled and its charges are released: it stays so.")
        super().draft(invoices)

    @classmethod
    def copy(cls, invoices, default=None):
        return super().copy(invoices, default={"hourstream_account": None, **(default or {})})


class InvoiceLine(metaclass=PoolMeta):
    __name__ = "account.invoice.line"

    hourstream_charges = fields.One2Many("hourstream.charge", "line", "Charges")

    @classmethod
    def preprocess_values(cls, mode, values):
        """The account is the one of the product's accounting category."""
        values = super().preprocess_values(mode, values)
        if mode == "create" and values.get("hourstream_charges") and values.get("product"):
            with without_check_access(), Transaction().set_context(company=values["company"]):
                product = Pool().get("product.product")(values["product"])
                values.setdefault("account", product.account_revenue_used.id)
        return values

    @classmethod
    def copy(cls, lines, default=None):
        return super().copy(lines, default={"hourstream_charges": None, **(default or {})})
