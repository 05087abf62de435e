"""Reading topics from their beginning to their committed end: for ledgers, audits and traces. Changes nothing."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streaming.admin import admin_client
from streaming.batch import Record
from streaming.reader import reader_config
from topics.records import valid

_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.1  # `consume` waits so long for a full batch, which the last one never is
# A topic just made, or one whose broker is coming back, has no leader for a moment.
_LEADERLESS = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}


def partitions_of(broker: str, topics: Sequence[str]) -> list[tuple[str, int]]:
    """(topic, partition) of all topics that exist."""
    listed = admin_client(broker).list_topics(timeout=30).topics
    return [(topic, number) for topic in topics if topic in listed for number in sorted(listed[topic].partitions)]


def topic_ends(broker: str, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """{(topic, partition): its end}, transaction markers and transactions still open included.

    The end of what is committed so far would not do to wait for: a commit is answered before its markers are written,
    so for a moment what was just committed seems not to be there.
    """
    admin = admin_client(broker)
    wanted = [TopicPartition(topic, number) for topic, number in partitions_of(broker, topics)]
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return _ends(admin, wanted)
        except KafkaException as error:
            if error.args[0].code() not in _LEADERLESS or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _ends(admin: AdminClient, wanted: Sequence[TopicPartition]) -> dict[tuple[str, int], int]:
    if not wanted:
        return {}
    ends = dict.fromkeys(wanted, OffsetSpec.latest())
    futures = admin.list_offsets(ends, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=30)
    return {(tp.topic, tp.partition): future.result().offset for tp, future in futures.items()}


def read_all(broker: str, topics: Sequence[str]) -> Iterator[Record]:
    """Every committed record that stands now; in offset order within a partition, partitions interleaved."""
    yield from read_partitions(broker, partitions_of(broker, topics))


def read_valid(broker: str, topics: Sequence[str]) -> Iterator[tuple[Record, dict[str, Any]]]:
    """(record, what it says) of those that keep their contract; the others are dead letters, and logged."""
    yield from valid(read_all(broker, topics))


def read_partitions(broker: str, wanted: Sequence[tuple[str, int]], begin: int = 0) -> Iterator[Record]:
    """The same for chosen partitions, from an offset on."""
    consumer = Consumer(reader_config(broker, "hourstream-reading"))
    try:
        open_ends = set(wanted)
        consumer.assign([TopicPartition(topic, number, begin) for topic, number in wanted])
        while open_ends:
            for message in consumer.consume(5000, _LOOK_SECONDS):
                where = (message.topic(), message.partition())
                if (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    open_ends.discard(where)
                    continue
                yield _record(message)
    finally:
        consumer.close()


def read_one(broker: str, topic: str, partition: int, offset: int) -> Record | None:
    """The record at an offset, None when there is none (a marker, or deleted)."""
    consumer = Consumer(reader_config(broker, "hourstream-reading"))
    try:
        consumer.assign([TopicPartition(topic, partition, offset)])
        for message in consumer.consume(1, 10.0):
            if message.error() is None and message.offset() == offset:
                return _record(message)
        return None
    finally:
        consumer.close()


def _record(message: object) -> Record:
    _, timestamp = message.timestamp()  # type: ignore[attr-defined]
    return Record(
        message.topic(),  # type: ignore[attr-defined]
        message.partition(),  # type: ignore[attr-defined]
        message.offset(),  # type: ignore[attr-defined]
        timestamp,
        message.key(),  # type: ignore[attr-defined]
        message.value(),  # type: ignore[attr-defined]
        message.headers() or (),  # type: ignore[attr-defined]
    )
