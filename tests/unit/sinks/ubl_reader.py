"""Reads any UBL invoice or credit note, and says which of its totals our arithmetic would not have given."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from xml.etree.ElementTree import Element, fromstring

from invoicing.tax_totals import TaxKey, tax_totals

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
NAMES = {"cbc": f"{_UBL}CommonBasicComponents-2", "cac": f"{_UBL}CommonAggregateComponents-2"}


@dataclass(frozen=True)
class Amount:
    """A net amount under its tax category and rate; an allowance is below zero."""

    key: TaxKey
    net: Decimal


@dataclass(frozen=True)
class Document:
    """The amounts of a document, as it states them."""

    currency: str
    lines: tuple[Amount, ...]
    allowances: tuple[Amount, ...]
    charges: tuple[Amount, ...]
    taxes: dict[TaxKey, tuple[Decimal, Decimal]]
    tax: Decimal
    totals: dict[str, Decimal]

    def total(self, name: str) -> Decimal:
        """An amount of LegalMonetaryTotal, 0 where it is left out."""
        return self.totals.get(name, Decimal(0))


def read(xml: bytes) -> Document:
    """The document of UBL XML."""
    root = fromstring(xml)  # noqa: S314 - documents of this checkout
    (breakdown,) = (total for total in root.findall("cac:TaxTotal", NAMES) if total.find("cac:TaxSubtotal", NAMES))
    monetary = root.find("cac:LegalMonetaryTotal", NAMES)
    assert monetary is not None
    changes = root.findall("cac:AllowanceCharge", NAMES)
    return Document(
        currency=_text(root, "cbc:DocumentCurrencyCode"),
        lines=tuple(_lines(root)),
        allowances=tuple(_change(each, -1) for each in changes if _text(each, "cbc:ChargeIndicator") == "false"),
        charges=tuple(_change(each, 1) for each in changes if _text(each, "cbc:ChargeIndicator") == "true"),
        taxes={
            _key(each, "cac:TaxCategory"): (_number(each, "cbc:TaxableAmount"), _number(each, "cbc:TaxAmount"))
            for each in breakdown.findall("cac:TaxSubtotal", NAMES)
        },
        tax=_number(breakdown, "cbc:TaxAmount"),
        totals={each.tag.partition("}")[2]: Decimal(each.text or "") for each in monetary},
    )


def broken(document: Document) -> list[str]:
    """The rules of EN 16931 on totals that do not hold to the last digit."""
    nets = [(each.key, each.net) for each in (*document.lines, *document.allowances, *document.charges)]
    taxes = tax_totals(nets, document.currency)
    lines, allowances, charges = (
        sum((each.net for each in group), Decimal(0))
        for group in (document.lines, document.allowances, document.charges)
    )
    net, tax = lines + allowances + charges, sum((each.amount for each in taxes), Decimal(0))
    holds = {
        "BR-CO-10": document.total("LineExtensionAmount") == lines,
        "BR-CO-11": document.total("AllowanceTotalAmount") == -allowances,
        "BR-CO-12": document.total("ChargeTotalAmount") == charges,
        "BR-CO-13": document.total("TaxExclusiveAmount") == net,
        "BR-CO-14": document.tax == tax,
        "BR-CO-15": document.total("TaxInclusiveAmount") == net + tax,
        "BR-CO-16": document.total("PayableAmount")
        == net + tax - document.total("PrepaidAmount") + document.total("PayableRoundingAmount"),
        "BR-CO-17": document.taxes == {(each.category, each.rate): (each.base, each.amount) for each in taxes},
    }
    return [rule for rule, held in holds.items() if not held]


def _lines(root: Element) -> Iterator[Amount]:
    for line in (*root.findall("cac:InvoiceLine", NAMES), *root.findall("cac:CreditNoteLine", NAMES)):
        yield Amount(_key(line, "cac:Item/cac:ClassifiedTaxCategory"), _number(line, "cbc:LineExtensionAmount"))


def _change(element: Element, sign: int) -> Amount:
    return Amount(_key(element, "cac:TaxCategory"), sign * _number(element, "cbc:Amount"))


def _key(element: Element, path: str) -> TaxKey:
    rate = element.findtext(f"{path}/cbc:Percent", "0", NAMES)
    return _text(element, f"{path}/cbc:ID"), Decimal(rate)


def _number(element: Element, path: str) -> Decimal:
    return Decimal(_text(element, path))


def _text(element: Element, path: str) -> str:
    return element.findtext(path, "", NAMES).strip()
