"""The names of topics stand in `topics/` and `schemas/` only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from topics import topic_names
from topics.catalogue import TOPICS

CHECKOUT = Path(__file__).resolve().parents[2]
NAMES = {value for name, value in vars(topic_names).items() if name.isupper()}
# These are words of their own too: kinds of facts, fields of an engagement.
WORDS = {"expenses", "milestones", "outcomes", "adjustments"}
PRODUCT = (
    "accounting", "agents", "assurance", "cli", "console", "invoicing", "metrics", "operations", "sinks", "sources",
    "storage", "streaming", "tables", "warehouse",
)  # fmt: skip
# rating and privacy import nothing that has the names. `rating` names its types of facts and masters by their topics.
OWN_NAMES = {
    "rating": {"rating/exception_codes.py", "rating/model/facts.py", "rating/model/master_records.py"},
    "privacy": {"privacy/locate_person.py"},
}


def literals(room: str) -> Iterator[tuple[Path, int, str]]:
    """Every string of the code of a folder that is the name of a topic."""
    for file in sorted((CHECKOUT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES - WORDS:
                yield file.relative_to(CHECKOUT), node.lineno, node.value


@pytest.mark.parametrize("room", PRODUCT)
def test_no_name_of_a_topic_is_written_out(room: str) -> None:
    assert [f"{file}:{line} writes {name}" for file, line, name in literals(room)] == []


@pytest.mark.parametrize("room", OWN_NAMES)
def test_folders_below_the_topics_name_them_in_one_place(room: str) -> None:
    assert {str(file) for file, _, _ in literals(room)} == OWN_NAMES[room]


def test_every_topic_but_those_of_upstream_systems_has_a_constant() -> None:
    assert {name for name in TOPICS if not name.startswith("source.")} <= NAMES <= {*TOPICS}
    assert all(
        name == value.replace(".", "_").replace("-", "_").upper()
        for name, value in vars(topic_names).items()
        if name.isupper()
    )
