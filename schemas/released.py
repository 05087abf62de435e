"""The released baseline, `released/TOPIC/ID.avsc`: the schema of each id, independent of the schema's own file.

The owner of a schema promises, by its attribute `compatibility`, the guarantees of the next version:

    BACKWARD  (the default) its readers can read everything on the topic. Upgrade them first
    FULL      also, readers of any released version can read new records. Either side may be upgraded first

Both hold against every released version, not only the last: no record on a topic expires.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import orjson

from common.json_types import Json
from schemas.compatibility import Break, lost_defaults, unreadable
from schemas.fingerprint import fingerprint
from schemas.registry import FOLDER, Version, released_file, released_ids, topic_of, working_files
from schemas.schema_types import shape_of

Promise = Literal["BACKWARD", "FULL"]
Schema = Mapping[str, Json]


class Refusal(NamedTuple):
    """A change that a promise forbids: which reader cannot read which records."""

    found: Break
    by_old_readers: bool
    schema_id: int


@dataclass(frozen=True, slots=True)
class SubjectVersions:
    """A subject: its schema in the working tree, and its released versions by id, oldest first."""

    subject: str
    working: Schema
    released: Mapping[int, Schema]

    @property
    def topic(self) -> str:
        """The topic whose values it is of."""
        return topic_of(self.subject)

    @property
    def owner(self) -> str:
        """The owner."""
        return str(self.working["owner"])

    @property
    def promise(self) -> Promise:
        """The owner's promise; ValueError for an unknown word."""
        said = self.working.get("compatibility", "BACKWARD")
        if said == "BACKWARD":
            return "BACKWARD"
        if said == "FULL":
            return "FULL"
        raise ValueError(f"{self.topic}: compatibility is BACKWARD or FULL, not {said}")

    @property
    def changed(self) -> bool:
        """Whether the working schema differs in meaning from the released one."""
        return not self.released or fingerprint(self.working) != fingerprint(list(self.released.values())[-1])

    def refusals(self) -> Iterator[Refusal]:
        """Everything of the working schema that its promise forbids."""
        shape_of(self.working)  # ValueError for Avro that is not in use here
        for schema_id, before in self.released.items():
            for found in (*unreadable(self.working, before), *lost_defaults(self.working, before)):
                yield Refusal(found, False, schema_id)
            if self.promise == "FULL":
                for found in unreadable(before, self.working):
                    yield Refusal(found, True, schema_id)


def read_contracts(folder: Path = FOLDER, *, unkept: bool = False) -> dict[str, SubjectVersions]:
    """Every contract of a `schemas/` folder by topic; `ids.json` need not know the latest changes.

    Raises ValueError where the baseline lacks a version or has another than was released. With `unkept`, a version that
    only `ids.json` knows yet may be lacking: it is no promise until it is kept.
    """
    ids, found = released_ids(folder), {}
    for subject, path in sorted(working_files(folder).items()):
        versions = ids.get(subject, [])
        if unkept:
            versions = [version for version in versions if released_file(folder, subject, version.id).exists()]
        kept = {version.id: _released(folder, subject, version) for version in versions}
        found[topic_of(subject)] = SubjectVersions(subject, _parsed(path), kept)
    if gone := sorted(ids.keys() - {contract.subject for contract in found.values()}):
        raise ValueError(f"released, and gone from {folder}: {', '.join(gone)}")
    return found


def release(folder: Path = FOLDER) -> dict[str, int]:
    """Give every changed contract its next id, and store its schema; returns {topic: id} of those.

    It does not check promises: see `Contract.refusals`.
    """
    ids, made = released_ids(folder), dict[str, int]()
    for subject, path in working_files(folder).items():
        schema = _parsed(path)
        versions = ids.setdefault(subject, [])
        if not versions or versions[-1].fingerprint != fingerprint(schema):
            highest = max((version.id for each in ids.values() for version in each), default=0)
            versions.append(Version(highest + 1, fingerprint(schema)))
            made[topic_of(subject)] = versions[-1].id
        kept = released_file(folder, subject, versions[-1].id)
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, kept)
    lines = [f"  {_json(subject)}: {_json(versions)}" for subject, versions in ids.items()]
    (folder / "ids.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return made


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode().replace("\n", " ")


def _released(folder: Path, subject: str, version: Version) -> Schema:
    path = released_file(folder, subject, version.id)
    if not path.exists():
        raise ValueError(f"{path} is missing: `hourstream schemas release` keeps what an id means")
    schema = _parsed(path)
    if fingerprint(schema) != version.fingerprint:
        raise ValueError(f"{path} is not what was released under id {version.id}")
    return schema


def _parsed(path: Path) -> dict[str, Json]:
    schema: dict[str, Json] = orjson.loads(path.read_bytes())
    return schema


if __name__ == "__main__":
    # A schema that is new in all keeps every command from starting until it has an id, so this needs none of them.
    for topic, schema_id in release().items():
        print(f"{topic} is {schema_id}")
