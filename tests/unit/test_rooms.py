"""The layout: which package may import which, held by reading every import of the product.

The table is that of the design (docs/DESIGN.md). Imports run downwards only; there is no circle.
`common` and `settings` may be imported by all but `rating` (which may import `common` only).
"""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
_STATE = {"tables", "rating", "streaming", "schemas", "topics"}
_SINKS = {"invoicing", "accounting", "rating", "sources", "storage", "streaming", "schemas", "topics"}
_BELOW_AGENTS = {*_SINKS, *_STATE, "assurance", "warehouse", "metrics", "sinks", "privacy"}
ROOMS: dict[str, set[str]] = {
    "common": set(),
    "schemas": set(),
    "topics": {"schemas"},
    "storage": set(),
    "streaming": {"topics", "schemas"},
    "rating": set(),
    "devstack": set(),
    "sources": {"topics", "schemas"},
    "tables": _STATE - {"tables"},
    "privacy": {"sources", "schemas", "storage", "streaming"},
    "accounting": {"rating", "storage", "topics"},  # topics: the names of topics are its constants
    "invoicing": {"rating", "storage", "streaming", "schemas", "topics"},  # streaming: names of parties are read there
    "sinks": _SINKS,
    "metrics": {"tables", "streaming", "rating"},
    "warehouse": {"rating", "storage", "streaming", "schemas", "topics"},
    "assurance": {*_SINKS, "tables", "privacy", "sinks", "warehouse", "metrics"},
    "agents": _BELOW_AGENTS,
    "operations": {*_BELOW_AGENTS, "agents"},
    "console": {"operations", "warehouse", "assurance", "invoicing", "privacy", "sources", "rating", "storage"},
}
TOP = ("cli", "examples", "tools")  # they may import everything
PACKAGES = (*ROOMS, *TOP)
LIBRARIES_OF_SCHEMAS = {"avro", "fastavro", "orjson", "msgspec", "confluent_kafka", "pydantic", "pydantic_core"}


def imported_modules(file: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it; of `from a import b` both a and a.b."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are written in full"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports(file: Path) -> Iterator[str]:
    """Top-level names of the modules that a file imports."""
    yield from (name.partition(".")[0] for name in imported_modules(file))


def files_of(room: str) -> list[Path]:
    files = sorted((CHECKOUT / room).rglob("*.py"))
    assert files, f"the package {room} is empty"
    return files


def test_the_table_names_every_package() -> None:
    packages = {file.parent.name for file in CHECKOUT.glob("*/__init__.py")}
    assert packages - {"benchmarks", "ops", "tests"} == {*ROOMS, *TOP}


@pytest.mark.parametrize("room", ROOMS)
def test_a_package_imports_only_the_packages_it_may(room: str) -> None:
    allowed = ROOMS[room] | {room, "common"} | (set() if room in ("rating", "common") else {"settings"})
    wrong = [
        f"{file.relative_to(CHECKOUT)} imports {name}"
        for file in files_of(room)
        for name in imports(file)
        if name in {*ROOMS, *TOP, "settings"} and name not in allowed
    ]
    assert not wrong


def test_packages_and_modules_import_each_other_in_no_circle() -> None:
    TopologicalSorter(ROOMS).prepare()
    modules = {
        ".".join(file.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__"): file
        for room in (*ROOMS, *TOP)
        for file in files_of(room)
    }
    graph = {
        name: {each for each in imported_modules(file) if each in modules and each != name}
        for name, file in modules.items()
    }
    TopologicalSorter(graph).prepare()


def test_settings_import_the_standard_library_and_pydantic_only() -> None:
    known = sys.stdlib_module_names | {"pydantic", "pydantic_settings", "platformdirs", "common"}
    assert [name for name in imports(CHECKOUT / "settings.py") if name not in known] == []


def test_the_rules_need_the_standard_library_only() -> None:
    wrong = [
        f"{file.relative_to(CHECKOUT)} imports {name}"
        for file in files_of("rating")
        for name in imports(file)
        if name not in sys.stdlib_module_names and name not in {"rating", "common"}
    ]
    assert not wrong


def test_contracts_need_the_standard_library_and_avro_only() -> None:
    known = sys.stdlib_module_names | LIBRARIES_OF_SCHEMAS | {"schemas", "common"}
    wrong = [
        f"{f.relative_to(CHECKOUT)} imports {n}" for f in files_of("schemas") for n in imports(f) if n not in known
    ]
    assert not wrong


def test_the_rules_never_read_a_clock_or_a_random_number() -> None:
    wrong = [
        f"{file.relative_to(CHECKOUT)} imports {name}"
        for file in files_of("rating")
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
