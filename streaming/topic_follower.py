"""A small topic that every worker needs whole: read from its beginning to its end by a thread of its own, then on.

Used for `masters.current` (one partition, compacted, one total order). A batch takes one immutable snapshot of what
the follower's owner made of it.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streaming.batch import Record
from streaming.partitions import crash
from streaming.progress import Progress
from streaming.reader import reader_config
from streaming.retrying import retrying
from streaming.stall_detector import STALL_SECONDS, ConsumerWatchdog, Look, Offsets, Place, missed


class TopicTableReader:
    """Hands every record of `topic`[0] to `apply(records, end)`, in order; `end` is the offset reached."""

    def __init__(
        self,
        broker: str,
        topic: str,
        apply: Callable[[Sequence[Record], int], None],
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._broker, self._topic, self._apply = broker, topic, apply
        self.name, self._stall_seconds = f"copy of {topic}", stall_seconds
        self.progress = Progress()  # of an `apply` that takes several attempts
        self._stop = threading.Event()
        self._caught_up = threading.Event()
        self._end = 0
        self._thread = threading.Thread(target=self._follow, name=f"follow-{topic}", daemon=True)

    def start(self) -> None:
        """Begin to read; see `wait`."""
        self._thread.start()
        ConsumerWatchdog(self._broker, self._watched, crash, self._stall_seconds).start()

    def _watched(self) -> Iterable["TopicTableReader"]:
        return () if self._stop.is_set() else (self,)

    def wait(self, seconds: float) -> None:
        """Return once the end that stood at the start has been applied; `TimeoutError` if it takes longer."""
        if not self._caught_up.wait(seconds):
            raise TimeoutError(f"{self._topic} could not be read to its end within {seconds:g} s")

    def places(self) -> Iterable[Place]:
        """The one partition."""
        return ((self._topic, 0),)

    def look(self, admin: AdminClient, ends: Offsets) -> Look:
        """What was applied; see streaming.stall_detector."""
        end = self._end
        return Look((end, self.progress.mark()[0]), missed({(self._topic, 0): end}, ends))

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
        low, goal = retrying(lambda: consumer.get_watermark_offsets(here, 30))  # the topic may have been made just now
        consumer.assign([TopicPartition(self._topic, 0, low)])
        end = told = self._end = low
        if end >= goal:
            self._caught_up.set()
        while not self._stop.is_set():
            records, messages = [], consumer.consume(5000, 0.05)
            for message in messages:
                if (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    end = max(end, message.offset())
                    continue
                end = message.offset() + 1
                records.append(Record.of(message))
            if records or end > told:
                self._apply(records, end)
                told = self._end = end
            if end >= goal:
                self._caught_up.set()
        consumer.close()
