"""The file-backed registry: `ids.json` gives every subject its ids, the folders beside it the schemas.

A subject is `<topic>-value`. An id, once given, never means another schema: changing a schema means a new entry at
the end of its subject's list.
"""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import orjson

from schemas.errors import UnknownSchema
from schemas.fingerprint import fingerprint
from schemas.shape import Json

_FOLDER = Path(__file__).parent


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


@dataclass(frozen=True)
class FileRegistry:
    """Ids and schemas of one `schemas/` folder, read once.

    Raises ValueError when the folder and its `ids.json` disagree, so that no process starts on a schema nobody
    released.
    """

    folder: Path = _FOLDER
    _ids: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _schemas: dict[int, dict[str, Json]] = field(default_factory=dict, init=False, repr=False)
    _subjects: dict[int, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        released = msgspec.json.decode((self.folder / "ids.json").read_bytes(), type=dict[str, list[Version]])
        files = {subject_of(path.stem): path for path in self.folder.rglob("*.avsc")}
        if lone := sorted(released.keys() ^ files.keys()):
            raise ValueError(f"{self.folder / 'ids.json'} and the .avsc files beside it disagree on {', '.join(lone)}")
        for subject, versions in released.items():
            self._take(subject, versions[-1], files[subject])

    def _take(self, subject: str, latest: Version, path: Path) -> None:
        schema: dict[str, Json] = orjson.loads(path.read_bytes())
        if fingerprint(schema) != latest.fingerprint:
            raise ValueError(
                f"{path} is not the schema released under id {latest.id}: "
                f"append a new id with fingerprint {fingerprint(schema)} to {subject} in ids.json"
            )
        if latest.id in self._subjects:
            raise ValueError(f"id {latest.id} is given to {self._subjects[latest.id]} and to {subject}")
        self._ids[subject] = latest.id
        self._schemas[latest.id] = schema
        self._subjects[latest.id] = subject

    def subjects(self) -> tuple[str, ...]:
        """Every subject, sorted."""
        return tuple(sorted(self._ids))

    def id_of(self, subject: str) -> int:
        """The id under which records of the subject are written; UnknownSchema if there is none."""
        if subject not in self._ids:
            raise UnknownSchema(f"no schema is kept for {subject}")
        return self._ids[subject]

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
