"""An invoice as UN/CEFACT Cross Industry Invoice (CII) XML under EN 16931: the XML inside a Factur-X PDF.

It has the content of the UBL document in the other syntax of the standard. Amounts are those of the issued invoice; a
credit note turns their sign round.
"""

from collections.abc import Iterable
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

_UN = "urn:un:unece:uncefact:data:"
_NAMESPACES = {
    "xmlns:rsm": f"{_UN}standard:CrossIndustryInvoice:100",
    "xmlns:ram": f"{_UN}standard:ReusableAggregateBusinessInformationEntity:100",
    "xmlns:qdt": f"{_UN}standard:QualifiedDataType:100",
    "xmlns:udt": f"{_UN}standard:UnqualifiedDataType:100",
}
_DAY_FORMAT = "102"  # UNTDID 2379: CCYYMMDD


def render_cii(invoice: Invoice) -> bytes:
    """The document as UTF-8 XML. Raises IncompleteDocument."""
    require_complete(invoice)
    return _CiiDocument(invoice).xml()


class _CiiDocument(Document):
    """Builds one document, element by element in the order of the CII schema."""

    def xml(self) -> bytes:
        """The whole document, indented."""
        invoice = self._invoice
        root = Element("rsm:CrossIndustryInvoice", _NAMESPACES)
        guideline = _path(root, "rsm:ExchangedDocumentContext", "ram:GuidelineSpecifiedDocumentContextParameter")
        _text(guideline, "ID", "urn:cen.eu:en16931:2017")
        self._head(SubElement(root, "rsm:ExchangedDocument"))
        transaction = SubElement(root, "rsm:SupplyChainTradeTransaction")
        for line in invoice.lines:
            self._line(_path(transaction, "ram:IncludedSupplyChainTradeLineItem"), line)
        self._agreement(_path(transaction, "ram:ApplicableHeaderTradeAgreement"))
        # The schema demands a delivery, and the rules (PEPPOL-EN16931-R008) that it has content: the party.
        _text(
            _path(transaction, "ram:ApplicableHeaderTradeDelivery", "ram:ShipToTradeParty"), "Name", invoice.buyer.name
        )
        self._settlement(_path(transaction, "ram:ApplicableHeaderTradeSettlement"))
        indent(root)
        body: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
        return body + b"\n"

    def _head(self, head: Element) -> None:
        _text(head, "ID", self._invoice.invoice_id)
        _text(head, "TypeCode", CREDIT_NOTE_CODE if self._credit else INVOICE_CODE)
        _day(_path(head, "ram:IssueDateTime"), self._invoice.issue_date)
        if self._invoice.engagement_name:
            _text(_path(head, "ram:IncludedNote"), "Content", self._invoice.engagement_name)

    def _line(self, item: Element, line: InvoiceLine) -> None:
        about = _path(item, "ram:AssociatedDocumentLineDocument")
        _text(about, "LineID", str(line.line))
        if line.note:
            _text(_path(about, "ram:IncludedNote"), "Content", line.note)
        _text(_path(item, "ram:SpecifiedTradeProduct"), "Name", line.name)
        price = _path(item, "ram:SpecifiedLineTradeAgreement", "ram:NetPriceProductTradePrice")
        _text(price, "ChargeAmount", plain(line.price))
        delivery = _path(item, "ram:SpecifiedLineTradeDelivery")
        _text(delivery, "BilledQuantity", plain(self._sign * line.quantity)).set("unitCode", line.unit)
        settlement = _path(item, "ram:SpecifiedLineTradeSettlement")
        tax = _path(settlement, "ram:ApplicableTradeTax")
        _text(tax, "TypeCode", "VAT")
        _text(tax, "CategoryCode", line.tax_category)
        if line.tax_category != "O":
            _text(tax, "RateApplicablePercent", plain(line.tax_rate))
        _period(settlement, *month(line.period))
        self._amounts(settlement, "Line", [("LineTotalAmount", line.net)])

    def _agreement(self, agreement: Element) -> None:
        invoice = self._invoice
        if invoice.po_number:
            _text(agreement, "BuyerReference", invoice.po_number)
        self._party(_path(agreement, "ram:SellerTradeParty"), invoice.seller)
        self._party(_path(agreement, "ram:BuyerTradeParty"), invoice.buyer)
        if invoice.po_number:
            _text(_path(agreement, "ram:BuyerOrderReferencedDocument"), "IssuerAssignedID", invoice.po_number)
        if invoice.engagement_id:
            _text(_path(agreement, "ram:ContractReferencedDocument"), "IssuerAssignedID", invoice.engagement_id)

    def _party(self, party: Element, about: Party) -> None:
        _text(party, "ID", about.party_id)
        _text(party, "Name", about.name)
        if about.registration_id:
            _text(_path(party, "ram:SpecifiedLegalOrganization"), "ID", about.registration_id)
        address = _path(party, "ram:PostalTradeAddress")
        for tag, value in (("PostcodeCode", about.postcode), ("LineOne", about.street), ("CityName", about.city)):
            if value:
                _text(address, tag, value)
        _text(address, "CountryID", about.country or "")
        # BR-O-02: no VAT ids on a document of category O.
        if about.vat_id and not self._outside_scope:
            _text(_path(party, "ram:SpecifiedTaxRegistration"), "ID", about.vat_id).set("schemeID", "VA")

    def _settlement(self, settlement: Element) -> None:
        invoice = self._invoice
        _text(settlement, "InvoiceCurrencyCode", invoice.currency)
        for tax in invoice.taxes:
            self._tax(_path(settlement, "ram:ApplicableTradeTax"), tax)
        _period(settlement, *months(invoice))
        terms = _path(settlement, "ram:SpecifiedTradePaymentTerms")
        _text(terms, "Description", payment_terms(invoice))
        if invoice.due_date and not self._credit:
            _day(_path(terms, "ram:DueDateDateTime"), invoice.due_date)
        self._totals(settlement)
        for number, issued in invoice.credits:
            reference = _path(settlement, "ram:InvoiceReferencedDocument")
            _text(reference, "IssuerAssignedID", number)
            _day(_path(reference, "ram:FormattedIssueDateTime"), issued, "qdt")

    def _tax(self, element: Element, tax: TaxTotal) -> None:
        why = exemption(tax.category, self._invoice.tax_reason)
        self._amount(element, "CalculatedAmount", tax.amount)
        _text(element, "TypeCode", "VAT")
        if why:
            _text(element, "ExemptionReason", why[1])
        self._amount(element, "BasisAmount", tax.base)
        _text(element, "CategoryCode", tax.category)
        if why and why[0]:
            _text(element, "ExemptionReasonCode", why[0])
        if tax.category != "O":
            _text(element, "RateApplicablePercent", plain(tax.rate))

    def _totals(self, settlement: Element) -> None:
        invoice = self._invoice
        amounts = [
            ("LineTotalAmount", invoice.net),
            ("TaxBasisTotalAmount", invoice.net),
            ("TaxTotalAmount", invoice.tax),
            ("RoundingAmount", invoice.rounding),
            ("GrandTotalAmount", invoice.net + invoice.tax),
            ("DuePayableAmount", invoice.payable),
        ]
        self._amounts(settlement, "Header", [pair for pair in amounts if pair[1] or pair[0] != "RoundingAmount"])

    def _amounts(self, parent: Element, level: str, amounts: Iterable[tuple[str, Decimal]]) -> None:
        summation = _path(parent, f"ram:SpecifiedTradeSettlement{level}MonetarySummation")
        for tag, amount in amounts:
            self._amount(summation, tag, amount)

    def _amount(self, parent: Element, tag: str, amount: Decimal) -> None:
        currency = self._invoice.currency
        element = _text(parent, tag, amount_text(-amount if self._credit and amount else amount, currency))
        if tag == "TaxTotalAmount":  # the one amount that CII has in two currencies
            element.set("currencyID", currency)


def _path(parent: Element, *tags: str) -> Element:
    for tag in tags:
        parent = SubElement(parent, tag)
    return parent


def _text(parent: Element, tag: str, text: str) -> Element:
    element = SubElement(parent, f"ram:{tag}")
    element.text = xml_text(text)
    return element


def _day(parent: Element, day: date, namespace: str = "udt") -> None:
    element = SubElement(parent, f"{namespace}:DateTimeString", {"format": _DAY_FORMAT})
    element.text = day.strftime("%Y%m%d")


def _period(parent: Element, first: date, last: date) -> None:
    period = _path(parent, "ram:BillingSpecifiedPeriod")
    _day(_path(period, "ram:StartDateTime"), first)
    _day(_path(period, "ram:EndDateTime"), last)
