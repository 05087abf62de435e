"""The official examples of EN 16931: our arithmetic gives their totals, and our use of the rules finds no fault."""

from pathlib import Path

import pytest

from invoicing.formats.schematron import validate
from tests.unit.sinks.ubl_reader import broken, read

FOLDER = Path(__file__).parents[2] / "data" / "en16931"
EXAMPLES = sorted(path for path in FOLDER.iterdir() if path.suffix.lower() == ".xml")


def test_all_six_are_there() -> None:
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_their_totals_are_ours_to_the_cent(path: Path) -> None:
    document = read(path.read_bytes())
    assert document.lines
    assert broken(document) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_they_pass_the_official_rules(path: Path) -> None:
    assert validate(path.read_bytes()) == []


@pytest.mark.parametrize(
    ("right", "wrong", "rules"),
    [
        (b">2005.00</cbc:PayableAmount>", b">2005.01</cbc:PayableAmount>", {"BR-CO-16"}),
        (b"<cbc:IssueDate>", b"<cbc:IssueDate>the ", {"XSD"}),
        (b"<cbc:ID>S</cbc:ID>", b"<cbc:ID>Q</cbc:ID>", {"BR-CL-17"}),
    ],
)
def test_a_wrong_one_is_told_by_rule_and_place(right: bytes, wrong: bytes, rules: set[str]) -> None:
    xml = (FOLDER / "ubl-tc434-example3.xml").read_bytes()
    assert right in xml
    failed = validate(xml.replace(right, wrong))
    assert rules <= {each.rule for each in failed}, failed
    assert all(each.location and each.text for each in failed)


def test_a_cent_that_the_official_rules_let_pass_is_found_by_us() -> None:
    xml = (FOLDER / "ubl-tc434-example3.xml").read_bytes()
    for right, wrong in ((b">225.00<", b">225.01<"), (b">305.00<", b">305.01<"), (b">2005.00<", b">2005.01<")):
        xml = xml.replace(right, wrong)
    assert validate(xml) == []
    assert broken(read(xml)) == ["BR-CO-14", "BR-CO-15", "BR-CO-16", "BR-CO-17"]


@pytest.mark.parametrize("xml", [b"", b"no XML", b"<order/>"])
def test_what_is_no_document_of_the_standard_is_refused(xml: bytes) -> None:
    with pytest.raises(ValueError, match=r"not XML|no document of EN 16931"):
        validate(xml)
