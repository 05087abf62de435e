"""Intake's state, as rows of a partition.

    SYSTEM record ENTITY ID            the source record as it stands, its source revision and where it came from
    SYSTEM record $review ENTITY:ID    the last review of it
    SYSTEM outcome ENTITY ID           what was made of it: what is published, what it waits for, or why not
    SYSTEM index LINK ID               how many records were ever put under this id of a link
    SYSTEM index LINK ID PAGE          the ids of up to 64 of them: one row each would be most of the state
    SYSTEM waiting                     how many records wait for each entity

Words are joined by NUL; values are MessagePack, those of index rows plain text. Contents are JSON values, typed `Any`
because msgspec decodes no recursive type.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from schemas.bound_checks import shortened
from schemas.bounds import MOST_ID
from sources.mapping.errors import Unusable
from topics import state_keys
from topics.state_keys import RowKind

_NUL = "\0"
_PAGE = 64


class RowState(Protocol):
    """A partition's state: the batch plane's, or a dictionary in tests."""

    def get(self, key: bytes) -> bytes | None: ...
    def put(self, key: bytes, value: bytes) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]: ...


class SourceOrigin(msgspec.Struct, frozen=True, array_like=True):
    """The position of a source record in Kafka, and its append time (ms since the epoch)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class SourceRecordState(msgspec.Struct, frozen=True):
    """A stored source record. `conflict`: other content arrived under the same source revision; `held`: why it came
    with a hold."""

    record: dict[str, Any]
    revision: int | str | None
    origin: SourceOrigin
    conflict: str | None = None
    held: str | None = None


class PublishedRecord(msgspec.Struct, frozen=True, array_like=True):
    """A canonical record as last published, without the `source` and `revision` that intake fills."""

    topic: str
    revision: int
    content: dict[str, Any]


class MappingFault(msgspec.Struct, frozen=True):
    """The fault of an unmappable source record; `first_seen_ms` is the append time of the record that showed it.

    `missing` is (kind, id) of the object that would heal it.
    """

    code: str
    message: str
    first_seen_ms: int
    attempts: int
    missing: tuple[str, str] | None = None


class MappingOutcome(msgspec.Struct, frozen=True):
    """The result for a source record. `missing` is (entity, id) of the look-up it waits for."""

    published: dict[str, PublishedRecord] = {}
    missing: tuple[str, str] | None = None
    fault: MappingFault | None = None


_encode = msgspec.msgpack.Encoder().encode
_standing = msgspec.msgpack.Decoder(SourceRecordState).decode
_outcome = msgspec.msgpack.Decoder(MappingOutcome).decode
_counts = msgspec.msgpack.Decoder(dict[str, int]).decode
_NOTHING = MappingOutcome()


def id_text(value: object) -> str | None:
    """An id as part of a key; None for an empty one. Raises Unusable for an invalid value (DOMAIN §1.10)."""
    if value is None or value == "":
        return None
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, str | int) or _NUL in text:
        raise Unusable(f"{shortened(value)} is no id")
    if len(text) > MOST_ID:
        raise Unusable(f"{shortened(text)} is too long for an id: give at most {MOST_ID} characters")
    return text


class SystemRows:
    """The rows of one system in a partition's state."""

    def __init__(self, state: RowState, system: str) -> None:
        self._state = state
        self._system = system

    def _key(self, kind: RowKind, *words: str) -> bytes:
        return _NUL.join((self._system, kind.prefix.decode(), *words)).encode()

    def standing(self, entity: str, record_id: str) -> SourceRecordState | None:
        row = self._state.get(self._key(state_keys.RECORD, entity, record_id))
        return None if row is None else _standing(row)

    def set_standing(self, entity: str, record_id: str, standing: SourceRecordState | None) -> None:
        key = self._key(state_keys.RECORD, entity, record_id)
        if standing is None:
            self._state.delete(key)
        else:
            self._state.put(key, _encode(standing))

    def outcome(self, entity: str, record_id: str) -> MappingOutcome:
        row = self._state.get(self._key(state_keys.OUTCOME, entity, record_id))
        return _NOTHING if row is None else _outcome(row)

    def set_outcome(self, entity: str, record_id: str, before: MappingOutcome, after: MappingOutcome) -> None:
        """Store an outcome and update the counts of waiting records."""
        if after == before:
            return
        key = self._key(state_keys.OUTCOME, entity, record_id)
        if after == _NOTHING:
            self._state.delete(key)
        else:
            self._state.put(key, _encode(after))
        if before.missing != after.missing:
            self._count(before.missing, -1)
            self._count(after.missing, +1)

    def _count(self, missing: tuple[str, str] | None, step: int) -> None:
        if missing is None:
            return
        counts = self.waiting()
        counts[missing[0]] = counts.get(missing[0], 0) + step
        self._state.put(
            self._key(state_keys.WAITING), _encode({name: count for name, count in counts.items() if count})
        )

    def waiting(self) -> dict[str, int]:
        """The number of waiting records, by the entity they wait for."""
        row = self._state.get(self._key(state_keys.WAITING))
        return {} if row is None else _counts(row)

    def waiting_records(self) -> Iterator[tuple[str, str, tuple[str, str]]]:
        """(entity, id, (entity, id) missing) of each waiting record: a scan of all outcomes, for displays."""
        for key, row in self._state.scan(self._key(state_keys.OUTCOME, "")):
            outcome = _outcome(row)
            if outcome.missing is not None:
                _, _, entity, record_id = key.decode().split(_NUL)
                yield entity, record_id, outcome.missing

    def linked(self, index: str, target_id: str) -> Iterator[str]:
        """The ids stored under `target_id`."""
        for page in range(-(-self._put_under(index, target_id) // _PAGE)):
            ids = self._state.get(self._key(state_keys.INDEX, index, target_id, str(page)))
            if ids:
                yield from ids.decode().split(_NUL)

    def link(self, index: str, target_id: str, record_id: str) -> None:
        """Put an id under another; it must not be there yet."""
        put = self._put_under(index, target_id)
        page_key = self._key(state_keys.INDEX, index, target_id, str(put // _PAGE))
        page = self._state.get(page_key)
        self._state.put(page_key, page + b"\0" + record_id.encode() if page else record_id.encode())
        self._state.put(self._key(state_keys.INDEX, index, target_id), str(put + 1).encode())

    def unlink(self, index: str, target_id: str, record_id: str) -> None:
        """Take an id away from under another."""
        for page in range(-(-self._put_under(index, target_id) // _PAGE)):
            page_key = self._key(state_keys.INDEX, index, target_id, str(page))
            ids = (self._state.get(page_key) or b"").decode().split(_NUL)
            if record_id in ids:
                self._state.put(page_key, _NUL.join(kept for kept in ids if kept != record_id).encode())
                return

    def _put_under(self, index: str, target_id: str) -> int:
        return int(self._state.get(self._key(state_keys.INDEX, index, target_id)) or 0)
