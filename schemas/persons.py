"""Reads from the schemas which person a record is about and which fields are erased with that person.

A record's attribute `person` names the person, as text around fields (`${first_name} ${last_name}`): the person's
identity in the system. A field's attribute `erasable` is true if it must be erased with that person: a name, an
address, free text. If other topics of a system use another name for the person, `known_as` defines it on the record
that has both: Tock's lines name only a timecard, and the timecard its user. All three are documentation: no byte of a
record depends on them, so they need no new id.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import orjson

from common.json_types import Json
from schemas.registry import working_files

UPSTREAM = "source."
_HOLE = re.compile(r"\$\{([a-z0-9_]+)\}")


class PersonFields(NamedTuple):
    """The person of a topic's records, and the fields that are erased with that person."""

    person: str
    erasable: frozenset[str]
    known_as: str | None = None

    @property
    def named_by(self) -> tuple[str, ...]:
        """The fields that say who a record is about."""
        return tuple(_HOLE.findall(self.person))

    def identity(self, record: Mapping[str, object]) -> str | None:
        """The person of a record; None if a field of the person's name is empty."""
        return _filled(self.person, record)

    def other_identity(self, record: Mapping[str, object]) -> str | None:
        """The name of that person in other topics of the system; None if the name is the same there."""
        return None if self.known_as is None else _filled(self.known_as, record)


def _filled(text: str, record: Mapping[str, object]) -> str | None:
    said = {name: record.get(name) for name in _HOLE.findall(text)}
    if any(isinstance(value, bool) or not isinstance(value, str | int) or value == "" for value in said.values()):
        return None
    return _HOLE.sub(lambda hole: str(said[hole[1]]), text)


def persons_of(topic: str) -> PersonFields | None:
    """The persons of a topic's schema; None if its records are about no person."""
    return _known().get(topic)


def topics_of_persons() -> tuple[str, ...]:
    """The topics of sources whose records are about persons."""
    return tuple(sorted(topic for topic in _known() if topic.startswith(UPSTREAM)))


def topics_of_other_identities() -> tuple[str, ...]:
    """The topics that say what else a person is called."""
    return tuple(sorted(topic for topic, persons in _known().items() if persons.known_as is not None))


def system_of(topic: str) -> str:
    """The system whose name for a person a topic uses: that of `source.SYSTEM.ENTITY`, else our own, which is empty."""
    return topic.split(".")[1] if topic.startswith(UPSTREAM) else ""


@cache
def systems() -> frozenset[str]:
    """The systems whose records are about persons."""
    return frozenset(system_of(topic) for topic in _known() if topic.startswith(UPSTREAM))


@cache
def _known() -> dict[str, PersonFields]:
    found = {}
    for path in working_files().values():
        schema: dict[str, Json] = orjson.loads(path.read_bytes())
        if "person" in schema:
            fields = schema["fields"] if isinstance(schema["fields"], list) else []
            erasable = (str(field["name"]) for field in fields if isinstance(field, dict) and field.get("erasable"))
            known_as = schema.get("known_as")
            found[path.stem] = PersonFields(
                str(schema["person"]), frozenset(erasable), None if known_as is None else str(known_as)
            )
    return found
