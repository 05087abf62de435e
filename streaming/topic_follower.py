"""A small topic that every worker needs whole: read from its beginning to its end by a thread of its own, then on.

Used for `masters.current` (one partition, compacted, one total order). A batch takes one immutable snapshot of what
the follower's owner made of it.
"""

import threading
import time
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streaming.batch import Record
from streaming.partitions import crash
from streaming.reader import reader_config
from streaming.stall_detector import Listener


class Follower:
    """Hands every record of `topic`[0] to `apply(records, end)`, in order; `end` is the offset reached."""

    def __init__(self, broker: str, topic: str, apply: Callable[[Sequence[Record], int], None]) -> None:
        self._broker, self._topic, self._apply = broker, topic, apply
        self._stop = threading.Event()
        self._caught_up = threading.Event()
        self.silent_since: float | None = None  # see streaming.stall_detector
        self._end = 0
        self._thread = threading.Thread(target=self._follow, name=f"follow-{topic}", daemon=True)

    def start(self) -> None:
        """Begin to read; see `wait`."""
        self._thread.start()
        Listener(self._broker, lambda: (self,), crash).start()

    def wait(self, seconds: float) -> None:
        """Return once the end that stood at the start has been applied; `TimeoutError` if it takes longer."""
        if not self._caught_up.wait(seconds):
            raise TimeoutError(f"{self._topic} could not be read to its end within {seconds:g} s")

    def heard_to(self) -> dict[tuple[str, int], int]:
        """The offset before which everything was applied."""
        return {(self._topic, 0): self._end}

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(5)

    def _follow(self) -> None:
        try:
            self._read()
        except Exception as error:
            crash(error)

    def _read(self) -> None:
        consumer = Consumer(reader_config(self._broker, f"hourstream-follow-{self._topic}"))
        here = TopicPartition(self._topic, 0)
        low, goal = consumer.get_watermark_offsets(here, 30)
        consumer.assign([TopicPartition(self._topic, 0, low)])
        end = told = low
        if end >= goal:
            self._caught_up.set()
        while not self._stop.is_set():
            records, messages = [], consumer.consume(5000, 0.05)
            if messages:
                self.silent_since = None
            elif self.silent_since is None:
                self.silent_since = time.monotonic()
            for message in messages:
                if (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    end = max(end, message.offset())
                    continue
                _, timestamp = message.timestamp()
                headers = message.headers() or ()
                offset, end = message.offset(), message.offset() + 1
                records.append(Record(self._topic, 0, offset, timestamp, message.key(), message.value(), headers))
            if records or end > told:
                self._apply(records, end)
                told = self._end = end
            if end >= goal:
                self._caught_up.set()
        self.silent_since = None
        consumer.close()
