"""The readable form of an invoice: A4 pages with the content of the issued document.

Amounts have all the digits of their currency. A credit note turns their sign round, as its XML does.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from importlib.resources import as_file, files
from io import BytesIO
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from common.decimals import plain
from invoicing.document import Invoice, InvoiceLine
from invoicing.draft import HOUR
from invoicing.formats.en16931 import exemption, months, outside_scope, payment_terms, xml_text
from invoicing.parties import Party
from invoicing.tax_totals import TaxTotal
from rating.model.money import minor_units

TITLES = {"invoice": "Invoice", "credit_note": "Credit note"}
_REGULAR, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
_MARGIN = 18 * mm
_FRAME_PADDING = 6  # points that a page's frame keeps free inside its margins
_WIDTH = A4[0] - 2 * _MARGIN
_GREY, _RULE = HexColor("#555555"), HexColor("#bbbbbb")
_UNITS = {HOUR: "h"}

_TEXT = ParagraphStyle("text", fontName=_REGULAR, fontSize=8.5, leading=11.5)
_STRONG = ParagraphStyle("strong", _TEXT, fontName=_BOLD)
_SMALL = ParagraphStyle("small", _TEXT, fontSize=7, leading=9.5, textColor=_GREY)
_LABEL = ParagraphStyle("label", _SMALL, leading=_TEXT.leading)
_NUMBER = ParagraphStyle("number", _TEXT, alignment=TA_RIGHT)
_STRONG_NUMBER = ParagraphStyle("strong number", _STRONG, alignment=TA_RIGHT)
_HEADING = ParagraphStyle("heading", _SMALL, alignment=TA_RIGHT)
_TITLE = ParagraphStyle("title", fontName=_BOLD, fontSize=16, leading=20)

_TABLE = [
    ("FONT", (0, 0), (-1, -1), _REGULAR),  # else Helvetica, which would not be inside
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
    ("TOPPADDING", (0, 0), (-1, -1), 2),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
]
_UNDER_HEADINGS = [("LINEBELOW", (0, 0), (-1, 0), 0.6, _GREY), ("LINEBELOW", (0, 1), (-1, -1), 0.3, _RULE)]
# Heading and width in mm of each column of the lines; they fill the page.
_LINE_COLUMNS = (
    ("", 7),
    ("Description", 63),
    ("Period", 16),
    ("Quantity", 24),
    ("Price", 24),
    ("VAT", 14),
    ("Net", 26),
)


def draw(invoice: Invoice) -> bytes:
    """The pages as a PDF with its fonts inside, without XML."""
    for font in (_REGULAR, _BOLD):
        _font(font)
    out = BytesIO()
    title = _drawable(f"{TITLES[invoice.kind]} {invoice.invoice_id}", _REGULAR)
    template = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=_MARGIN - _FRAME_PADDING,
        rightMargin=_MARGIN - _FRAME_PADDING,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN + 4 * mm,
        title=title,
        author=xml_text(invoice.seller.name),
        lang="en",
        initialFontName=_REGULAR,
    )

    def footer(canvas: Canvas, _: SimpleDocTemplate) -> None:
        canvas.setFont(_REGULAR, _SMALL.fontSize)
        canvas.setFillColor(_GREY)
        canvas.drawString(_MARGIN, _MARGIN, title)
        canvas.drawRightString(A4[0] - _MARGIN, _MARGIN, f"Page {canvas.getPageNumber()}")

    template.build(list(_Page(invoice).story(title)), onFirstPage=footer, onLaterPages=footer)
    return out.getvalue()


@cache
def _font(name: str) -> TTFont:
    with as_file(files("invoicing.formats") / "fonts" / f"{name}.ttf") as path:
        font = TTFont(name, str(path))
    registerFont(font)
    return font


class _Page:
    """Lays out one document, from top to bottom."""

    def __init__(self, invoice: Invoice) -> None:
        self._invoice = invoice
        self._sign = -1 if invoice.kind == "credit_note" else 1

    def story(self, title: str) -> Iterator[Flowable]:
        """Everything on it."""
        yield _paragraph(title, _TITLE)
        if self._invoice.engagement_name:
            yield _paragraph(self._invoice.engagement_name, _TEXT)
        yield Spacer(0, 6 * mm)
        yield self._heads()
        if credits := ", ".join(f"{number} of {issued}" for number, issued in self._invoice.credits):
            yield Spacer(0, 3 * mm)
            yield _paragraph(f"Credits {credits}", _TEXT)
        yield Spacer(0, 8 * mm)
        yield self._lines()
        yield Spacer(0, 6 * mm)
        yield KeepTogether([self._taxes(), Spacer(0, 5 * mm), self._totals(), *self._terms()])

    def _heads(self) -> Table:
        columns = [self._party("From", self._invoice.seller), self._party("To", self._invoice.buyer), self._facts()]
        widths = [_WIDTH * share for share in (0.32, 0.32, 0.36)]
        return Table([columns], colWidths=widths, style=_TABLE, splitInRow=1)

    def _party(self, role: str, party: Party) -> list[Flowable]:
        place = " ".join(part for part in (party.postcode, party.city) if part)
        ids = [
            f"VAT {party.vat_id}" if party.vat_id and not outside_scope(self._invoice) else None,
            f"Reg. {party.registration_id}" if party.registration_id else None,
        ]
        texts = [party.street, place, party.country, *ids]
        return [
            _paragraph(role, _LABEL),
            _paragraph(party.name, _STRONG),
            *(_paragraph(text, _TEXT) for text in texts if text),
        ]

    def _facts(self) -> Table:
        invoice = self._invoice
        first, last = months(invoice)
        facts = {
            "Issued": str(invoice.issue_date),
            "Due": str(invoice.due_date) if invoice.due_date else None,
            "Period": f"{first} – {last}",
            "Engagement": invoice.engagement_id,
            "Your order": invoice.po_number,
        }
        rows = [[_paragraph(name, _LABEL), _paragraph(value, _TEXT)] for name, value in facts.items() if value]
        return Table(rows, colWidths=[21 * mm, _WIDTH * 0.36 - 21 * mm], style=_TABLE)

    def _lines(self) -> Table:
        names = [name for name, _ in _LINE_COLUMNS]
        heading = [_paragraph(name, _SMALL if name in ("Description", "Period") else _HEADING) for name in names]
        return Table(
            [heading, *(self._line(line) for line in self._invoice.lines)],
            colWidths=[width * mm for _, width in _LINE_COLUMNS],
            style=[*_TABLE, *_UNDER_HEADINGS],
            repeatRows=1,
            splitInRow=1,
        )

    def _line(self, line: InvoiceLine) -> list[Flowable | list[Flowable]]:
        said: list[Flowable] = [_paragraph(line.name, _TEXT)]
        if line.note:
            said.append(_paragraph(line.note, _SMALL))
        quantity = f"{self._sign * line.quantity.normalize():,f} {_UNITS.get(line.unit, '')}".strip()
        vat = f"{plain(line.tax_rate)} %" if line.tax_category == "S" else line.tax_category
        return [
            _paragraph(str(line.line), _TEXT),
            said,
            _paragraph(line.period, _TEXT),
            *(_paragraph(text, _NUMBER) for text in (quantity, self._price(line.price), vat, self._amount(line.net))),
        ]

    def _taxes(self) -> Table:
        currency = self._invoice.currency
        heading = [_paragraph("VAT", _SMALL), *(_paragraph(f"{n} {currency}", _HEADING) for n in ("Net", "Tax"))]
        rows = [self._tax(tax) for tax in self._invoice.taxes]
        widths = [_WIDTH - 60 * mm, 30 * mm, 30 * mm]
        return Table([heading, *rows], colWidths=widths, style=[*_TABLE, *_UNDER_HEADINGS])

    def _tax(self, tax: TaxTotal) -> list[Flowable]:
        why = exemption(tax.category, self._invoice.tax_reason)
        said = f"{tax.category}: {why[1]}" if why else f"{tax.category}: {plain(tax.rate)} %"
        amounts = (self._amount(tax.base), self._amount(tax.amount))
        return [_paragraph(said, _TEXT), *(_paragraph(text, _NUMBER) for text in amounts)]

    def _totals(self) -> Table:
        invoice = self._invoice
        rows = [("Net", invoice.net), ("VAT", invoice.tax), ("Total", invoice.net + invoice.tax)]
        if invoice.rounding:
            rows.append(("Rounding", invoice.rounding))
        cells = [[_paragraph(name, _TEXT), _paragraph(self._amount(amount), _NUMBER)] for name, amount in rows]
        payable = f"{self._amount(invoice.payable)} {invoice.currency}"
        due = "To be credited" if invoice.kind == "credit_note" else "Amount due"
        cells.append([_paragraph(due, _STRONG), _paragraph(payable, _STRONG_NUMBER)])
        above_due = ("LINEABOVE", (0, -1), (-1, -1), 0.6, _GREY)
        return Table(cells, colWidths=[40 * mm, 45 * mm], hAlign="RIGHT", style=[*_TABLE, above_due])

    def _terms(self) -> Sequence[Flowable]:
        return [Spacer(0, 6 * mm), _paragraph(payment_terms(self._invoice), _TEXT)]

    def _amount(self, amount: Decimal) -> str:
        return f"{self._sign * amount if amount else amount:,.{minor_units(self._invoice.currency)}f}"

    def _price(self, price: Decimal) -> str:
        digits = max(minor_units(self._invoice.currency), len(plain(price).partition(".")[2]))
        return f"{price:,.{digits}f}"


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(_drawable(text, style.fontName)), style)


def _drawable(text: str, font: str) -> str:
    """Text with a replacement sign for characters that the font lacks: PDF/A forbids empty glyphs."""
    glyphs = _font(font).face.charToGlyph
    return "".join(c if ord(c) in glyphs else "\ufffd" for c in " ".join(text.split()))
