"""An invoice as a Factur-X PDF: pages for people, and the same invoice as CII XML inside for machines."""

from functools import cache
from io import BytesIO
from typing import Final

import facturx
from PIL import ImageCms
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, StreamObject, TextStringObject

from invoicing.document import Invoice
from invoicing.formats.cii import render_cii
from invoicing.formats.en16931 import xml_text
from invoicing.formats.pdf_layout import TITLES, draw

XML_NAME = "factur-x.xml"
_COLOURS: Final = "sRGB"


def render_pdf(invoice: Invoice) -> bytes:
    """The document as PDF/A-3, Factur-X profile EN 16931. Raises IncompleteDocument."""
    xml = render_cii(invoice)
    title = xml_text(f"{TITLES[invoice.kind]} {invoice.invoice_id}")
    made: bytes = facturx.generate_from_binary(
        _with_colours(draw(invoice)),
        xml,
        flavor="factur-x",
        level="en16931",
        check_xsd=False,  # official_rules.validate does that, and more
        pdf_metadata={
            "author": xml_text(invoice.seller.name),
            "title": title,
            "subject": title,
            "keywords": "Factur-X",
        },
        lang="en",
        afrelationship="alternative",  # the XML is the same invoice, not data beside it
    )
    return made


def _with_colours(pdf: bytes) -> bytes:
    """PDF/A says in the file itself what its colours mean."""
    writer = PdfWriter(clone_from=BytesIO(pdf))
    profile = StreamObject()
    profile.set_data(_colour_profile())
    profile[NameObject("/N")] = NumberObject(3)
    intent = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/OutputIntent"),
            NameObject("/S"): NameObject("/GTS_PDFA1"),
            NameObject("/OutputConditionIdentifier"): TextStringObject(_COLOURS),
            NameObject("/DestOutputProfile"): writer._add_object(profile.flate_encode()),
        }
    )
    writer.root_object[NameObject("/OutputIntents")] = ArrayObject([writer._add_object(intent)])
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


@cache
def _colour_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(_COLOURS)).tobytes()
