"""The PDF: people read the totals on it, machines find the same invoice inside it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO
from xml.etree.ElementTree import fromstring

import pytest
from pypdf import PdfReader

from invoicing.draft import DueCharge
from invoicing.formats.cii import render_cii
from invoicing.formats.en16931 import IncompleteDocument
from invoicing.formats.factur_x import XML_NAME, render_pdf
from invoicing.formats.pdf_layout import draw
from invoicing.formats.schematron import validate
from invoicing.parties import Party
from tests.unit.sinks.documents import due, invoice
from tests.unit.sinks.test_credits import FOUR, nets, taken_back
from tests.unit.sinks.test_official_rules import FIRST, documents


def text_of(pdf: bytes) -> str:
    """What a person reads on all its pages, with single spaces."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


def xml_of(pdf: bytes) -> bytes:
    """The XML inside."""
    (xml,) = PdfReader(BytesIO(pdf)).attachments[XML_NAME]
    return xml


def test_people_read_parties_dates_lines_tax_totals_and_terms() -> None:
    late = due("late", "1234.50", period="2025-02", labor_category="Principal", po_number="PO-7")
    (document,) = documents([*(replace(each, po_number="PO-7") for each in FOUR), late])
    text = text_of(render_pdf(document))
    for said in (
        "Invoice LE-1-2025-00001",
        "Seller Ltd Ring 1 1010 Wien AT VAT ATU12345678 Reg. FN 1",
        "Buyer GmbH Am Ring 1 53111 Bonn DE VAT DE123456789",
        "2025-02-01 – 2025-03-31",
        "Issued 2025-04-01 Due 2025-05-01",
        "Your order PO-7",
        "Principal, 100 EUR per hour 2025-02 1 h 1,234.50 20 % 1,234.50",
        "2025-03 4 h 69.79 20 % 279.16",
        "S: 20 % 1,513.66 302.73",
        "Total 1,816.39 Amount due 1,816.39 EUR",
        "Payable within 30 days",
    ):
        assert said in text, text


def test_machines_find_the_same_invoice_inside() -> None:
    (document,) = documents(FOUR)
    xml = xml_of(render_pdf(document))
    assert xml == render_cii(document)
    assert validate(xml) == []
    due_amounts = [element.text for element in fromstring(xml).iter() if element.tag.endswith("}DuePayableAmount")]  # noqa: S314 - our own
    assert due_amounts == ["334.99"]


def test_a_credit_note_speaks_in_positive_amounts_and_shows_its_rounding() -> None:
    (note,) = documents(taken_back(FOUR[0]), {FIRST: nets(FOUR)})
    text = text_of(render_pdf(note))
    assert "Credit note" in text
    assert "Credits LE-1-2025-00001 of 2025-04-01" in text
    assert "Net 68.33 VAT 13.67 Total 82.00 Rounding -0.01 To be credited 81.99 EUR" in text
    assert "credits time:0" in text


def test_a_long_invoice_repeats_its_headings_and_numbers_its_pages() -> None:
    (document,) = documents(due(str(n), "1.00", labor_category=f"Grade {n}") for n in range(120))
    pages = [page.extract_text() for page in PdfReader(BytesIO(render_pdf(document))).pages]
    assert len(pages) > 2
    assert all("Description" in page for page in pages[:-1])
    assert all(f"Page {number}" in page for number, page in enumerate(pages, start=1))


@pytest.mark.parametrize("text", ["<b>&amp;", "Żółć Ανώτερος Инженер", "x" * 3000, "a\x00b", "日本\u2003\U0001f600"])
def test_any_name_can_be_on_it(text: str) -> None:
    (line,) = invoice().lines
    named = Party("LE-1", text, "AT", vat_id="ATU12345678")
    document = invoice(engagement_name=text, seller=named, lines=(replace(line, name=text, note=text),))
    pdf = render_pdf(document)
    assert validate(xml_of(pdf)) == []


def test_a_credit_note_may_name_more_invoices_than_a_page_holds() -> None:
    credits = tuple((f"LE-1-2024-{n:05d}", date(2024, 6, 1)) for n in range(500))
    text = text_of(render_pdf(invoice(credits=credits)))
    assert all(f"{number} of 2024-06-01" in text for number, _ in credits)


def test_a_sign_that_the_font_lacks_has_one_in_its_place() -> None:
    text = text_of(render_pdf(invoice(engagement_name="京 Ω Ł")))
    assert "\ufffd Ω Ł" in text


def test_every_font_and_the_colours_are_inside_for_archives() -> None:
    reader = PdfReader(BytesIO(render_pdf(invoice())))
    fonts = reader.pages[0]["/Resources"]["/Font"]
    assert fonts
    assert all("/FontFile2" in fonts[name]["/FontDescriptor"] for name in fonts)
    assert reader.root_object["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
    assert b"pdfaid" in reader.root_object["/Metadata"].get_data()


def fine() -> Iterable[DueCharge]:
    """Dinars and fils, which two decimals do not hold."""
    return [due("a", "1100.235", currency="KWD")]


def test_what_the_standard_cannot_say_is_still_drawn_to_the_last_fils() -> None:
    (document,) = documents(fine())
    with pytest.raises(IncompleteDocument, match="two decimals"):
        render_pdf(document)
    assert "Net 1,100.235 VAT 220.047 Total 1,320.282 Amount due 1,320.282 KWD" in text_of(draw(document))
    assert document.payable == Decimal("1320.282")
