"""Makes a source record of a row: the fields of its contract, and a stable id.

If an export has no ids, the fields of its `key` make one. Rows of one key are separate records, numbered in the order
of the file (`repeats: separate`), or repeats of one record (`repeats: same`). Repeats may differ in their `join`
fields, for example one tag each, which are joined. Other differences are refused, because the right row is unknown.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.schema_types import Boolean, Long, Optional, Shape, Text
from sources.files.conventions import Conventions
from sources.files.detect import Recognised
from sources.files.tables import Row
from sources.mapping.contracts import Contracts, Json
from sources.reviews import Hold
from topics.catalogue import TRANSACTIONS

MOST_ROW_BYTES = 250_000  # of a file: a header beside the record holds the row
_TRUTH = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


class Unfit(ValueError):
    """A row that is no record; the message is for who corrects the file."""


@dataclass(slots=True)
class SourceRow:
    """A source record, and its row (or its joined rows). `record` is in JSON form.

    `made_id` is true if its id is made of the row's values; with a `hold` it waits for a person.
    """

    topic: str
    entity: str
    id: str
    record: dict[str, Json]
    line: int
    raw: bytes
    made_id: bool = False
    hold: Hold | None = None


@dataclass(slots=True)
class Joined:
    """Merge a row that repeats the same record."""

    into: SourceRow
    record: dict[str, Json]
    parts: tuple[str, ...] = ()


@dataclass(slots=True)
class Recorder:
    """Makes records of one entity of the rows of one file."""

    of: Recognised
    contracts: Contracts
    conventions: Conventions
    _seen: Counter[str] = field(default_factory=Counter)
    _standing: dict[str, SourceRow] = field(default_factory=dict)
    _joined_parts: dict[str, set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))

    def made(self, row: Row) -> SourceRow | Joined:
        """The record of a row, or the earlier record it belongs to. Raises Unfit; keeps nothing yet."""
        record = self._fields(row)
        layout, entity = self.of.layout, self.of.entity
        if not layout.key:
            own = str(record.get("id") or "")
            if not own:
                raise Unfit(f"{self._named('id')} is empty, so the record cannot be identified")
            if "\ufffd" in own:
                raise Unfit(f"{self._named('id')} is {own!r}, of which a letter is lost; correct it")
            first = self._standing.get(own)
            if first is not None and first.record == record:
                return Joined(first, {})
            return SourceRow(entity.topic, entity.name, own, record, row.line, row.raw)
        key = _digest([record[name] for name in layout.key])
        hold = None
        if layout.repeats == "same" and key in self._standing:
            first = self._standing[key]
            if self._parts(record) not in self._joined_parts[key] or not self._is_billed():
                return self._joined(first, record)
            hold = Hold(
                f"line {row.line} is wholly alike line {first.line}: is it work of its own (both), or a duplicate?"
            )
        repeat = self._seen[key] + 1
        own = key if repeat == 1 else f"{key}-{repeat}"
        return SourceRow(entity.topic, entity.name, own, {"id": own, **record}, row.line, row.raw, True, hold)

    def _is_billed(self) -> bool:
        """Whether facts are made of the rows; those of reference data that are wholly alike say a thing twice."""
        return any(publication.topic in TRANSACTIONS for publication in self.of.entity.publish)

    def _parts(self, record: Mapping[str, Json]) -> tuple[str, ...]:
        """What a record has in the columns that are joined."""
        return tuple(str(record[name] or "") for name in self.of.layout.joined)

    def said(self, row: Row) -> dict[str, str]:
        """The values of a row in each text column, whether or not it is a record."""
        found = {name: row.values.get(header) for name, header in self.of.headers.items()}
        return {name: value.strip() for name, value in found.items() if isinstance(value, str)}

    def keep(self, made: SourceRow | Joined, raw: bytes) -> None:
        """Note a record that is taken, so that the next rows are held against it; of a joined row also its bytes."""
        if isinstance(made, Joined):
            made.into.record.update(made.record)
            self._joined_parts[made.into.id].add(made.parts)
            if len(made.into.raw) + len(raw) <= MOST_ROW_BYTES:  # they are one header of one record
                made.into.raw += raw
        elif self.of.layout.key:
            key = made.id.partition("-")[0]
            self._seen[key] += 1
            self._standing.setdefault(key, made)
            self._joined_parts[key].add(self._parts(made.record))
        else:
            self._standing[made.id] = made

    def _fields(self, row: Row) -> dict[str, Json]:
        shape = self.contracts.shape(self.of.entity.topic)
        if shape is None:
            raise LookupError(f"no contract declares {self.of.entity.topic}")
        found: dict[str, Json] = {}
        for each in shape.fields:
            if each.name in self.of.layout.columns:
                header = self.of.headers.get(each.name)
                value = None if header is None else row.values.get(header)
                found[each.name] = self._value(each.name, each.shape, value)
        return found

    def _value(self, name: str, shape: Shape, value: object) -> Json:
        inner = shape.inner if isinstance(shape, Optional) else shape
        text = value.strip() if isinstance(value, str) else value
        if text is None or text == "":
            if isinstance(shape, Optional) and not (name in self.of.layout.filled and name in self.of.headers):
                return None
            raise Unfit(f"{self._named(name)} is empty")
        match inner, text:
            case Text(), str():
                try:
                    return self.conventions.written(name, text)
                except ValueError as doubtful:
                    raise Unfit(f"{self._named(name)}: {doubtful}") from None
            case Text(), bool():
                return str(text).lower()
            case (Text(), int()):
                return str(text)
            case (Long(), int()) if not isinstance(text, bool):
                return text
            case (Long(), str()) if text.removeprefix("-").isdecimal():
                return int(text)
            case Boolean(), bool():
                return text
            case (Boolean(), str()) if text.lower() in _TRUTH:
                return _TRUTH[text.lower()]
        raise Unfit(f"{self._named(name)} is {value!r}, which is no {_SAID[type(inner)]}")

    def _named(self, name: str) -> str:
        """A field as the file's reader knows it: by its header."""
        return repr(self.of.headers.get(name, self.of.layout.columns[name][0]))

    def _joined(self, first: SourceRow, record: dict[str, Json]) -> Joined:
        joined: dict[str, Json] = {}
        for name, value in record.items():
            before = first.record[name]
            if name in self.of.layout.joined:
                parts = [str(part) for part in (before, value) if part is not None]
                words = dict.fromkeys(word.strip() for part in parts for word in part.split(","))
                joined[name] = ", ".join(words) or None
            elif value != before:
                key = ", ".join(self._named(each) for each in self.of.layout.key)
                raise Unfit(
                    f"is the record of line {first.line} over again (equal in {key}) but differs in "
                    f"{self._named(name)}: {value!r}, not {before!r}; remove or correct one of them"
                )
        return Joined(first, joined, self._parts(record))


_SAID: dict[type, str] = {Text: "text", Long: "whole number", Boolean: "yes or no"}


def _digest(values: list[Json]) -> str:
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()[:20]
