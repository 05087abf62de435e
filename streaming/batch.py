"""What travels through the plane: records in, one batch of one partition number, outputs out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from confluent_kafka import Message

Headers = Sequence[tuple[str, bytes]]


class Record(NamedTuple):
    """One record as the broker holds it. `timestamp_ms` is the broker's append time, epoch milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @classmethod
    def of(cls, message: Message) -> Self:
        """The record of a consumed message that is no error."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        _, timestamp = message.timestamp()
        return cls(topic, partition, offset, timestamp, message.key(), message.value(), message.headers() or ())


class Output(NamedTuple):
    """One record to publish. Without a `partition`, Kafka's own hash of the key (murmur2) chooses it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of all source topics of one partition number; `records` may be empty (only due work).

    `starts` and `ends` give, per topic, the offset the batch begins at and the offset after its last record. A start
    is where reading began, not the first record's offset: transaction markers leave gaps. `due` is whether work that no
    record brings is done too. `behind` is about how many records of its topics wait for the next batches.
    """

    partition: int
    epoch: int
    starts: Mapping[str, int]
    ends: Mapping[str, int]
    records: Sequence[Record] = field(repr=False)
    due: bool = True
    behind: int = 0

    @property
    def timestamp_ms(self) -> int:
        """Latest append time among the records, 0 for an empty batch. Looks at every record: ask once a batch."""
        return max((r.timestamp_ms for r in self.records), default=0)
