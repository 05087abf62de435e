"""The file-backed registry: `ids.json` gives every subject its ids, the folders beside it the schemas.

A subject is `<topic>-value`. An id, once given, never means another schema: changing a schema means a new entry at the
end of its subject's list, and `released/TOPIC/ID.avsc` keeps the schema of each id (`hourstream schemas release`).

If a schema registry gave the same schemas other ids (`hourstream schemas register`), records carry those: the variable
HOURSTREAM_SCHEMA_IDS names the file with them. The registry is not called again, neither at start nor per record.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec
import orjson

from common.json_types import Json
from schemas.errors import UnknownSchema
from schemas.fingerprint import fingerprint

FOLDER = Path(__file__).parent
IDS_VARIABLE = "HOURSTREAM_SCHEMA_IDS"


class Version(msgspec.Struct, frozen=True):
    """One released schema of a subject."""

    id: int
    fingerprint: str


def subject_of(topic: str) -> str:
    """The subject of a topic's values."""
    return f"{topic}-value"


def topic_of(subject: str) -> str:
    """The topic of a subject."""
    return subject.removesuffix("-value")


class GivenIds(msgspec.Struct, frozen=True):
    """The ids that the registry at an address (without credentials) gave: {subject: {id here: id there}}."""

    registry: str
    ids: dict[str, dict[int, int]]


def working_files(folder: Path = FOLDER) -> dict[str, Path]:
    """The present `.avsc` file of every subject, released or not."""
    kept = folder / "released"
    return {subject_of(path.stem): path for path in folder.rglob("*.avsc") if not path.is_relative_to(kept)}


def released_file(folder: Path, subject: str, schema_id: int) -> Path:
    """The file with the schema of an id."""
    return folder / "released" / topic_of(subject) / f"{schema_id}.avsc"


def released_ids(folder: Path = FOLDER) -> dict[str, list[Version]]:
    """The content of `ids.json`: the versions of every subject, oldest first."""
    return msgspec.json.decode((folder / "ids.json").read_bytes(), type=dict[str, list[Version]])


@dataclass(frozen=True)
class FileRegistry:
    """Ids and schemas of one `schemas/` folder, read once; `given`: the ids of a registry in place of its own.

    Raises ValueError when the folder and its `ids.json` disagree, so that no process starts on an unreleased schema,
    and if `given` lacks an id.
    """

    folder: Path = FOLDER
    given: Mapping[str, Mapping[int, int]] | None = None
    _versions: dict[str, tuple[int, ...]] = field(default_factory=dict, init=False, repr=False)
    _own: dict[str, tuple[int, ...]] = field(default_factory=dict, init=False, repr=False)
    _schemas: dict[int, dict[str, Json]] = field(default_factory=dict, init=False, repr=False)
    _subjects: dict[int, str] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of_this_process(cls) -> Self:
        """The project's own, with the ids of the file that HOURSTREAM_SCHEMA_IDS names, if it names one."""
        name = os.environ.get(IDS_VARIABLE)
        return cls(given=msgspec.json.decode(Path(name).read_bytes(), type=GivenIds).ids if name else None)

    def __post_init__(self) -> None:
        released, files = released_ids(self.folder), working_files(self.folder)
        if lone := sorted(released.keys() ^ files.keys()):
            raise ValueError(f"{self.folder / 'ids.json'} and the .avsc files beside it disagree on {', '.join(lone)}")
        for subject, versions in released.items():
            for version in versions[:-1]:
                self._take(subject, version, released_file(self.folder, subject, version.id))
            self._take(subject, versions[-1], files[subject])

    def _take(self, subject: str, version: Version, path: Path) -> None:
        schema: dict[str, Json] = orjson.loads(path.read_bytes())
        if fingerprint(schema) != version.fingerprint:
            raise ValueError(
                f"{path} is not the schema released under id {version.id}: "
                f"append a new id with fingerprint {fingerprint(schema)} to {subject} in ids.json, "
                "or have `hourstream schemas release` do it"
            )
        schema_id = self._given(subject, version.id)
        if schema_id in self._subjects:
            raise ValueError(f"id {schema_id} is given to {self._subjects[schema_id]} and to {subject}")
        self._versions[subject] = (*self._versions.get(subject, ()), schema_id)
        self._own[subject] = (*self._own.get(subject, ()), version.id)
        self._schemas[schema_id] = schema
        self._subjects[schema_id] = subject

    def _given(self, subject: str, own: int) -> int:
        if self.given is None:
            return own
        if own not in self.given.get(subject, {}):
            raise ValueError(
                f"the registry has given no id to {subject} {own}: run `hourstream schemas register` again"
            )
        return self.given[subject][own]

    def subjects(self) -> tuple[str, ...]:
        """Every subject, sorted."""
        return tuple(sorted(self._versions))

    def id_of(self, subject: str) -> int:
        """The id under which records of the subject are written; UnknownSchema if there is none."""
        return self.ids_of(subject)[-1]

    def ids_of(self, subject: str) -> tuple[int, ...]:
        """The ids of every version of the subject, oldest first; UnknownSchema if there is none."""
        if subject not in self._versions:
            raise UnknownSchema(f"no schema is kept for {subject}")
        return self._versions[subject]

    def own_ids_of(self, subject: str) -> tuple[int, ...]:
        """The same as `ids.json` has them, whatever a registry gave: of before it did, there may be records."""
        self.ids_of(subject)
        return self._own[subject]

    def schema_of(self, schema_id: int) -> dict[str, Json]:
        """The schema of an id; UnknownSchema if there is none."""
        if schema_id not in self._schemas:
            raise UnknownSchema(f"no schema has the id {schema_id}")
        return self._schemas[schema_id]

    def subject_with(self, schema_id: int) -> str:
        """The subject an id belongs to; UnknownSchema if there is none."""
        if schema_id not in self._subjects:
            raise UnknownSchema(f"no schema has the id {schema_id}")
        return self._subjects[schema_id]
