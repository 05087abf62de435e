"""A client for schema registries with Confluent's API (Apicurio, Confluent's own): registers on deploy, and checks.

Workers never call it: `register` writes the registry's ids to a file that they read at start.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Protocol
from urllib.parse import urlsplit

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from common.json_types import Json
from schemas.registry import GivenIds
from schemas.released import SubjectVersions

_INCOMPATIBLE, _NOT_FOUND = 409, 404
_PATIENCE_SECONDS = 30


class RegistryRefuses(RuntimeError):
    """The registry refuses a released schema, or gives one id to two of them; the message names the remedy."""


class RegistryClient(Protocol):
    """The calls of confluent-kafka's client that are in use; its errors are SchemaRegistryError and httpx's."""

    def register_schema(self, subject_name: str, schema: Schema) -> int: ...
    def set_compatibility(self, subject_name: str, level: str) -> str: ...
    def test_compatibility_all_versions(self, subject_name: str, schema: Schema) -> bool: ...
    def get_versions(self, subject_name: str) -> list[int]: ...
    def get_schema(self, schema_id: int) -> Schema: ...
    def close(self) -> None: ...


@contextmanager
def client(url: str, ca: str | None = None) -> Iterator[RegistryClient]:
    """A client for the address; `ca`: a file of certificates to trust in place of the usual ones. Connects later."""
    conf: dict[str, object] = {"url": url, "timeout": _PATIENCE_SECONDS, "max.retries": 1}
    made: RegistryClient = SchemaRegistryClient(conf | ({"ssl.ca.location": ca} if ca else {}))
    with closing(made):
        yield made


def address(url: str) -> str:
    """The address without credentials, for a file or a message."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def register(registry: RegistryClient, url: str, contracts: Mapping[str, SubjectVersions]) -> GivenIds:
    """Register every released version under its promise, in order of its id; registered versions stay.

    Raises RegistryRefuses; SchemaRegistryError if the registry answers with another error.
    """
    ids: dict[str, dict[int, int]] = {contract.subject: {} for contract in contracts.values()}
    for contract in contracts.values():
        registry.set_compatibility(contract.subject, f"{contract.promise}_TRANSITIVE")
    versions = ((id_, contract) for contract in contracts.values() for id_ in contract.released)
    for own, contract in sorted(versions, key=lambda version: version[0]):
        try:
            given = registry.register_schema(contract.subject, _schema(contract.released[own]))
        except SchemaRegistryError as error:
            if error.http_status_code == _INCOMPATIBLE:
                raise RegistryRefuses(f"the registry refuses {contract.topic} {own}: {error.error_message}") from None
            raise
        ids[contract.subject][own] = given
    _hold_apart(ids)
    return GivenIds(address(url), ids)


def refuses(registry: RegistryClient, contract: SubjectVersions) -> bool:
    """Whether the registry would refuse the working schema, by its versions of the subject and its compatibility
    setting.
    """
    try:
        if not registry.get_versions(contract.subject):
            return False
    except SchemaRegistryError as error:
        if error.http_status_code == _NOT_FOUND:
            return False
        raise
    return not registry.test_compatibility_all_versions(contract.subject, _schema(contract.working))


def _hold_apart(ids: Mapping[str, Mapping[int, int]]) -> None:
    seen: dict[int, tuple[str, int]] = {}
    for subject, given in ids.items():
        for own, theirs in given.items():
            if seen.setdefault(theirs, (subject, own)) != (subject, own):
                raise RegistryRefuses(f"the registry gave id {theirs} to {seen[theirs]} and to {(subject, own)}")


def _schema(content: Mapping[str, Json]) -> Schema:
    return Schema(json.dumps(content, ensure_ascii=False), "AVRO")
