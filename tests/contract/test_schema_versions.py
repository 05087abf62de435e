"""Two schemas on one topic during a migration: records of both are read, the old as the new has them."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fastavro
import pytest
from hypothesis import given, settings
from schema_records import records, sample

from schemas import codec
from schemas.registry import FOLDER, IDS_VARIABLE, FileRegistry
from schemas.released import read_contracts, release
from schemas.schema_types import Array, AvroRecord, Enum, Field, Long, Optional, Text
from schemas.versions import carrier, earlier_readers, header_of
from settings import CHECKOUT
from tests.contract_folder import add, change, copied, drop, new_field, optional, typed, with_symbol

# Run with a `schemas/` of its own before the project's: reads a record from before, one of now, and writes one.
READS = """
import json, sys
from schemas import codec
old, topic = bytes.fromhex(sys.argv[1]), sys.argv[2]
seen = codec.decode_for(topic, old)
row = codec.row_decoder(topic)(old)
assert row == tuple(seen.values())
decoded = codec.decode(old)
assert decoded.record == seen
seen["channel"] = "web"
new = codec.encode(topic, seen)
assert codec.decode_for(topic, new) == seen
print(json.dumps([decoded.schema_id, decoded.subject, codec.decode(new).schema_id, list(seen)]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied(tmp_path)


def of_topic(topic: str, **more: object) -> dict[str, object]:
    """A record of the topic, the simplest there is."""
    return {**sample(codec.shape(topic)), **more}


@pytest.mark.parametrize("topic", ["erp.postings", "billing.ready"])
def test_records_written_before_a_release_are_read_beside_those_after(tmp_path: Path, topic: str) -> None:
    shutil.copytree(CHECKOUT / "schemas", tmp_path / "schemas", ignore=shutil.ignore_patterns("__pycache__"))
    change(tmp_path / "schemas", topic, add(optional("channel")))
    [(_, new_id)] = release(tmp_path / "schemas").items()
    old = codec.encode(topic, of_topic(topic))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", READS, old.hex(), topic]
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr
    old_id = codec.REGISTRY.id_of(f"{topic}-value")
    names = [field.name for field in codec.shape(topic).fields]
    assert json.loads(told.stdout) == [old_id, f"{topic}-value", new_id, [*names, "channel"]]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> FileRegistry:
    """A registry in which `time.entries` has a second version, another in every way it may be."""
    folder = copied(tmp_path_factory.mktemp("schemas"))
    change(folder, "time.entries", add(optional("channel")))
    change(folder, "time.entries", drop("note"))
    change(folder, "time.entries", typed("task_id", ["null", "string"]))
    change(folder, "time.entries", with_symbol("status", "on_hold"))
    release(folder)
    return FileRegistry(folder)


@settings(max_examples=60, deadline=None)
@given(record=records("time.entries"))
def test_what_is_carried_over_is_what_avro_resolves(migrated: FileRegistry, record: dict[str, object]) -> None:
    *_, before, now = migrated.ids_of("time.entries-value")
    written = codec.encode("time.entries", record)
    carried, end = earlier_readers(migrated, "time.entries-value")[header_of(before)](written, 5)
    theirs = fastavro.schemaless_reader(io.BytesIO(written[5:]), migrated.schema_of(before), migrated.schema_of(now))
    assert (carried, end) == (theirs, len(written))
    assert list(carried) == [each["name"] for each in migrated.schema_of(now)["fields"]]  # type: ignore[index, union-attr]


def test_a_version_that_cannot_be_read_any_more_stops_everything(folder: Path) -> None:
    change(folder, "time.entries", add(new_field("channel", type="string")))
    release(folder)
    with pytest.raises(ValueError, match=r"records of time\.entries-value under id 12 cannot be read: channel is not"):
        earlier_readers(FileRegistry(folder), "time.entries-value")


@pytest.mark.parametrize(
    ("written", "now", "said"),
    [
        (Text(), Long(), "is not"),
        (Optional(Text()), Text(), "is not"),
        (Enum(("a", "b")), Enum(("a",)), "is not"),
        (Array(Text()), Text(), "is not"),
        (AvroRecord("r", (Field("a", Text()),)), AvroRecord("r", (Field("a", Long()),)), "^a: "),
    ],
)
def test_what_cannot_be_carried_over_is_said(written: object, now: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        carrier(written, now)  # type: ignore[arg-type]


def given_ids(shift: int) -> dict[str, dict[int, int]]:
    return {contract.subject: {own: own + shift for own in contract.released} for contract in read_contracts().values()}


def test_ids_of_a_registry_are_written_and_records_of_before_are_still_read(tmp_path: Path) -> None:
    """Shifted by one, each id of the registry's means another topic's schema by ours: the topic decides."""
    ids = tmp_path / "ids.json"
    ids.write_text(json.dumps({"registry": "http://registry/apis/ccompat/v7", "ids": given_ids(1)}))
    old = codec.encode("erp.postings", of_topic("erp.postings"))
    program = (
        "import sys; from schemas import codec; old = bytes.fromhex(sys.argv[1]);"
        "record = codec.decode_for('erp.postings', old); print(codec.encode('erp.postings', record).hex())"
    )
    environment = {**os.environ, IDS_VARIABLE: str(ids)}
    command = [sys.executable, "-c", program, old.hex()]
    told = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr
    new = bytes.fromhex(told.stdout)
    ours = int.from_bytes(old[1:5])
    assert (new[:5], old[5:] == new[5:]) == (header_of(ours + 1), True)


def test_a_registry_that_was_not_told_of_a_version_stops_everything() -> None:
    lacking = given_ids(0) | {"time.entries-value": {}}
    with pytest.raises(ValueError, match=r"no id to time\.entries-value 12: run `hourstream schemas register` again"):
        FileRegistry(FOLDER, lacking)
