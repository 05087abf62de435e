"""What a change of a contract would break, and for whom: refused in a sentence that names the consumers, or passed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.schemas import processes
from schemas.compatibility import unreadable
from schemas.registry import FOLDER, FileRegistry, released_file, released_ids
from schemas.released import read_contracts, release
from settings import CHECKOUT
from tests.contract_folder import (
    Edit,
    add,
    change,
    copied,
    drop,
    field,
    new_field,
    optional,
    rename,
    typed,
    with_symbol,
    without_default,
    without_symbol,
)
from tests.unit.test_rooms import PACKAGES
from topics.consumers import WHOLE, Process
from topics.review import review

NEXT_ID = 1 + max(version.id for versions in released_ids().values() for version in versions)
CONTRACTS = list(read_contracts().values())
FINANCE = {f"{name} (finance)" for name in ("erp", "billing", "lifecycle", "delivery", "warehouse", "commands")}
FINANCE |= {"metrics (operations)"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied(tmp_path)


def findings(folder: Path) -> list[Any]:
    return list(review(read_contracts(folder), processes()))


def test_the_contracts_keep_what_they_promise() -> None:
    assert findings(FOLDER) == []


def test_what_every_id_means_is_kept() -> None:
    """Also that no released file was changed: `hourstream schemas release` keeps it, and nobody edits it."""
    contracts = read_contracts()
    for subject, versions in released_ids().items():
        assert all(released_file(FOLDER, subject, version.id).exists() for version in versions)
    assert not [contract.topic for contract in contracts.values() if contract.changed]


@pytest.mark.parametrize(
    ("topic", "edit", "told", "consumers"),
    [
        (
            "billing.ready",
            rename("amount", "total"),
            "billing.ready: amount was renamed to total: records already written under schema 21 could no longer be "
            "read",
            FINANCE,
        ),
        (
            "erp.postings",
            rename("reference", "number"),
            "reference was renamed to number",
            {"lifecycle (finance)", "warehouse (finance)", "commands (finance)"},
        ),
        (
            "invoice.status",
            without_symbol("status", "voided"),
            "status no longer knows voided: records already written under schema 19 could no longer be read",
            {"lifecycle (finance)", "warehouse (finance)", "commands (finance)"},
        ),
        (
            "time.entries",
            without_default("labor_category"),
            "labor_category has lost its default: records written without it could no longer be read",
            {"settle (finance)", "advisories (delivery)", "warehouse (finance)", "commands (finance)"},
        ),
        (
            "billing.ready",
            typed("amount", {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}),
            "amount was decimal(18,6) and is decimal(18,2)",
            FINANCE,
        ),
        (
            "billing.ready",
            drop("derivation"),
            "derivation is gone: derivation is read from every new record",
            {"billing (finance)", "delivery (finance)", "warehouse (finance)", "commands (finance)"},
        ),
        (
            "source.tock.lines",
            rename("hours_spent", "hours"),
            "hours_spent is gone: hours_spent is read from every new record",
            {"intake of tock (delivery)"},
        ),
        (
            "billing.ready",
            add(new_field("channel", type="string")),
            "channel is new and has no default: records already written under schema 21 could no longer be read",
            FINANCE,
        ),
        (
            "invoice.status",
            with_symbol("status", "lost"),
            "status may now say lost: readers by schema 19 could not read new records",
            {"lifecycle (finance)", "warehouse (finance)", "commands (finance)"},
        ),
        (
            "billing.exceptions",
            lambda schema: field(schema, "missing")["type"][1]["fields"].pop(0),
            "missing.kind is gone",
            {"warehouse (finance)", "commands (finance)"},
        ),
        (
            "billing.ready",
            lambda schema: schema.update(name="Bill"),
            "to Avro it is no version of the same schema",
            FINANCE,
        ),
    ],
)
def test_a_change_that_breaks_somebody_is_refused_and_they_are_named(
    folder: Path, topic: str, edit: Edit, told: str, consumers: set[str]
) -> None:
    change(folder, topic, edit)
    [found] = findings(folder)
    assert found.topic == topic
    assert told in str(found)
    assert set(found.consumers) == consumers


def test_a_field_that_avro_would_let_go_is_kept_for_the_finance_that_reads_it(folder: Path) -> None:
    """An optional field dropped: every record old and new can be read, and the ledger would silently lack it."""
    contracts = read_contracts(folder)
    was = contracts["billing.ready"].working
    change(folder, "billing.ready", drop("po_number"))
    assert unreadable(read_contracts(folder)["billing.ready"].working, was) == []
    [found] = findings(folder)
    assert str(found) == (
        "billing.ready: po_number is gone: po_number is read from every new record. "
        "It breaks billing (finance), delivery (finance), warehouse (finance)."
    )


@pytest.mark.parametrize(
    ("topic", "edit"),
    [
        ("billing.ready", add(optional("channel"))),
        ("time.entries", with_symbol("status", "on_hold")),
        ("time.entries", typed("task_id", ["null", "string"])),
        ("source.tock.users", drop("username")),
        ("billing.ready", lambda schema: schema.update(doc="Said otherwise.")),
    ],
)
def test_a_compatible_change_passes(folder: Path, topic: str, edit: Edit) -> None:
    change(folder, topic, edit)
    assert findings(folder) == []


def test_a_promise_holds_against_every_released_version_not_only_the_last(folder: Path) -> None:
    change(folder, "billing.ready", add(optional("channel")))
    assert release(folder) == {"billing.ready": NEXT_ID}
    change(folder, "billing.ready", without_default("channel"))
    told = [str(found) for found in findings(folder)]
    assert any("channel is new and has no default: records already written under schema 21" in each for each in told)
    assert any("channel has lost its default" in each for each in told)


def test_a_release_is_kept_and_its_id_means_it_for_good(folder: Path) -> None:
    change(folder, "master.calendars", add(optional("note")))
    with pytest.raises(ValueError, match="hourstream schemas release"):
        FileRegistry(folder)
    assert release(folder) == {"master.calendars": NEXT_ID}
    assert release(folder) == {}
    registry = FileRegistry(folder)
    assert registry.ids_of("master.calendars-value") == (10, NEXT_ID)
    released_file(folder, "master.calendars-value", 10).write_text('{"type": "record", "name": "X", "fields": []}')
    with pytest.raises(ValueError, match="not the schema released under id 10"):
        FileRegistry(folder)
    with pytest.raises(ValueError, match="not what was released under id 10"):
        read_contracts(folder)


def test_a_reading_of_what_no_schema_has_is_told() -> None:
    wrong = Process("report", "sales", "", reads={"erp.postings": ("number",), "nothing": WHOLE}, writes=())
    assert [str(found) for found in review(read_contracts(), [wrong])] == [
        "erp.postings: there is no field number: it is declared as read. It breaks report (sales).",
        "nothing: there is no such contract: it is declared as read. It breaks report (sales).",
    ]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_our_walk_never_passes_what_avro_refuses(data: st.DataObject) -> None:
    contract = data.draw(st.sampled_from(CONTRACTS))
    changed = json.loads(json.dumps(contract.working))
    place = data.draw(st.sampled_from(changed["fields"]))
    match data.draw(st.sampled_from(["rename", "default", "drop", "type", "symbols", "add", "empty"])):
        case "rename":
            place["name"] += "_x"
        case "default":
            place.pop("default", None)
        case "drop":
            changed["fields"].remove(place)
        case "type":
            place["type"] = data.draw(st.sampled_from(["string", "long", "boolean", "bytes"]))
            place.pop("default", None)
        case "symbols" if isinstance(place["type"], dict) and place["type"]["type"] == "enum":
            place["type"]["symbols"] = [*place["type"]["symbols"][1:], "X"]
        case "empty":
            place["type"] = ["null", *(place["type"][1:] if isinstance(place["type"], list) else [place["type"]])]
        case _:
            changed["fields"].append(data.draw(st.sampled_from([optional("x"), new_field("x", type="long")])))
    for reader, writer in ((changed, contract.working), (contract.working, changed)):
        verdict = ReaderWriterCompatibilityChecker().get_compatibility(
            parse(json.dumps(reader)), parse(json.dumps(writer))
        )
        found = unreadable(reader, writer)
        if verdict.compatibility is not SchemaCompatibilityType.compatible:
            assert found
            assert all(each.kind != "rule" for each in found)
        else:
            assert {each.kind for each in found} <= {"type"}  # a logical type, or bytes read as text


def test_the_command_says_so_and_fails(tmp_path: Path) -> None:
    """In a checkout whose `billing.ready` was changed and not released: nothing but this command starts there."""
    for room in PACKAGES:
        shutil.copytree(CHECKOUT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "fonts"))
    shutil.copy(CHECKOUT / "settings.py", tmp_path / "settings.py")
    change(tmp_path / "schemas", "billing.ready", rename("amount", "total"))
    command = [sys.executable, "-m", "cli.main", "schemas", "check"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert told.returncode == 1, told.stderr
    assert "billing.ready: amount was renamed to total" in told.stdout
    assert "erp (finance)" in told.stdout
