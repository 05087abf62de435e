"""The requirements of EN 16931 on a document in any syntax, and the reasons that prevent writing one.

Comments name the business terms (BT) and rules (BR) of EN 16931.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from common.decimals import plain
from common.errors import SinkError
from invoicing.document import Invoice
from rating.model.money import minor_units
from rating.vat_ids import EU_COUNTRIES

INVOICE_CODE = "380"
CREDIT_NOTE_CODE = "381"
_AMOUNT_DIGITS = 2  # BR-DEC-01 and the like, whatever the currency
# Categories whose breakdown must state the exemption reason (BR-AE-10, BR-E-10, BR-O-10): VATEX code if any, and text.
_EXEMPTIONS = {
    "AE": ("VATEX-EU-AE", "Reverse charge"),
    "E": (None, "Exempt from VAT"),
    "O": ("VATEX-EU-O", "Not subject to VAT"),
}
_CATEGORIES = ("S", "Z", *_EXEMPTIONS)
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class IncompleteDocument(SinkError):
    """EN 16931 cannot say this invoice; the message names each gap and, for a missing master, its topic."""


def require_complete(invoice: Invoice) -> None:
    """Raises IncompleteDocument for an invoice that cannot be a document of EN 16931."""
    gaps = [*_missing_masters(invoice), *_contradictory_taxes(invoice), *_amounts_too_fine(invoice)]
    if gaps:
        raise IncompleteDocument(f"{invoice.invoice_id}: " + "; ".join(gaps))


def outside_standard(invoice: Invoice) -> str | None:
    """Why EN 16931 does not apply to a document that is right by itself; None where it does.

    Its amounts have two decimals (BR-DEC). Its taxes are VAT, and its seller has a VAT id (BR-S-02 and the like): a
    seller elsewhere than in the EU may have neither.
    """
    if fine := next(_amounts_too_fine(invoice), None):
        return fine
    seller = invoice.seller
    is_elsewhere = seller.country is not None and seller.country not in EU_COUNTRIES
    if is_elsewhere and not seller.vat_id and not outside_scope(invoice) and not any(_contradictory_taxes(invoice)):
        return f"{seller.party_id} is in {seller.country} and has no vat_id"
    return None


def amount_text(amount: Decimal, currency: str) -> str:
    """An amount with the digits of its currency, two at most: `335` JPY, `334.99` EUR, `1.50` KWD."""
    return f"{amount:.{min(minor_units(currency), _AMOUNT_DIGITS)}f}"


def exemption(category: str, agreed: str | None) -> tuple[str | None, str] | None:
    """VATEX code and text of a tax exemption, the agreed text before ours; None for S and Z."""
    if category not in _EXEMPTIONS:
        return None
    code, usual = _EXEMPTIONS[category]
    return code, agreed or usual


def outside_scope(invoice: Invoice) -> bool:
    """Whether the document is under category O, and so names no VAT ids (BR-O-02)."""
    return any(tax.category == "O" for tax in invoice.taxes)


def payment_terms(invoice: Invoice) -> str:
    """The due date (BT-20); BR-CO-25: an amount due needs a due date or terms."""
    if invoice.kind == "credit_note":
        return "To be set off against open invoices, else paid out"
    if invoice.due_date:
        return f"Payable within {(invoice.due_date - invoice.issue_date).days} days"
    return "Payable on receipt"


def months(invoice: Invoice) -> tuple[date, date]:
    """First and last day of the calendar months that the lines are of (BG-14)."""
    periods = sorted(line.period for line in invoice.lines)
    return month(periods[0])[0], month(periods[-1])[1]


def month(period: str) -> tuple[date, date]:
    """First and last day of a calendar month (YYYY-MM)."""
    first = date.fromisoformat(f"{period}-01")
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def xml_text(text: str) -> str:
    """Text with what XML cannot hold replaced."""
    return _NOT_IN_XML.sub("\ufffd", text)


def _missing_masters(invoice: Invoice) -> Iterator[str]:
    """Countries always, VAT ids under every category but O."""
    seller, buyer = invoice.seller, invoice.buyer
    if not seller.country:
        yield f"the country of {seller.party_id} is not known: publish it on master.legal-entities"
    if not buyer.country:
        yield f"the country of {buyer.party_id} is not known: publish it on master.clients"
    categories = {tax.category for tax in invoice.taxes}
    if categories - {"O"} and not seller.vat_id:
        yield f"{seller.party_id} has no vat_id: publish it on master.legal-entities"
    if "AE" in categories and not buyer.vat_id:
        yield f"{buyer.party_id} has no vat_id, as reverse charge needs: publish it on master.clients"


def _contradictory_taxes(invoice: Invoice) -> Iterator[str]:
    """A category of its own making, or one with a rate it cannot have (BR-S-05, BR-Z-05, BR-AE-05, BR-E-05)."""
    for tax in invoice.taxes:
        if tax.category not in _CATEGORIES:
            yield f"tax category {tax.category} is none of {', '.join(_CATEGORIES)}"
        elif (tax.category == "S") != (tax.rate > 0):
            yield f"tax category {tax.category} cannot have a rate of {plain(tax.rate)} %"


def _amounts_too_fine(invoice: Invoice) -> Iterator[str]:
    """Amounts that two decimals cannot hold; rounding them would separate the totals from the amount due."""
    amounts = {invoice.net, invoice.tax, invoice.rounding, invoice.payable, *(line.net for line in invoice.lines)}
    for tax in invoice.taxes:
        amounts |= {tax.base, tax.amount}
    if fine := sorted(amount for amount in amounts if amount != round(amount, _AMOUNT_DIGITS)):
        yield (
            f"{plain(fine[-1])} {invoice.currency} has more than the two decimals that EN 16931 allows in an amount;"
            " the invoice stands, this client is to be billed on a document outside the standard"
        )


class Document:
    """An invoice on its way into a format: its sign, and whether value added tax applies to it at all."""

    def __init__(self, invoice: Invoice) -> None:
        self._invoice = invoice
        self._credit = invoice.kind == "credit_note"
        self._sign = -1 if self._credit else 1
        self._outside_scope = outside_scope(invoice)
