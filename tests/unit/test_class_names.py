"""One word, one thing: a class name stands in two modules only for a reason that is written here."""

import ast
from collections import defaultdict

from settings import CHECKOUT
from tests.unit.test_rooms import ROOMS, TOP

MOST = 14
REASONS = {
    "Change": "of a firm's published data; of a fact in the engine",
    "Charge": "the answer of the API has the name of what it shows",
    "Checked": "a checked workbook; a mapping checked against its contracts",
    "Draft": "a document before it has a number; a record under construction from a workbook",
    "Engagement": "tools/verify_invoice.py imports nothing of ours: it is given to others",
    "Finding": "of a firm's workbook; of a review of schemas",
    "Invoice": "the answer of the API has the name of what it shows",
    "Minutes": "the figure of the API; an expression of the mapping language",
    "Place": "a cell of a workbook; a place in a sorted list of exceptions",
    "Problem": "RFC 9457's name for an error of the API; a problem of a workbook's cell",
    "Row": "of a file; of a workbook",
    "Rows": "of a sheet; of state",
    "Step": "the answer of the API; a step of an explanation",
    "Work": "a checked time entry; what is left to settle in a coupled group; work of a source to compare",
}


def modules_by_class() -> dict[str, set[str]]:
    """{class: modules of the product that define it}."""
    found = defaultdict[str, set[str]](set)
    for room in [*ROOMS, *TOP, "settings.py"]:
        base = CHECKOUT / room
        for file in [base] if base.is_file() else base.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found[node.name].add(str(file.relative_to(CHECKOUT)))
    return found


def test_a_class_name_in_two_modules_has_a_reason() -> None:
    repeated = {name: files for name, files in modules_by_class().items() if len(files) > 1}
    assert repeated.keys() == REASONS.keys(), repeated
    assert len(REASONS) <= MOST
