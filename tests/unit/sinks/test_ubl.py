"""The UBL document: what EN 16931 demands of each tax category, and amounts as the invoice has them."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from xml.etree.ElementTree import Element, fromstring

import pytest

from invoicing.document import Invoice
from invoicing.formats.en16931 import IncompleteDocument
from invoicing.formats.ubl import render
from invoicing.parties import Party
from tests.unit.sinks.documents import invoice

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
NAMES = {"cbc": f"{_UBL}CommonBasicComponents-2", "cac": f"{_UBL}CommonAggregateComponents-2"}


def rendered(document: Invoice) -> Element:
    """The root of its XML."""
    return fromstring(render(document))  # noqa: S314 - a document of our own


def texts(root: Element, path: str) -> list[str]:
    """The texts at a path of cbc and cac names."""
    return [element.text or "" for element in root.findall(path, NAMES)]


def test_an_invoice_says_its_amounts_dates_and_references() -> None:
    root = rendered(invoice())
    assert root.tag == f"{{{_UBL}Invoice-2}}Invoice"
    found = {path: texts(root, path) for path in ("cbc:ID", "cbc:IssueDate", "cbc:DueDate", "cbc:InvoiceTypeCode")}
    assert found == {
        "cbc:ID": ["LE-1-2025-00001"],
        "cbc:IssueDate": ["2025-04-01"],
        "cbc:DueDate": ["2025-05-01"],
        "cbc:InvoiceTypeCode": ["380"],
    }
    assert texts(root, "cbc:BuyerReference") == texts(root, "cac:OrderReference/cbc:ID") == ["PO-7"]
    totals = root.find("cac:LegalMonetaryTotal", NAMES)
    assert totals is not None
    assert [element.text for element in totals] == ["279.16", "279.16", "334.99", "334.99"]
    assert texts(root, "cac:InvoiceLine/cac:InvoicePeriod/cbc:StartDate") == ["2025-03-01"]
    assert texts(root, "cac:InvoiceLine/cac:InvoicePeriod/cbc:EndDate") == ["2025-03-31"]
    assert texts(root, "cac:PaymentTerms/cbc:Note") == ["Payable within 30 days"]


def test_a_credit_note_speaks_in_positive_amounts_and_names_what_it_credits() -> None:
    original = invoice()
    (line,), (tax,) = original.lines, original.taxes
    credit = replace(
        original,
        kind="credit_note",
        due_date=None,
        lines=(replace(line, net=-line.net, quantity=-line.quantity),),
        taxes=(replace(tax, base=-tax.base, amount=-tax.amount),),
        net=-original.net,
        tax=-original.tax,
        rounding=Decimal("0.01"),
        payable=Decimal("-334.98"),
        credits=(("LE-1-2025-00001", date(2025, 4, 1)),),
    )
    root = rendered(credit)
    assert root.tag == f"{{{_UBL}CreditNote-2}}CreditNote"
    assert texts(root, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID") == ["LE-1-2025-00001"]
    totals = root.find("cac:LegalMonetaryTotal", NAMES)
    assert totals is not None
    assert [element.text for element in totals] == ["279.16", "279.16", "334.99", "-0.01", "334.98"]
    assert texts(root, "cac:CreditNoteLine/cbc:CreditedQuantity") == ["2.7916"]
    assert texts(root, "cac:CreditNoteLine/cbc:LineExtensionAmount") == ["279.16"]


@pytest.mark.parametrize(
    ("category", "rate", "percent", "reason"),
    [
        ("S", "20", ["20"], []),
        ("Z", "0", ["0"], []),
        ("E", "0", ["0"], ["Exempt from VAT"]),
        ("AE", "0", ["0"], ["Reverse charge"]),
        ("O", "0", [], ["Not subject to VAT"]),
    ],
)
def test_each_category_says_what_it_must(category: str, rate: str, percent: list[str], reason: list[str]) -> None:
    root = rendered(invoice(category, rate, "55.83" if category == "S" else "0.00"))
    breakdown = "cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/"
    assert texts(root, breakdown + "cbc:ID") == [category]
    assert texts(root, breakdown + "cbc:Percent") == percent
    assert texts(root, breakdown + "cbc:TaxExemptionReason") == reason
    assert texts(root, "cac:InvoiceLine/cac:Item/cac:ClassifiedTaxCategory/cbc:Percent") == percent
    vat_ids = texts(root, ".//cac:PartyTaxScheme/cbc:CompanyID")
    assert vat_ids == ([] if category == "O" else ["ATU12345678", "DE123456789"])


def test_the_agreed_reason_takes_the_place_of_the_usual_one() -> None:
    root = rendered(invoice("E", "0", "0.00", tax_reason="Article 132"))
    assert texts(root, ".//cbc:TaxExemptionReason") == ["Article 132"]


def test_amounts_have_the_digits_of_their_currency() -> None:
    amounts = {"net": Decimal(279), "tax": Decimal(56), "payable": Decimal(335), "rounding": Decimal(0)}
    root = rendered(invoice(currency="JPY", taxes=(), **amounts))
    assert texts(root, "cac:LegalMonetaryTotal/cbc:PayableAmount") == ["335"]


def test_a_document_that_lacks_what_it_needs_says_what_and_where() -> None:
    nobody = invoice("AE", "0", "0.00", seller=Party("LE-1", "LE-1"), buyer=Party("C-1", "C-1"))
    with pytest.raises(IncompleteDocument) as refused:
        render(nobody)
    assert str(refused.value) == (
        "LE-1-2025-00001: the country of LE-1 is not known: publish it on master.legal-entities;"
        " the country of C-1 is not known: publish it on master.clients;"
        " LE-1 has no vat_id: publish it on master.legal-entities;"
        " C-1 has no vat_id, as reverse charge needs: publish it on master.clients"
    )
    assert render(invoice("O", "0", "0.00", seller=Party("18F", "18F", "US")))


def test_a_name_that_xml_cannot_hold_does_not_break_the_document() -> None:
    root = rendered(invoice(engagement_name="a\x00b\x1f & <c>"))
    assert texts(root, "cbc:Note") == ["a\ufffdb\ufffd & <c>"]
