"""An invoice as UBL 2.1 XML under EN 16931: Invoice (380) or CreditNote (381).

Amounts are those of the issued invoice; a credit note turns their sign round, because both kinds of document speak in
positive amounts. Comments name the business terms (BT) and rules (BR) of EN 16931.
"""

from datetime import date
from decimal import Decimal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from common.decimals import plain
from invoicing.document import Invoice, InvoiceLine
from invoicing.formats.en16931 import (
    CREDIT_NOTE_CODE,
    INVOICE_CODE,
    Document,
    amount_text,
    exemption,
    month,
    months,
    payment_terms,
    require_complete,
    xml_text,
)
from invoicing.parties import Party
from invoicing.tax_totals import TaxTotal

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_CBC = f"{_UBL}CommonBasicComponents-2"
_CAC = f"{_UBL}CommonAggregateComponents-2"


def render(invoice: Invoice) -> bytes:
    """The document as UTF-8 XML. Raises IncompleteDocument."""
    require_complete(invoice)
    return _UblDocument(invoice).xml()


class _UblDocument(Document):
    """Builds one document, element by element in the order of the UBL schema."""

    def xml(self) -> bytes:
        """The whole document, indented."""
        kind = "CreditNote" if self._credit else "Invoice"
        root = Element(kind, {"xmlns": f"{_UBL}{kind}-2", "xmlns:cac": _CAC, "xmlns:cbc": _CBC})
        self._head(root)
        self._references(root)
        self._party(root, "AccountingSupplierParty", self._invoice.seller)
        self._party(root, "AccountingCustomerParty", self._invoice.buyer)
        self._terms(root)
        self._tax(root)
        self._totals(root)
        for line in self._invoice.lines:
            self._line(root, line)
        indent(root)
        body: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
        return body + b"\n"

    def _head(self, root: Element) -> None:
        invoice = self._invoice
        _text(root, "CustomizationID", "urn:cen.eu:en16931:2017")
        _text(root, "ID", invoice.invoice_id)
        _text(root, "IssueDate", invoice.issue_date.isoformat())
        if self._credit:
            _text(root, "CreditNoteTypeCode", CREDIT_NOTE_CODE)
        else:
            if invoice.due_date:
                _text(root, "DueDate", invoice.due_date.isoformat())
            _text(root, "InvoiceTypeCode", INVOICE_CODE)
        if invoice.engagement_name:
            _text(root, "Note", invoice.engagement_name)
        _text(root, "DocumentCurrencyCode", invoice.currency)
        if invoice.po_number:
            _text(root, "BuyerReference", invoice.po_number)
        _period(root, *months(invoice))

    def _references(self, root: Element) -> None:
        if self._invoice.po_number:
            _text(_group(root, "OrderReference"), "ID", self._invoice.po_number)
        for number, issued in self._invoice.credits:
            reference = _group(_group(root, "BillingReference"), "InvoiceDocumentReference")
            _text(reference, "ID", number)
            _text(reference, "IssueDate", issued.isoformat())
        if self._invoice.engagement_id:
            _text(_group(root, "ContractDocumentReference"), "ID", self._invoice.engagement_id)

    def _party(self, root: Element, role: str, about: Party) -> None:
        party = _group(_group(root, role), "Party")
        # BR-CO-26: a seller is identified by something, also without a registration or a VAT id.
        _text(_group(party, "PartyIdentification"), "ID", about.party_id)
        _text(_group(party, "PartyName"), "Name", about.name)
        address = _group(party, "PostalAddress")
        for tag, value in (("StreetName", about.street), ("CityName", about.city), ("PostalZone", about.postcode)):
            if value:
                _text(address, tag, value)
        _text(_group(address, "Country"), "IdentificationCode", about.country or "")
        # BR-O-02: no VAT ids on a document of category O.
        if about.vat_id and not self._outside_scope:
            scheme = _group(party, "PartyTaxScheme")
            _text(scheme, "CompanyID", about.vat_id)
            _text(_group(scheme, "TaxScheme"), "ID", "VAT")
        legal = _group(party, "PartyLegalEntity")
        _text(legal, "RegistrationName", about.name)
        if about.registration_id:
            _text(legal, "CompanyID", about.registration_id)

    def _terms(self, root: Element) -> None:
        _text(_group(root, "PaymentTerms"), "Note", payment_terms(self._invoice))

    def _tax(self, root: Element) -> None:
        total = _group(root, "TaxTotal")
        self._amount(total, "TaxAmount", self._invoice.tax)
        for tax in self._invoice.taxes:
            subtotal = _group(total, "TaxSubtotal")
            self._amount(subtotal, "TaxableAmount", tax.base)
            self._amount(subtotal, "TaxAmount", tax.amount)
            self._tax_category(subtotal, tax)

    def _tax_category(self, subtotal: Element, tax: TaxTotal) -> None:
        category = _group(subtotal, "TaxCategory")
        _text(category, "ID", tax.category)
        # BR-O-05: outside the scope of VAT there is no rate, not even 0.
        if tax.category != "O":
            _text(category, "Percent", plain(tax.rate))
        if why := exemption(tax.category, self._invoice.tax_reason):
            code, reason = why
            if code:
                _text(category, "TaxExemptionReasonCode", code)
            _text(category, "TaxExemptionReason", reason)
        _text(_group(category, "TaxScheme"), "ID", "VAT")

    def _totals(self, root: Element) -> None:
        invoice = self._invoice
        totals = _group(root, "LegalMonetaryTotal")
        self._amount(totals, "LineExtensionAmount", invoice.net)
        self._amount(totals, "TaxExclusiveAmount", invoice.net)
        self._amount(totals, "TaxInclusiveAmount", invoice.net + invoice.tax)
        if invoice.rounding:
            self._amount(totals, "PayableRoundingAmount", invoice.rounding)
        self._amount(totals, "PayableAmount", invoice.payable)

    def _line(self, root: Element, line: InvoiceLine) -> None:
        element = _group(root, "CreditNoteLine" if self._credit else "InvoiceLine")
        _text(element, "ID", str(line.line))
        if line.note:
            _text(element, "Note", line.note)
        quantity = _text(
            element, "CreditedQuantity" if self._credit else "InvoicedQuantity", plain(self._sign * line.quantity)
        )
        quantity.set("unitCode", line.unit)
        self._amount(element, "LineExtensionAmount", line.net)
        _period(element, *month(line.period))
        item = _group(element, "Item")
        _text(item, "Name", line.name)
        category = _group(item, "ClassifiedTaxCategory")
        _text(category, "ID", line.tax_category)
        if line.tax_category != "O":
            _text(category, "Percent", plain(line.tax_rate))
        _text(_group(category, "TaxScheme"), "ID", "VAT")
        price = _text(_group(element, "Price"), "PriceAmount", plain(line.price))
        price.set("currencyID", self._invoice.currency)

    def _amount(self, parent: Element, tag: str, amount: Decimal) -> None:
        currency = self._invoice.currency
        signed = -amount if self._credit and amount else amount
        _text(parent, tag, amount_text(signed, currency)).set("currencyID", currency)


def _group(parent: Element, tag: str) -> Element:
    return SubElement(parent, f"cac:{tag}")


def _text(parent: Element, tag: str, text: str) -> Element:
    element = SubElement(parent, f"cbc:{tag}")
    element.text = xml_text(text)
    return element


def _period(parent: Element, first: date, last: date) -> None:
    """BG-14 of the document, BG-26 of a line."""
    period = _group(parent, "InvoicePeriod")
    _text(period, "StartDate", first.isoformat())
    _text(period, "EndDate", last.isoformat())
