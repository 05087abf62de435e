"""The rules reference: it is current, no section is without a rule, no rule without a section, no code without both."""

import ast
import re
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from cli.main import main
from cli.rules import PAGE
from rating.exception_codes import CODES, REASONS
from settings import CHECKOUT
from tools.rules_reference.code import RATING, DocumentedRule, SourceTree
from tools.rules_reference.law import DESIGN, EXAMPLES, Section, cited, sections
from tools.rules_reference.page import page
from topics.catalogue import owners_of

_NO_CODES = {"ENTRY_ID", "CHARGE_ID", "CONSULTANT_ID"}
LAW = sections((CHECKOUT / "docs" / "DOMAIN.md").read_text(encoding="utf-8"))
DESIGNED = set(re.findall(r"^## (\d+)\.", (CHECKOUT / "docs" / "DESIGN.md").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(scope="module")
def code() -> SourceTree:
    """What is written."""
    return SourceTree(CHECKOUT)


@pytest.fixture(scope="module")
def rules(code: SourceTree) -> list[DocumentedRule]:
    """Every rule."""
    return code.rules()


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(CHECKOUT), "run `hourstream rules --write`"


def test_every_section_of_the_law_has_a_rule(rules: list[DocumentedRule]) -> None:
    assert len(LAW) == 32
    decided = {name for rule in rules for name in rule.sections}
    assert [name for name in LAW if name not in decided and name != EXAMPLES] == []


def test_every_rule_names_a_section_that_there_is(rules: list[DocumentedRule]) -> None:
    assert [f"{rule.file} {rule.function}" for rule in rules if not rule.sections or not rule.says] == []
    wrong = [
        f"{rule.file} {rule.function} names {name}"
        for rule in rules
        for name in rule.sections
        if name not in LAW and name.removeprefix(f"{DESIGN}§") not in DESIGNED
    ]
    assert wrong == []


def test_every_public_function_of_the_rules_is_a_rule(rules: list[DocumentedRule]) -> None:
    found = {(rule.file, rule.function) for rule in rules}
    assert [each for each in public_functions() if each not in found] == []


def public_functions() -> Iterator[tuple[str, str]]:
    for file in (CHECKOUT / RATING).glob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield f"{RATING}/{file.name}", node.name


def test_every_code_that_the_code_gives_is_known_and_every_known_one_is_given(code: SourceTree) -> None:
    assert len(code.given()) > 25
    assert sorted(set(code.given()) - CODES.keys()) == []
    assert [each for each in (*CODES, *REASONS) if not code.files_with(each)] == []


def test_every_code_stands_in_its_section_and_every_code_of_the_law_is_known() -> None:
    for code, each in CODES.items():
        assert owners_of(each.topics), code
        if not each.section.startswith(DESIGN):
            told = LAW[each.section].text if code != "ERP_REFUSED" else "`posting:CHARGE_ID`"
            assert f"`{code}`" in told or code == "ERP_REFUSED", f"{code} is not in {each.section}"
    assert [f"{reason} {name}" for reason, name in REASONS.items() if reason not in LAW[name].text] == []
    written = {word for section in LAW.values() for word in re.findall(r"`?\b([A-Z]+(?:_[A-Z0-9]+)+)\b", section.text)}
    assert sorted(written - CODES.keys() - REASONS.keys() - _NO_CODES) == []


def test_a_rule_of_billing_gives_its_codes_in_a_section_that_may(rules: list[DocumentedRule]) -> None:
    """Of every code of `billing/`, a rule that gives it says that it decides the code's section."""
    for code, each in CODES.items():
        givers = [rule for rule in rules if rule.file.startswith(f"{RATING}/") and code in rule.words]
        if givers:
            assert any(each.section in rule.sections for rule in givers), f"{code} of {each.section}: {givers}"


@pytest.mark.parametrize(
    ("docstring", "names"),
    [
        ("Rates (DOMAIN.md §2 rules 4 and 5).", ("§2 rule 4", "§2 rule 5")),
        ("In the order of DOMAIN.md §2 rules 2, 3 and 9.", ("§2 rule 2", "§2 rule 3", "§2 rule 9")),
        ("Billed together (DOMAIN.md §2 rules 2 to 4).", ("§2 rule 2", "§2 rule 3", "§2 rule 4")),
        ("Prices (DOMAIN §2, Expenses and Outcomes).", ("§2, Expenses", "§2, Outcomes")),
        ("Periods (DOMAIN.md, Conventions), and minutes (DOMAIN §5.1).", ("Conventions", "§5")),
        ("Routes (DESIGN.md §5).", ("DESIGN §5",)),
        ("Shares (DOMAIN.md §2 rules 8a and 8b, DOMAIN.md §1.4).", ("§2 rule 8", "§1")),
        ("Per diems (DOMAIN.md §2, E4 and F2).", ("§2, Expenses", "§2, Fees")),
        ("Codes (DOMAIN.md appendices A and B; DOMAIN.md, appendix C).", ("Appendix A", "Appendix B", "Appendix C")),
        ("The law (DOMAIN.md §2) in\ncode (DOMAIN.md\n§3).", ("§2", "§3")),
        ("Nothing of the kind: §2 alone is of no book.", ()),
    ],
)
def test_what_a_docstring_cites(docstring: str, names: tuple[str, ...]) -> None:
    assert cited(docstring) == names


def test_sections_are_read_with_their_titles_and_text() -> None:
    text = "# Law\n\n- x\n\n## 2. To a charge\n\n1. **Checks**: `A`\n   b\n\n### Fees\nc\n\n## 3. On\nd\n\n"
    text += "## Appendix A: codes\ne\n"
    assert list(sections(text).values()) == [
        Section("Conventions", "Ids, days, money, rounding", "# Law\n\n- x\n"),
        Section("§2", "To a charge", "## 2. To a charge\n"),
        Section("§2 rule 1", "Checks", "1. **Checks**: `A`\n   b\n"),
        Section("§2, Fees", "Fees", "### Fees\nc\n"),
        Section("§3", "On", "## 3. On\nd\n"),
        Section("Appendix A", "codes", "## Appendix A: codes\ne"),
    ]


def test_a_person_is_told_what_a_code_means() -> None:
    one = CliRunner().invoke(main, ["rules", "no_rate"])
    assert "§2 rule 5, ask finance" in one.output
    assert "a card gets a line that matches" in one.output
    assert CliRunner().invoke(main, ["rules"]).output.count(", ask ") == len(CODES)
    wrong = CliRunner().invoke(main, ["rules", "OVER_CAP"])
    assert wrong.exit_code == 1
    assert "is a reason of charges (§2 rule 11" in wrong.output
