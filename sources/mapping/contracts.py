"""A mapping's view of the contracts: a topic's fields, and the check of a canonical record."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from schemas import codec, json_codec
from schemas.errors import UnknownSchema
from schemas.schema_types import AvroRecord
from topics import catalogue

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"


class Checked(NamedTuple):
    """A record of a canonical topic in Python form, with its Kafka key and its id."""

    key: str
    identity: str
    record: dict[str, Any]


class Contracts(Protocol):
    """The contracts a mapping is read against; tests of the language bring their own."""

    def shape(self, topic: str) -> AvroRecord | None:
        """The fields of a topic's records; None for an undeclared topic."""
        ...

    def checked(self, topic: str, content: Mapping[str, Json]) -> Checked:
        """The record that a JSON value says; ValueError names the field that does not fit."""
        ...


class DeclaredContracts:
    """The contracts of `schemas/` and `topics/`."""

    def shape(self, topic: str) -> AvroRecord | None:
        if topic not in catalogue.TOPICS:
            return None
        try:
            return codec.shape(topic)
        except UnknownSchema:
            return None

    def checked(self, topic: str, content: Mapping[str, Json]) -> Checked:
        record = json_codec.from_json(topic, content)
        key = catalogue.key_of(topic, record)
        catalogue.check(topic, key.encode(), record)
        return Checked(key, catalogue.identity(topic, record), record)
