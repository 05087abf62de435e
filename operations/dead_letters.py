"""Dead letters: listed, shown, and published again once what was wrong with them is repaired."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import InvalidRecord
from schemas.codec import decode_for
from schemas.errors import Undecodable
from schemas.json_codec import to_json
from streaming.publisher import RecordEncryption, RecordPublisher
from streaming.topic_reader import read_valid
from topics.catalogue import FACTS, TOPICS, check, key_of
from topics.dead_letter_record import DEAD_LETTERS

_REPUBLISHED = "dead.letter"  # header of a record that takes a dead letter's place


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter; its key is where the record was: topic:partition:offset, of a file name:0:line."""

    key: str
    at: int
    """Append time, milliseconds UTC."""
    record: Mapping[str, Any]

    @property
    def topic(self) -> str:
        """The topic of the record, or the name of its file."""
        return str(self.record["topic"])

    def content(self) -> object:
        """The record in JSON form where it can be decoded, else its text; None for a tombstone."""
        value: bytes | None = self.record["value"]
        if value is None:
            return None
        try:
            return to_json(self.topic, decode_for(self.topic, value))
        except (Undecodable, InvalidRecord, ValueError):
            return value.decode(errors="backslashreplace")


def dead_letters(broker: str) -> Iterator[DeadLetter]:
    """Every dead letter, oldest first of each partition; one a place, the last."""
    found = {
        (r.key or b"").decode(errors="replace"): (r.timestamp_ms, value)
        for r, value in read_valid(broker, [DEAD_LETTERS])
    }
    yield from (DeadLetter(key, at, value) for key, (at, value) in found.items())


def find(broker: str, key: str) -> DeadLetter:
    """The letter of a key. Raises InvalidRecord."""
    for letter in dead_letters(broker):
        if letter.key == key:
            return letter
    raise InvalidRecord(f"there is no dead letter {key}: see `hourstream dead-letters list`")


def republish(
    broker: str,
    letter: DeadLetter,
    corrected: object | None,
    headers: Mapping[str, str],
    sealing: RecordEncryption | None,
) -> tuple[str, str]:
    """Publish the record of a letter again: as it is, or `corrected` in JSON form; its topic and key.

    It is held to its contract first. Raises InvalidRecord with all of its faults, KafkaException.
    """
    topic, value = _record(letter) if corrected is None else (_topic(letter), corrected)
    if not isinstance(value, dict):
        raise InvalidRecord(f"{topic}: a record is a JSON object")
    try:
        key = key_of(topic, value)
    except KeyError as missing:
        raise InvalidRecord(f"{topic}: {missing.args[0]} is missing") from None
    publisher = RecordPublisher(broker, sealing)
    publisher.publish(topic, key, value, {**headers, _REPUBLISHED: letter.key})
    publisher.finish()
    return topic, key


def _topic(letter: DeadLetter) -> str:
    if letter.topic in TOPICS:
        return letter.topic
    topic = _line(letter).get("topic")
    if topic not in FACTS:
        raise InvalidRecord(f"{letter.key} is a row of a file: correct the file, and publish or ingest it again")
    return str(topic)


def _record(letter: DeadLetter) -> tuple[str, object]:
    """The topic and the record of a letter as it is, checked by today's contract."""
    if letter.topic not in TOPICS:
        return _topic(letter), _line(letter).get("value")
    value: bytes | None = letter.record["value"]
    if value is None:
        raise InvalidRecord(f"{letter.key} is a tombstone, and nothing here is deleted by one")
    try:
        record = decode_for(letter.topic, value)
    except Undecodable as error:
        raise InvalidRecord(f"{letter.key} is still unreadable: {error}; give the record with --value") from None
    check(letter.topic, key_of(letter.topic, record).encode(), record)
    return letter.topic, to_json(letter.topic, record)


def _line(letter: DeadLetter) -> dict[str, Any]:
    try:
        found = json.loads(letter.record["value"] or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
