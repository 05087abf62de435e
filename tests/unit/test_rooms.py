"""Who may import what: the rooms of the design, held by reading every import of the project.

A room may always import itself and libraries; `cli` is the one place that may import everything.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ROOMS = {
    "billing": set[str](),
    "schemas": set[str](),
    "topics": {"schemas"},
    "people": {"topics", "schemas", "sources", "sinks", "runtime"},
    "tables": {"topics", "schemas", "billing", "runtime"},
    "sources": {"topics", "schemas"},
    "sinks": {"topics", "schemas", "billing", "runtime", "sources"},  # sources: the mapping language, one both ways
    "agents": {"tables", "topics", "schemas", "billing", "sources", "sinks", "runtime"},
    "runtime": {"topics", "schemas"},
    "console": {"people", "sinks", "sources", "topics", "schemas", "billing", "runtime"},
}
LIBRARIES_OF_SCHEMAS = {"avro", "fastavro", "orjson", "msgspec", "confluent_kafka"}


def imports(file: Path) -> Iterator[str]:
    """Top-level names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are written in full"
            yield (node.module or "").partition(".")[0]


def files_of(room: str) -> list[Path]:
    files = sorted((CHECKOUT / room).rglob("*.py"))
    assert files, f"the room {room} is empty"
    return [file for file in files if not file.is_relative_to(CHECKOUT / "runtime" / "cli")]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_it_may(room: str) -> None:
    allowed = ROOMS[room] | {room}
    wrong = [
        f"{file.relative_to(CHECKOUT)} imports {name}"
        for file in files_of(room)
        for name in imports(file)
        if name in ROOMS and name not in allowed
    ]
    assert not wrong


def test_the_rules_need_the_standard_library_only() -> None:
    wrong = [
        f"{file.relative_to(CHECKOUT)} imports {name}"
        for file in files_of("billing")
        for name in imports(file)
        if name not in sys.stdlib_module_names and name != "billing"
    ]
    assert not wrong


def test_contracts_need_the_standard_library_and_avro_only() -> None:
    known = sys.stdlib_module_names | LIBRARIES_OF_SCHEMAS | {"schemas"}
    wrong = [
        f"{f.relative_to(CHECKOUT)} imports {n}" for f in files_of("schemas") for n in imports(f) if n not in known
    ]
    assert not wrong


def test_the_rules_never_read_a_clock_or_a_random_number() -> None:
    wrong = [
        f"{file.relative_to(CHECKOUT)} imports {name}"
        for file in files_of("billing")
        for name in imports(file)
        if name in {"time", "random", "os", "socket", "threading"}
    ]
    assert not wrong


def test_every_module_opens_with_what_it_is_for() -> None:
    silent = [
        str(file.relative_to(CHECKOUT))
        for room in ROOMS
        for file in sorted((CHECKOUT / room).rglob("*.py"))
        if file.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not silent


def test_no_module_is_longer_than_a_person_reads() -> None:
    long = [
        str(file.relative_to(CHECKOUT))
        for room in ROOMS
        for file in sorted((CHECKOUT / room).rglob("*.py"))
        if len(file.read_text(encoding="utf-8").splitlines()) > 400
    ]
    assert not long
