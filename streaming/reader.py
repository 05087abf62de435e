"""One librdkafka consumer for one partition number, over all source topics, assigned once in its life.

Assigning the same consumer again within milliseconds can abort librdkafka, and a shared reader that was moved while a
commit was under way doubled records in a fault run: so a reader is made for a partition and closed with it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from streaming.admin import QUIET
from streaming.batch import Record
from streaming.kafka_security import connection


class LostRecords(RuntimeError):
    """The next record to read is no longer in the topic: retention took it before it was processed."""


def reader_config(broker: str, group: str) -> dict[str, object]:
    """Consumer settings of every reader of the plane: committed records only, and no silent jump over a gap."""
    return {
        **connection(broker),
        **QUIET,
        "group.id": group,  # required by the client, never joined: readers are assigned, not subscribed
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "auto.offset.reset": "error",
        "fetch.wait.max.ms": 20,
        "fetch.message.max.bytes": 4 << 20,
        "queued.max.messages.kbytes": 4096,
        "fetch.queue.backoff.ms": 20,  # behind a backlog that queue is full all the time; by default it then rests 1 s
    }


@dataclass(slots=True)
class Buffer:
    """Records read and not yet handed over, and where they begin and end per topic."""

    starts: dict[str, int]
    ends: dict[str, int]
    records: list[Record] = field(default_factory=list)


class PartitionReader:
    """Reads `topics` at `partition` from `positions` (None is the topic's beginning)."""

    def __init__(self, config: Mapping[str, object], partition: int, positions: Mapping[str, int | None]) -> None:
        self.partition = partition
        self._consumer = Consumer(dict(config))
        begin = {topic: self._beginning(topic) if at is None else at for topic, at in positions.items()}
        self.next = dict(begin)  # offset of the next record to come
        self.seen_end = dict.fromkeys(begin, -1)  # the read_committed end when the reader last stood at it
        self._consumer.assign([TopicPartition(topic, partition, at) for topic, at in begin.items()])
        self.buffer = Buffer(dict(begin), dict(begin))
        self.silent_since: float | None = None  # see streaming.stall_detector

    def _beginning(self, topic: str) -> int:
        low, _ = self._consumer.get_watermark_offsets(TopicPartition(topic, self.partition), 30)
        if low > 0:
            raise LostRecords(f"{topic}[{self.partition}] begins at {low}: its first records were deleted unread")
        return OFFSET_BEGINNING if low < 0 else int(low)

    def read(self, limit: int) -> int:
        """Move up to `limit` records that have arrived into the buffer, without waiting. Returns how many."""
        count, messages = 0, self._consumer.consume(limit, 0)
        if messages:
            self.silent_since = None
        elif self.silent_since is None:
            self.silent_since = time.monotonic()
        for message in messages:
            error, topic = message.error(), message.topic()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                self._stands_at_end(topic, message.offset())
                continue
            offset = message.offset()
            if offset < self.next[topic]:
                raise LostRecords(f"{topic}[{self.partition}]: offset {offset} came after {self.next[topic]}")
            _, timestamp = message.timestamp()
            headers = message.headers() or ()
            self.buffer.records.append(
                Record(topic, self.partition, offset, timestamp, message.key(), message.value(), headers)
            )
            self.next[topic] = self.buffer.ends[topic] = offset + 1
            count += 1
        return count

    def _stands_at_end(self, topic: str, end: int) -> None:
        """The end lies beyond the last record's offset + 1 where transaction markers follow it."""
        self.seen_end[topic] = end
        self.next[topic] = max(self.next[topic], end)
        self.buffer.ends[topic] = max(self.buffer.ends[topic], end)

    def take(self) -> Buffer:
        """Hand over what is buffered; the next buffer begins where this one ends."""
        taken, self.buffer = self.buffer, Buffer(dict(self.buffer.ends), dict(self.buffer.ends))
        return taken

    @property
    def has_moved(self) -> bool:
        """Whether the buffer covers any offset, be it of records or of markers only."""
        return self.buffer.starts != self.buffer.ends

    def put_back(self, taken: Buffer) -> None:
        """Undo a `take` that was not processed."""
        self.buffer.records[:0] = taken.records
        self.buffer.starts = taken.starts

    def reached(self, topic: str) -> int:
        """Everything of `topic` before this offset has been read (transaction markers included)."""
        return max(self.next[topic], self.seen_end[topic])

    def heard_to(self) -> dict[tuple[str, int], int]:
        """`reached` by (topic, partition)."""
        return {(topic, self.partition): self.reached(topic) for topic in self.next}

    def highwater(self, topic: str) -> int:
        """The end of `topic` as last heard from the broker."""
        _, high = self._consumer.get_watermark_offsets(TopicPartition(topic, self.partition), cached=True)
        return int(high)

    def close(self) -> None:
        """Stop fetching."""
        self._consumer.close()
