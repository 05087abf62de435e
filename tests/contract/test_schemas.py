"""Every contract is documented, owned, classified, and released under an id that never means anything else."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import orjson
import pytest

import schemas
from schemas.errors import UnknownSchema
from schemas.fingerprint import fingerprint
from schemas.persons import persons_of
from schemas.registry import FileRegistry, Version, subject_of, topic_of
from schemas.schema_types import shape_of

SCHEMAS = Path(schemas.__file__).parent
RELEASED = Path(__file__).parents[1] / "data" / "contract" / "released_ids.json"
DATA_CLASSES = {"public", "internal", "confidential", "personal"}
FILES = sorted(SCHEMAS.rglob("*.avsc"))
REGISTRY = FileRegistry()


def fields_of(schema: object, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, list):
        for branch in schema:
            yield from fields_of(branch, path)
    elif isinstance(schema, dict):
        for field in schema.get("fields", []):
            yield f"{path}.{field['name']}", field
            yield from fields_of(field["type"], f"{path}.{field['name']}")
        if schema["type"] in ("array", "record"):
            yield from fields_of(schema.get("items"), path)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_field_has_a_doc_an_owner_and_a_data_class(file: Path) -> None:
    schema = orjson.loads(file.read_bytes())
    for path, part in [(file.stem, schema), *fields_of(schema, file.stem)]:
        assert part.get("doc", "").endswith("."), path
        assert part.get("owner"), path
        assert part.get("data_class") in DATA_CLASSES, path


@pytest.mark.parametrize("file", [file for file in FILES if "released" not in file.parts], ids=lambda file: file.stem)
def test_what_is_erased_is_text_of_a_person_whom_the_record_names(file: Path) -> None:
    schema = orjson.loads(file.read_bytes())
    fields = {field["name"]: field["type"] for field in schema["fields"]}
    erasable = [field["name"] for _, field in fields_of(schema, file.stem) if field.get("erasable")]
    assert [name for name in erasable if fields.get(name) not in ("string", ["null", "string"])] == []
    persons = persons_of(file.stem)
    assert (persons is None) == ("person" not in schema)
    if persons is None:
        assert not erasable
        assert "known_as" not in schema
        return
    assert persons.erasable == set(erasable)
    example = dict.fromkeys(fields, "x")
    assert persons.named_by
    assert persons.identity(example) is not None
    assert (persons.other_identity(example) is None) == (persons.known_as is None)
    assert [persons.identity(example | {name: nothing}) for name in persons.named_by for nothing in (None, "")] == [
        None
    ] * (2 * len(persons.named_by))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_optional_field_defaults_to_null_and_no_other_has_a_default(file: Path) -> None:
    for path, field in fields_of(orjson.loads(file.read_bytes()), file.stem):
        assert ("default" in field) == isinstance(field["type"], list), path
        assert field.get("default") is None, path


@pytest.mark.parametrize("subject", REGISTRY.subjects())
def test_every_schema_is_avro_to_others_too(subject: str) -> None:
    assert fastavro.parse_schema(REGISTRY.schema_of(REGISTRY.id_of(subject)))


def test_released_ids_keep_their_meaning() -> None:
    released = msgspec.json.decode(RELEASED.read_bytes(), type=dict[str, list[Version]])
    now = msgspec.json.decode((SCHEMAS / "ids.json").read_bytes(), type=dict[str, list[Version]])
    for subject, versions in released.items():
        assert now[subject][: len(versions)] == versions, subject
    ids = [version.id for versions in now.values() for version in versions]
    assert len(ids) == len(set(ids))


def test_the_fingerprint_sees_meaning_and_not_wording() -> None:
    schema = REGISTRY.schema_of(REGISTRY.id_of("master.fx-rates-value"))
    reworded = orjson.loads(orjson.dumps(schema))
    reworded["doc"] = "Said otherwise."
    reworded["fields"][0]["owner"] = "somebody else"
    assert fingerprint(reworded) == fingerprint(schema)
    rescaled = orjson.loads(orjson.dumps(schema).replace(b'"scale":12', b'"scale":11'))
    assert fingerprint(rescaled) != fingerprint(schema)


def test_the_registry_knows_a_subject_by_id_and_back() -> None:
    schema_id = REGISTRY.id_of("time.entries-value")
    assert REGISTRY.subject_with(schema_id) == "time.entries-value"
    assert REGISTRY.schema_of(schema_id)["name"] == "TimeEntry"
    assert topic_of(subject_of("time.entries")) == "time.entries"


@pytest.mark.parametrize("look_up", [lambda: REGISTRY.id_of("nothing-value"), lambda: REGISTRY.schema_of(0)])
def test_the_registry_says_what_it_does_not_know(look_up: Callable[[], object]) -> None:
    with pytest.raises(UnknownSchema, match="no schema"):
        look_up()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A registry of one subject, to be broken."""
    avsc = tmp_path / "masters" / "master.calendars.avsc"
    avsc.parent.mkdir()
    shutil.copy(SCHEMAS / "masters" / avsc.name, avsc)
    entry = {"id": 10, "fingerprint": fingerprint(orjson.loads(avsc.read_bytes()))}
    (tmp_path / "ids.json").write_bytes(orjson.dumps({"master.calendars-value": [entry]}))
    return tmp_path


def test_a_changed_schema_needs_a_new_id(folder: Path) -> None:
    avsc = folder / "masters" / "master.calendars.avsc"
    avsc.write_text(avsc.read_text().replace('"holidays"', '"days_off"'))
    with pytest.raises(ValueError, match="append a new id"):
        FileRegistry(folder)


def test_a_schema_without_an_id_is_refused(folder: Path) -> None:
    shutil.copy(SCHEMAS / "masters" / "master.tasks.avsc", folder)
    with pytest.raises(ValueError, match=r"disagree on master\.tasks-value"):
        FileRegistry(folder)


@pytest.mark.parametrize(
    "unused",
    [
        "double",
        {"type": "map", "values": "string"},
        ["string", "null"],
        ["null", "string", "long"],
        {"type": "long", "logicalType": "timestamp-micros"},
        {"type": "enum", "name": "e", "symbols": []},
        {"type": "bytes", "logicalType": "decimal", "precision": 4},
    ],
)
def test_avro_that_is_not_in_use_is_refused(unused: object) -> None:
    with pytest.raises(ValueError, match=r"in use|symbols|scale"):
        shape_of({"type": "record", "name": "r", "fields": [{"name": "f", "type": unused}]})
