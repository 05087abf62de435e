"""Publishes changes of a workbook: all of them in one Kafka transaction, each as the next revision of its identity.

Only one publication is on its way at a time: a later one ends an earlier one, which then publishes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Producer

from common.errors import InvalidRecord
from operations.firm.changes import Change
from operations.firm.known import Known, read_known
from privacy.decrypt import Reading
from privacy.encrypt import Encryption
from schemas.codec import encode
from schemas.json_codec import from_json
from sources.workbook.record_check import SOURCE, identity_of
from streaming.topic_reader import topic_ends
from streaming.transactions import producer_config
from topics.catalogue import MASTERS, check, check_size, key_of
from topics.dead_letter_record import clean

_TRANSACTION_MS, _SECONDS = 60_000, 60


class PublicationRefused(RuntimeError):
    """Nothing was published; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A record as it is published: sealed where personal data is sealed."""

    topic: str
    value: Mapping[str, Any]
    """In JSON form, with source, revision and time."""

    @property
    def identity(self) -> tuple[str, str, str]:
        """(topic, engagement or empty, id)."""
        return identity_of(self.topic, self.value)


def ready(changes: Iterable[Change], at: datetime, sealing: Encryption | None) -> list[Ready]:
    """The records of changes, complete. Raises InvalidRecord for one that is too large."""
    instant = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found = []
    for change in changes:
        topic = change.record.topic
        given = {"source": SOURCE, "occurred_at": instant, **change.record.value, "revision": change.revision}
        _, value = (change.record.key, given) if sealing is None else sealing.record(topic, change.record.key, given)
        if not isinstance(value, dict):
            raise InvalidRecord(f"{topic}: {change.record.id} is no record")
        _encoded(topic, value)
        found.append(Ready(topic, value))
    return found


def _encoded(topic: str, value: Mapping[str, Any]) -> tuple[bytes, bytes]:
    record = from_json(topic, value)
    key, encoded = key_of(topic, record).encode(), encode(topic, record)
    check(topic, key, record)
    check_size(topic, len(encoded) + len(key))
    return key, encoded


class FirmPublisher:
    """The one publisher of workbooks. A later one fences the earlier ones, so nothing changes behind its comparison."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        settings = {"transactional.id": "hourstream-publish", "transaction.timeout.ms": _TRANSACTION_MS, "log_level": 0}
        self._producer = Producer({**producer_config(broker), **settings})
        self._producer.init_transactions(_SECONDS)
        self._ends: dict[tuple[str, int], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.flush(1)

    def known(self, topics: Iterable[str], look: Reading | None) -> Known:
        """The winning records of all masters and of some topics, by which revisions are numbered."""
        wanted = tuple(dict.fromkeys((*MASTERS, *topics)))
        self._ends = topic_ends(self._broker, wanted)
        return read_known(self._broker, wanted, look)

    def publish(self, records: Sequence[Ready], headers: Mapping[str, str]) -> None:
        """All records or none. Raises PublicationRefused, KafkaException.

        Refused where one of the topics has grown since `known`: another writer may have given the same revisions.
        """
        topics = {each.topic for each in records}
        before = {where: end for where, end in self._ends.items() if where[0] in topics}
        if topic_ends(self._broker, sorted(topics)) != before:
            raise PublicationRefused("the topics have changed meanwhile, so nothing was published; publish again")
        self._producer.begin_transaction()
        try:
            for each in records:
                self._produce(each, {name: clean(content).encode() for name, content in headers.items()})
            if self._producer.flush(_SECONDS):
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            self._producer.commit_transaction(_SECONDS)
        except KafkaException as error:
            if error.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH):
                raise PublicationRefused(
                    "another `hourstream publish` began after this one, so this one published nothing; publish again"
                ) from error
            self._producer.abort_transaction(_SECONDS)
            raise
        except BaseException:
            self._producer.abort_transaction(_SECONDS)
            raise

    def _produce(self, each: Ready, headers: Mapping[str, bytes]) -> None:
        key, encoded = _encoded(each.topic, each.value)
        while True:
            try:
                self._producer.produce(each.topic, encoded, key, headers=dict(headers))
                break
            except BufferError:  # librdkafka's queue is full: serve deliveries until there is room
                self._producer.poll(0.1)
        self._producer.poll(0)
