"""Whether a document may be issued: it is held to the official rules before it gets a number (DOMAIN.md §4.7)."""

from common.errors import SinkError
from invoicing.document import Invoice
from invoicing.formats.en16931 import IncompleteDocument, outside_standard
from invoicing.formats.ubl import render

# A document is validated before it has a number. The number is free text (BT-1), so no rule depends on which it is.
UNNUMBERED = "DRAFT"


class InvalidDocument(SinkError):
    """A document breaks the rules of EN 16931; the message names each rule, or what is missing."""


def require_valid(invoice: Invoice) -> None:
    """Raises InvalidDocument for a document that breaks the rules. One that they do not apply to passes."""
    from invoicing.formats.schematron import validate  # a second to load, which other commands need not pay

    if outside_standard(invoice):
        return
    try:
        xml = render(invoice)
    except IncompleteDocument as error:
        raise InvalidDocument(str(error).removeprefix(f"{invoice.invoice_id}: ")) from error
    if broken := validate(xml):
        raise InvalidDocument("; ".join(f"{each.rule} at {each.location}: {each.text}" for each in broken))
