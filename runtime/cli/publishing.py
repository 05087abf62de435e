"""Lines of `{"topic", "key", "value"}` onto their topics; what cannot be a record goes to `dead.letters` whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, Producer

from runtime.plane.transactional import producer_config
from schemas.codec import encode
from schemas.errors import InvalidRecord, UnknownSchema
from schemas.json_form import from_json
from tables.exceptions import instant
from topics.catalogue import MASTERS, TOPICS, TRANSACTIONS

DEAD_LETTERS = "dead.letters"
PUBLISHABLE = frozenset({*MASTERS, *TRANSACTIONS, *(name for name in TOPICS if name.startswith("source."))})


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line of a file that could not be published as what it says it is."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"


class Publisher:
    """Publishes in order; `finish` returns when the broker has acknowledged everything."""

    def __init__(self, broker: str) -> None:
        self._producer = Producer(producer_config(broker))
        self._failed: list[KafkaError] = []
        self.published = 0
        self.rejected: list[RejectedLine] = []

    def publish(self, topic: str, key: str, value: object, headers: Mapping[str, str] | None = None) -> None:
        """One record in its JSON form. Raises InvalidRecord or UnknownSchema."""
        self._produce(topic, key.encode(), encode(topic, from_json(topic, value)), headers)
        self.published += 1

    def publish_file(self, path: Path) -> None:
        """Every line of a file, in order; empty lines are none."""
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if raw.strip():
                    self._publish_line(path.name, number, raw.rstrip(b"\r\n"))

    def _publish_line(self, name: str, number: int, raw: bytes) -> None:
        try:
            line = json.loads(raw)
            if not isinstance(line, dict) or not {"topic", "key", "value"} <= line.keys():
                raise InvalidRecord('a line is an object with "topic", "key" and "value"')
            if not isinstance(line["topic"], str) or not isinstance(line["key"], str):
                raise InvalidRecord('"topic" and "key" are strings')
            if line["topic"] not in PUBLISHABLE:
                raise InvalidRecord(
                    f"{line['topic']} is no topic of facts or of a source: see `hourstream topics list`"
                )
            self.publish(line["topic"], line["key"], line["value"])
        except (ValueError, RecursionError, UnknownSchema) as error:
            why = f"no JSON: {error}" if isinstance(error, json.JSONDecodeError) else str(error)
            self._reject(RejectedLine(name, number, why), raw)

    def _reject(self, line: RejectedLine, raw: bytes) -> None:
        self.rejected.append(line)
        value = {
            "topic": line.file,
            "partition": 0,
            "offset": line.line,
            "timestamp": instant(0),
            "key": None,
            "value": raw,
            "headers": [],
            "error": str(line),
            "stage": "run",
        }
        self._produce(DEAD_LETTERS, f"{line.file}:0:{line.line}".encode(), encode(DEAD_LETTERS, value))

    def _produce(self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None) -> None:
        encoded = {name: content.encode() for name, content in (headers or {}).items()}
        while True:
            try:
                self._producer.produce(topic, value, key, headers=encoded, on_delivery=self._acknowledged)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)

    def _acknowledged(self, error: KafkaError | None, message: object) -> None:
        if error is not None:
            self._failed.append(error)

    def finish(self) -> None:
        """Raises KafkaException when a record was not acknowledged."""
        unsent = self._producer.flush(120)
        if unsent or self._failed:
            raise KafkaException(self._failed[0] if self._failed else KafkaError(KafkaError._TIMED_OUT))
