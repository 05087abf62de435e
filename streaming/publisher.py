"""Publishes records on their topics in order, outside of a batch's transaction."""

from collections.abc import Mapping
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from common.errors import InvalidRecord
from schemas.codec import encode
from schemas.json_codec import from_json
from streaming.producing import produce
from streaming.transactions import producer_config
from topics.catalogue import check, check_size
from topics.dead_letter_record import clean


class RecordEncryption(Protocol):
    """What seals personal data before it is published (`privacy.encrypt`)."""

    def record(self, topic: str, key: str, value: object) -> tuple[str, object]:
        """Key and value of a record as they are to be published."""
        ...

    def line(self, file: str, content: bytes) -> str:
        """What a line of a file says that is no record."""
        ...


class RecordPublisher:
    """Publishes in order; `finish` returns when the broker has acknowledged everything.

    With a `sealing`, personal data is sealed on the way.
    """

    def __init__(self, broker: str, sealing: RecordEncryption | None = None) -> None:
        self._sealing = sealing
        self._producer = Producer(producer_config(broker))
        self._failed: list[KafkaError] = []
        self.published = 0

    def publish(self, topic: str, key: str, value: object, headers: Mapping[str, str] | None = None) -> None:
        """One record in its JSON form. Raises InvalidRecord with all of its faults, or UnknownSchema."""
        record = from_json(topic, value)
        check(topic, _bytes(key), record)
        if self._sealing is not None:
            key, sealed = self._sealing.record(topic, key, value)
            record = from_json(topic, sealed)
        encoded = encode(topic, record)
        check_size(topic, len(encoded) + len(key.encode()))
        self._produce(topic, key.encode(), encoded, headers)
        self.published += 1

    def _produce(self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None) -> None:
        encoded = {name: clean(content).encode() for name, content in (headers or {}).items()}
        produce(self._producer, topic, key, value, encoded, self._acknowledged)

    def _acknowledged(self, error: KafkaError | None, message: object) -> None:
        if error is not None:
            self._failed.append(error)

    def finish(self) -> None:
        """Raises KafkaException when a record was not acknowledged."""
        unsent = self._producer.flush(120)
        if unsent or self._failed:
            raise KafkaException(self._failed[0] if self._failed else KafkaError(KafkaError._TIMED_OUT))


def _bytes(key: str) -> bytes:
    try:
        return key.encode()
    except UnicodeEncodeError as broken:
        raise InvalidRecord(f"the key is no text: {broken.reason}") from None
