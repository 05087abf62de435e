"""`hourstream schemas`: checks, releases and registers contracts, and prints their catalogue."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import HTTPError

from cli.context import console, print_json
from schemas import confluent
from schemas.released import SubjectVersions, read_contracts, release
from settings import CHECKOUT, Settings, SettingsError
from sources.mapping.fields_read import fields_read
from sources.mapping.parser import mapping_of
from sources.mapping.yaml_nodes import parsed
from topics.catalogue_page import document
from topics.consumers import PROCESSES, Process
from topics.review import review

DOCUMENT = CHECKOUT / "docs" / "catalogue.md"


@click.group()
def schemas() -> None:
    """Contracts: their promises, and the effect of a change on consumers."""


def processes() -> tuple[Process, ...]:
    """Everybody who reads: the declared processes, and an intake for each mapping file."""
    mappings = (mapping_of(parsed(str(path), path.read_text("utf-8"))) for path in sorted(_mapping_files()))
    intakes = (
        Process(f"intake of {mapping.system}", "delivery", "maps its records", reads=fields_read(mapping), writes=())
        for mapping in mappings
    )
    return (*PROCESSES, *intakes)


def _mapping_files() -> list[Path]:
    return list((CHECKOUT / "sources").glob("*.yaml"))


def _contracts(*, unkept: bool = False) -> dict[str, SubjectVersions]:
    try:
        return read_contracts(unkept=unkept)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


@schemas.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def check(as_json: bool) -> None:
    """Compare the schemas with the released ones, with their consumers, and with the registry where one is set.

    Explains what a change would break and for whom. Exit status 1 when it would break something.
    """
    contracts = _contracts()
    found = [str(finding) for finding in review(contracts, processes())]
    found += _refused_by_registry(contracts)
    changed = sorted(contract.topic for contract in contracts.values() if contract.changed)
    if as_json:
        print_json({"changed": changed, "broken": found})
    else:
        for sentence in found:
            console.print(sentence, soft_wrap=True)
    if found:
        raise click.exceptions.Exit(1)
    if not as_json:
        told = f"; changed, and to be released: {', '.join(changed)}" if changed else ""
        console.print(f"{len(contracts)} contracts keep what they promise{told}")


def _refused_by_registry(contracts: dict[str, SubjectVersions]) -> list[str]:
    settings = Settings.load()
    if settings.schema_registry_url is None:
        return []
    with _registry(settings) as registry:
        refused = [contract.topic for contract in contracts.values() if confluent.refuses(registry, contract)]
    return [f"{topic}: the registry would refuse the schema" for topic in refused]


@contextmanager
def _registry(settings: Settings) -> Iterator[confluent.RegistryClient]:
    if settings.schema_registry_url is None:
        raise SettingsError("HOURSTREAM_SCHEMA_REGISTRY_URL is not set: without a registry the ids of schemas/ hold")
    try:
        with confluent.client(settings.schema_registry_url) as registry:
            yield registry
    except (SchemaRegistryError, HTTPError) as error:
        raise click.ClickException(f"the registry of HOURSTREAM_SCHEMA_REGISTRY_URL: {error}") from None


@schemas.command("release")
def release_() -> None:
    """Give every changed schema its next id and keep it as released, unless it would break something."""
    found = review(_contracts(unkept=True), processes())
    if found:
        raise click.ClickException("\n".join(map(str, found)))
    made = release()
    console.print(", ".join(f"{topic} is {id_}" for topic, id_ in made.items()) or "nothing has changed")


def registered(settings: Settings) -> Settings:
    """The settings once every released schema is registered, with the ids the registry gave; unchanged without one."""
    if settings.schema_registry_url is None or settings.schema_ids is not None:
        return settings
    path, same = _register(settings, settings.home / "schema-ids.json")
    return settings if same else settings.model_copy(update={"schema_ids": path})


@schemas.command()
@click.option(
    "--ids",
    "ids_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to note the registry's ids, for HOURSTREAM_SCHEMA_IDS. By default in HOURSTREAM_HOME.",
)
@click.option("--own-ids", is_flag=True, help="Exit status 1 where the registry gave other ids than those of schemas/.")
def register(ids_file: Path | None, own_ids: bool) -> None:
    """Register every released schema, on deploy and before the workers start; note which ids the registry gave."""
    settings = Settings.load()
    path, same = _register(settings, ids_file or settings.home / "schema-ids.json")
    if own_ids and not same and settings.schema_ids is None:
        raise click.ClickException(
            f"the registry gave other ids than those of schemas/: set HOURSTREAM_SCHEMA_IDS={path} for every process"
        )


def _register(settings: Settings, path: Path) -> tuple[Path, bool]:
    """Register, and note the ids in a file; whether they are those of schemas/."""
    with _registry(settings) as registry:
        given = confluent.register(registry, str(settings.schema_registry_url), _contracts())
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(given), indent=1))
    part.replace(path)
    count = sum(map(len, given.ids.values()))
    same = all(own == theirs for ids in given.ids.values() for own, theirs in ids.items())
    console.print(
        f"{count} schemas are registered at {given.registry}; "
        + ("its ids are those of schemas/" if same else f"set HOURSTREAM_SCHEMA_IDS={path} for every process"),
        soft_wrap=True,
    )
    return path, same


@schemas.command()
@click.option("--write", is_flag=True, help=f"Write {DOCUMENT.relative_to(CHECKOUT)} instead of printing.")
def catalogue(write: bool) -> None:
    """Print every topic and field with owner, data class and readers."""
    text = document(_contracts(), processes())
    if write:
        DOCUMENT.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
