"""One librdkafka consumer for one partition number, over all source topics, assigned once in its life.

Assigning the same consumer again within milliseconds can abort librdkafka, and a shared reader that was moved while a
commit was under way doubled records in a fault run: so a reader is made for a partition and closed with it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from streaming.admin import QUIET
from streaming.batch import Record
from streaming.kafka_security import connection

REQUEST_SECONDS = 60.0  # deadline of a request to the broker, by default
_RETRY_SECONDS = 0.2


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

    def __init__(
        self,
        config: Mapping[str, object],
        partition: int,
        positions: Mapping[str, int | None],
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self.partition = partition
        self._consumer = Consumer(dict(config))
        begin = {topic: at for topic, at in positions.items() if at is not None}
        begin |= self._beginnings([topic for topic in positions if topic not in begin], request_seconds)
        self.next = dict(begin)  # offset of the next record to come
        self.seen_end = dict.fromkeys(begin, -1)  # the read_committed end when the reader last stood at it
        self._consumer.assign([TopicPartition(topic, partition, at) for topic, at in begin.items()])
        self.buffer = Buffer(dict(begin), dict(begin))

    def _beginnings(self, topics: Sequence[str], seconds: float) -> dict[str, int]:
        """Where `topics` begin: all of them asked together, with one deadline. Raises KafkaException, LostRecords."""
        if not topics:
            return {}
        wanted = [TopicPartition(topic, self.partition, OFFSET_BEGINNING) for topic in topics]
        deadline = time.monotonic() + seconds
        while True:
            try:
                found = self._offsets(wanted, deadline - time.monotonic())
                break
            except KafkaException:  # such as a leader that is not known yet
                if time.monotonic() > deadline - _RETRY_SECONDS:
                    raise
                time.sleep(_RETRY_SECONDS)
        for at in found:
            if at.offset > 0:
                lost = f"{at.topic}[{self.partition}] begins at {at.offset}"
                raise LostRecords(f"{lost}: its first records were deleted unread")
        return {at.topic: int(at.offset) for at in found}

    def _offsets(self, wanted: list[TopicPartition], seconds: float) -> list[TopicPartition]:
        found = self._consumer.offsets_for_times(wanted, seconds)
        for at in found:
            if at.error is not None:
                raise KafkaException(at.error)
        return list(found)

    def read(self, limit: int) -> int:
        """Move up to `limit` records that have arrived into the buffer, without waiting. Returns how many."""
        count, messages = 0, self._consumer.consume(limit, 0)
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
            self.buffer.records.append(Record.of(message))
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

    def position(self) -> dict[tuple[str, int], int]:
        """`reached` by (topic, partition)."""
        return {(topic, self.partition): self.reached(topic) for topic in self.next}

    def highwater(self, topic: str) -> int:
        """The end of `topic` as the broker last reported it."""
        _, high = self._consumer.get_watermark_offsets(TopicPartition(topic, self.partition), cached=True)
        return int(high)

    def behind(self) -> int:
        """How many offsets of all topics are still to be read, as last heard from the broker."""
        return sum(max(self.highwater(topic) - at, 0) for topic, at in self.next.items())

    def close(self) -> None:
        """Stop fetching."""
        self._consumer.close()
