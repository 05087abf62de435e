"""How long each partition of settle stood still: seen by a read_committed reader of its changelog.

Every batch commits its position there, so under a continuous load a partition at work is never long without a record.
"""

import threading
import time

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from streaming.reader import reader_config

SILENCE = 60.0  # seconds; as with the plane's own readers, see streaming.stall_detector


class Progress:
    """Reads the changelog's new records until `stop`; times are those of `time.monotonic`."""

    def __init__(self, broker: str, changelog: str, partitions: int) -> None:
        quick = {
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
            "auto.offset.reset": "latest",
            "enable.partition.eof": False,
        }
        self._config = {**reader_config(broker, "faults-progress"), **quick}
        self._wanted = [TopicPartition(changelog, number, OFFSET_END) for number in range(partitions)]
        self._consumer = self._begin()
        self._lock = threading.Lock()
        self._last = dict.fromkeys(range(partitions), time.monotonic())
        self._longest = dict.fromkeys(range(partitions), 0.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="progress", daemon=True)
        self._thread.start()

    def _begin(self) -> Consumer:
        consumer = Consumer(self._config)
        consumer.assign(self._wanted)
        self._began = time.monotonic()
        return consumer

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(10)
        self._consumer.close()

    def mark(self) -> None:
        """Forget the pauses so far; one that has begun is counted whole."""
        with self._lock:
            self._longest = dict.fromkeys(self._longest, 0.0)

    def longest(self) -> float:
        """The longest pause of any partition since the mark, one that lasts still included; in seconds."""
        now = time.monotonic()
        with self._lock:
            return max(*self._longest.values(), *(now - last for last in self._last.values()))

    def still(self, since: float) -> list[int]:
        """Partitions that have committed nothing since that time."""
        with self._lock:
            return [number for number, last in self._last.items() if last < since]

    def _read(self) -> None:
        while not self._stop.is_set():
            seen = {message.partition() for message in self._consumer.consume(1000, 0.2) if message.error() is None}
            now = time.monotonic()
            if now - max(min(self._last.values()), self._began) > SILENCE:
                print(f"nothing of a partition was seen for {SILENCE:g} s: what looks is replaced", flush=True)
                self._consumer.close()
                self._consumer = self._begin()
            with self._lock:
                for number in seen:
                    self._longest[number] = max(self._longest[number], now - self._last[number])
                    self._last[number] = now
