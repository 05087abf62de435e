"""Decodes the broker's records and checks them against their contract: the one way in for every reader."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from common.errors import InvalidRecord
from schemas.codec import decode_for
from schemas.errors import Undecodable
from topics.catalogue import MASTERS, check, check_size
from topics.dead_letter_record import clean

log = logging.getLogger("hourstream.records")


class Stored(Protocol):
    """A record with its position."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


Found = TypeVar("Found", bound=Stored)


def decoded(record: Stored) -> dict[str, Any]:
    """The value of a record. Raises Undecodable or InvalidRecord for a dead letter of DOMAIN.md §1.9."""
    if record.value is None:
        raise Undecodable("the record has no value; nothing in this system is deleted by a tombstone")
    check_size(record.topic, len(record.value) + len(record.key or b""))
    value = decode_for(record.topic, record.value)
    check(record.topic, record.key, value)
    return value


def valid(records: Iterable[Found]) -> Iterator[tuple[Found, dict[str, Any]]]:
    """(record, value) of records that keep their contract, for readers without effects; the others are logged."""
    for record in records:
        try:
            value = decoded(record)
        except (Undecodable, InvalidRecord) as error:
            log.warning("%s[%d]@%d is skipped: %s", record.topic, record.partition, record.offset, error)
        else:
            yield record, value


def current_masters(records: Iterable[Found]) -> Iterator[tuple[Found, str, str, dict[str, Any]]]:
    """(record, master topic, id, value) of the records of `masters.current`; foreign records are logged.

    A record that an earlier version accepted stays valid, whatever the bounds are today.
    """
    for record in records:
        topic, _, identity = (record.key or b"").decode(errors="replace").partition(":")
        try:
            if topic not in MASTERS or record.value is None:
                raise Undecodable("it is no master record")
            value = decode_for(topic, record.value)
        except Undecodable as error:
            log.warning("masters.current[%d]@%d is skipped: %s", record.partition, record.offset, error)
        else:
            yield record, topic, identity, value


def header_text(record: Stored, name: str) -> str | None:
    """A header as text that everything can hold; None where the record has none of the name."""
    content = dict(record.headers).get(name)
    return None if content is None else clean(content.decode(errors="backslashreplace"))
