"""Reading topics from their beginning to their committed end: for ledgers, audits and traces. Changes nothing."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streaming.admin import admin_client
from streaming.batch import Record
from streaming.reader import reader_config
from streaming.retrying import PATIENCE_SECONDS, is_passing, retrying
from topics.records import valid

_LOOK_SECONDS = 0.1  # `consume` waits so long for a full batch, which the last one never is
_SILENCE_SECONDS = 60.0  # without a record or an end, however large the topic


def partitions_of(broker: str, topics: Sequence[str]) -> list[tuple[str, int]]:
    """(topic, partition) of all topics that exist."""
    admin = admin_client(broker)
    listed = retrying(lambda: admin.list_topics(timeout=10).topics)
    return [(topic, number) for topic in topics if topic in listed for number in sorted(listed[topic].partitions)]


def topic_ends(broker: str, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """{(topic, partition): its end}, transaction markers and transactions still open included.

    The end of what is committed so far would not do to wait for: a commit is answered before its markers are written,
    so for a moment what was just committed seems not to be there.
    """
    admin = admin_client(broker)
    wanted = [TopicPartition(topic, number) for topic, number in partitions_of(broker, topics)]
    return retrying(lambda: _ends(admin, wanted))


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
    """The same for chosen partitions, from an offset on.

    Resumes after transient errors. Raises KafkaException, also where nothing arrives for a minute.
    """
    left, last_seen = dict.fromkeys(wanted, begin), time.monotonic()
    while left:
        consumer = Consumer(reader_config(broker, "hourstream-reading"))  # never assigned twice: see streaming.reader
        try:
            consumer.assign([TopicPartition(topic, number, at) for (topic, number), at in left.items()])
            error: KafkaError | None = None
            while left and error is None:
                messages = consumer.consume(5000, _LOOK_SECONDS)
                for message in messages:
                    where = (message.topic(), message.partition())
                    if (found := message.error()) is None:
                        yield Record.of(message)
                        left[where] = message.offset() + 1
                        last_seen = time.monotonic()
                    elif found.code() == KafkaError._PARTITION_EOF:
                        left.pop(where, None)
                        last_seen = time.monotonic()
                    else:
                        error = found
                        break
                if not messages and time.monotonic() - last_seen > _SILENCE_SECONDS:
                    error = KafkaError(KafkaError._TIMED_OUT, f"nothing arrived for {_SILENCE_SECONDS:g} s")
            if error is not None and (not is_passing(error) or time.monotonic() - last_seen > PATIENCE_SECONDS):
                raise KafkaException(error)
        finally:
            consumer.close()
        if left:
            time.sleep(_LOOK_SECONDS)


def read_one(broker: str, topic: str, partition: int, offset: int) -> Record | None:
    """The record at an offset, None when there is none (a marker, or deleted)."""
    consumer = Consumer(reader_config(broker, "hourstream-reading"))
    try:
        consumer.assign([TopicPartition(topic, partition, offset)])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for message in consumer.consume(1, 1.0):
                error = message.error()
                if error is None:
                    return Record.of(message) if message.offset() == offset else None
                if not is_passing(error):
                    return None  # its partition's end, or no such offset
        return None
    finally:
        consumer.close()
