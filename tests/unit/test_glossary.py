"""The documents: every link leads to a file, and every term of the glossary to a name that its file defines."""

import ast
import re
from pathlib import Path

import pytest

from settings import CHECKOUT

DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"), CHECKOUT / "benchmarks" / "README.md"])
_TERM = re.compile(r"\| \[`(\w+)`\]\((\S+?)\) \|$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_ROWS = re.compile(r"^\| (?!term |---)", re.MULTILINE)
GLOSSARY = CHECKOUT / "docs" / "glossary.md"
TERMS = _TERM.findall(GLOSSARY.read_text(encoding="utf-8"))


def defined_names(module: Path) -> set[str]:
    """Names of the functions and classes at the top level of a module."""
    defined = ast.parse(module.read_text(encoding="utf-8")).body
    return {node.name for node in defined if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def test_every_row_of_the_glossary_links_a_name() -> None:
    assert len(TERMS) == len(_ROWS.findall(GLOSSARY.read_text(encoding="utf-8"))) > 60


@pytest.mark.parametrize(("name", "target"), TERMS)
def test_a_term_links_to_a_name_that_its_file_defines(name: str, target: str) -> None:
    file = GLOSSARY.parent / target
    if file.suffix == ".py":
        assert name in defined_names(file)
    else:
        assert name in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.relative_to(CHECKOUT).as_posix())
def test_the_links_of_a_document_lead_to_files(document: Path) -> None:
    links = [link.partition("#")[0] for link in _LINK.findall(document.read_text(encoding="utf-8"))]
    here = {link for link in links if link and not link.startswith(("http:", "https:", "mailto:"))}
    assert [link for link in sorted(here) if not (document.parent / link).exists()] == []
