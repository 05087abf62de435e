"""A real Apicurio Registry: registered on deploy, and refusing what our own check refuses."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from confluent_kafka.schema_registry import Schema

from cli.main import main
from cli.schemas import processes, registered, schemas
from devstack.registry import Registry
from schemas import codec, confluent
from schemas.fingerprint import fingerprint
from schemas.registry import FileRegistry, GivenIds, released_ids
from schemas.released import read_contracts, release
from settings import Settings
from tests.contract_folder import (
    Edit,
    add,
    change,
    copied,
    new_field,
    optional,
    rename,
    with_symbol,
    without_default,
    without_symbol,
)
from topics.review import review

NEXT_ID = 1 + max(version.id for versions in released_ids().values() for version in versions)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry"), Settings.load(), lambda _: None) as running:
        yield running


@pytest.fixture(scope="module")
def client(registry: Registry) -> Iterator[confluent.RegistryClient]:
    with confluent.client(registry.url) as opened:
        yield opened


@pytest.fixture(scope="module")
def given(registry: Registry, client: confluent.RegistryClient) -> GivenIds:
    """Everything released, registered as on a deploy."""
    return confluent.register(client, registry.url, read_contracts())


def test_a_registry_of_our_own_gives_the_ids_of_the_repository(given: GivenIds) -> None:
    assert given.ids == {
        contract.subject: {own: own for own in contract.released} for contract in read_contracts().values()
    }
    assert FileRegistry(given=given.ids).ids_of("time.entries-value") == codec.REGISTRY.ids_of("time.entries-value")


def test_registering_again_changes_nothing(
    registry: Registry, client: confluent.RegistryClient, given: GivenIds
) -> None:
    assert confluent.register(client, registry.url, read_contracts()) == given


def test_another_reader_finds_the_schema_of_a_record_by_its_id(
    client: confluent.RegistryClient, given: GivenIds
) -> None:
    schema_id = int.from_bytes(codec.header("billing.ready")[1:5], "big")
    found = json.loads(client.get_schema(schema_id).schema_str)
    assert fingerprint(found) == fingerprint(codec.REGISTRY.schema_of(schema_id))


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    ("topic", "edit", "breaks"),
    [
        ("billing.ready", rename("amount", "total"), True),
        ("invoice.status", without_symbol("status", "voided"), True),
        ("time.entries", add(new_field("channel", type="string")), True),
        ("erp.postings", with_symbol("status", "held"), True),  # FULL
        ("billing.ready", with_symbol("kind", "gift"), False),  # BACKWARD
        ("time.entries", with_symbol("status", "on_hold"), False),  # BACKWARD
        ("billing.ready", add(optional("channel")), False),
    ],
)
def test_the_registry_and_our_check_are_of_one_mind(
    tmp_path: Path, client: confluent.RegistryClient, topic: str, edit: Edit, breaks: bool
) -> None:
    change(copied(tmp_path), topic, edit)
    contracts = read_contracts(tmp_path)
    assert confluent.refuses(client, contracts[topic]) == breaks
    assert bool(review(contracts, processes())) == breaks


def test_a_removed_default_is_refused_for_the_records_from_before_the_field(
    tmp_path: Path, registry: Registry, client: confluent.RegistryClient, given: GivenIds
) -> None:
    folder = copied(tmp_path)
    change(folder, "milestones", add(optional("channel")))
    release(folder)
    ids = confluent.register(client, registry.url, read_contracts(folder)).ids["milestones-value"]
    assert list(ids) == [14, NEXT_ID]
    assert ids[14] == given.ids["milestones-value"][14]
    change(folder, "milestones", without_default("channel"))
    contracts = read_contracts(folder)
    assert confluent.refuses(client, contracts["milestones"])
    told = " ".join(map(str, review(contracts, processes())))
    assert "channel is new and has no default: records already written under schema 14" in told
    assert "settle (finance)" in told
    release(folder)
    with pytest.raises(confluent.RegistryRefuses, match=f"the registry refuses milestones {NEXT_ID + 1}: "):
        confluent.register(client, registry.url, read_contracts(folder))


def test_the_commands(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: GivenIds) -> None:
    monkeypatch.setenv("HOURSTREAM_SCHEMA_REGISTRY_URL", registry.url)
    noted = tmp_path / "ids.json"
    told = CliRunner().invoke(schemas, ["register", "--ids", str(noted)], catch_exceptions=False)
    assert f"{NEXT_ID - 1} schemas are registered" in told.output
    assert "its ids are those of schemas/" in told.output
    assert msgspec.json.decode(noted.read_bytes(), type=GivenIds) == given
    same = CliRunner().invoke(schemas, ["register", "--own-ids", "--ids", str(noted)], catch_exceptions=False)
    assert same.exit_code == 0
    settings = Settings.load(home=tmp_path)
    assert registered(settings) == settings
    checked = CliRunner().invoke(schemas, ["check"], catch_exceptions=False)
    assert (checked.exit_code, checked.output) == (0, f"{len(read_contracts())} contracts keep what they promise\n")


def test_a_registry_that_held_something_else_stops_a_deploy_or_its_ids_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Registry(tmp_path, Settings.load(), lambda _: None) as registry:
        monkeypatch.setenv("HOURSTREAM_SCHEMA_REGISTRY_URL", registry.url)
        with confluent.client(registry.url) as client:
            client.register_schema("theirs-value", Schema('{"type": "string"}', "AVRO"))
        stopped = CliRunner().invoke(main, ["schemas", "register", "--own-ids", "--ids", str(tmp_path / "ids.json")])
        assert stopped.exit_code == 1
        assert f"set HOURSTREAM_SCHEMA_IDS={tmp_path / 'ids.json'} for every process" in stopped.output
        settings = registered(Settings.load(home=tmp_path))  # as `hourstream up` does before its workers
        assert settings.environment()["HOURSTREAM_SCHEMA_IDS"] == str(tmp_path / "schema-ids.json")
        ids = msgspec.json.decode((tmp_path / "schema-ids.json").read_bytes(), type=GivenIds).ids
        assert all(own != theirs for given in ids.values() for own, theirs in given.items())
        assert registered(settings) == settings
