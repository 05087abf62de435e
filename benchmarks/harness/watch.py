"""Watches the output as a downstream reader of committed records."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from streaming.reader import reader_config

_AT_ONCE = 10_000


@dataclass
class Watcher:
    """Collects the values of `topic`; `seen` are (index of the first value, epoch seconds) of each arrival."""

    broker: str
    topic: str
    partitions: int
    values: list[bytes] = field(default_factory=list)
    seen: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = {**reader_config(self.broker, f"bench-watch-{self.topic}"), "enable.partition.eof": False}
        self._consumer = Consumer(config)
        self._consumer.assign([TopicPartition(self.topic, n, OFFSET_BEGINNING) for n in range(self.partitions)])

    def look(self, patience: float = 0.05) -> None:
        """Take what has arrived within `patience` seconds."""
        messages = self._consumer.consume(_AT_ONCE, patience)
        if not messages:
            return
        self.seen.append((len(self.values), time.time()))
        for message in messages:
            if (error := message.error()) is not None:
                raise KafkaException(error)
            self.values.append(message.value())

    def until(self, count: int, check: Callable[[], None], quiet_seconds: float, patience: float = 0.05) -> bool:
        """Look until `count` values are there; False when nothing came for `quiet_seconds`."""
        last, at = len(self.values), time.monotonic()
        while len(self.values) < count:
            self.look(patience)
            if len(self.values) > last:
                last, at = len(self.values), time.monotonic()
            elif time.monotonic() - at > quiet_seconds:
                return False
            check()
        return True

    def arrivals(self, start: int) -> list[tuple[bytes, float]]:
        """(value, epoch seconds when seen) from index `start` on."""
        marks = [*self.seen, (len(self.values), 0.0)]
        return [
            (self.values[index], at)
            for (first, at), (following, _) in itertools.pairwise(marks)
            for index in range(max(first, start), following)
        ]

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()
