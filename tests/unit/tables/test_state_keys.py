"""The registry of state keys: no kind of row is met by a scan of another, and every row is of a registered kind."""

import ast
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from topics import state_keys
from topics.consumers import PROCESSES
from topics.state_keys import EVERY_AGENT, ROW_KINDS, RowKind

CHECKOUT = Path(__file__).resolve().parents[3]
OWNERS = {kind.owner for kind in ROW_KINDS}
PRODUCT = ("agents", "tables", "streaming", "sources", "metrics", "operations", "assurance", "privacy")
# The prefixes of the released states: a stored state is read by them, so they may not change.
RELEASED = {
    "WINNERS": b"m", "BUCKETS": b"b", "PLACES": b"p", "LOOKED": b"l", "CONFLICTS": b"c", "SUMMED": b"k",
    "MEMBERS": b"f", "ATTACHED": b"a", "NODES": b"n", "CURSOR": b"~sweep", "HISTORIES": b"v", "ENTRIES": b"e",
    "CHARGES": b"c", "SUBJECTS": b"u", "EXCEPTIONS": b"x", "SUM": b"~s", "WINDOW": b"~w", "TOTAL": b"~t",
    "CHANGELOG": b"\0changelog", "REACHED": b"\0reached", "WRITTEN": b"\0written", "POSITION": b"\0position:",
    "PART": b"\0part:", "RECORD": b"record", "OUTCOME": b"outcome", "INDEX": b"index", "WAITING": b"waiting",
}  # fmt: skip


def calls_of_tables() -> Iterator[tuple[Path, ast.Call]]:
    """Every place of the product that makes a table of rows."""
    for room in PRODUCT:
        for file in sorted((CHECKOUT / room).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            if "state_tables" not in text or file.name == "state_tables.py":
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TABLES:
                    yield file, node


_TABLES = {"StateTable", "Numbers"}


@pytest.mark.parametrize("owner", sorted(OWNERS))
def test_no_prefix_begins_with_another_of_the_same_state(owner: str) -> None:
    of_state = [kind for kind in ROW_KINDS if kind.owner in (owner, EVERY_AGENT)]
    for one, other in permutations(of_state, 2):
        assert not one.prefix.startswith(other.prefix), f"{one.what} and {other.what}"


def test_every_owner_is_a_process_with_a_changelog() -> None:
    assert {process.name for process in PROCESSES if process.keeps} >= OWNERS - {EVERY_AGENT}


def test_every_table_of_the_product_takes_its_prefix_from_the_registry() -> None:
    found = list(calls_of_tables())
    assert found
    strangers = [
        f"{file.relative_to(CHECKOUT)}:{call.lineno}"
        for file, call in found
        if not ast.unparse(call.args[0]).startswith("state_keys.")
    ]
    assert not strangers


def test_every_registered_kind_is_used() -> None:
    words = "\n".join(
        file.read_text(encoding="utf-8") for room in PRODUCT for file in sorted((CHECKOUT / room).rglob("*.py"))
    )
    names = {name for name, kind in vars(state_keys).items() if isinstance(kind, RowKind)}
    assert {name for name in names if f"state_keys.{name}" not in words} == set()


def test_released_prefixes_stay() -> None:
    assert {name: vars(state_keys)[name].prefix for name in RELEASED} == RELEASED
