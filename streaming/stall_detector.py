"""A reader that hears nothing although there is something to hear ends the process; its next start reads on.

librdkafka's consumer now and then never fetches again after its broker was restarted, and tells of no error
(confluentinc/librdkafka#5153). A fault soak met it after some hundred restarts. So whoever has heard nothing for a
while is held to the end of what is committed, as another client is told it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from streaming.admin import admin_client

log = logging.getLogger("hourstream.plane")
_LOOK_SECONDS, _PATIENCE_SECONDS, _ANSWER_SECONDS = 10.0, 30.0, 10.0
Offsets = Mapping[tuple[str, int], int]
"""{(topic, partition): offset}"""


class Reader(Protocol):
    """What hears."""

    silent_since: float | None
    """When it was first asked in vain since it last heard of anything (`time.monotonic`); None while it hears."""

    def heard_to(self) -> Offsets:
        """The offset before which it has heard everything."""


class Deaf(RuntimeError):
    """A reader does not hear of records that are committed."""


class Listener:
    """Looks after readers from a thread of its own; `end` is told of a deaf one, and ends the process."""

    def __init__(
        self,
        broker: str,
        readers: Callable[[], Iterable[Reader]],
        end: Callable[[Deaf], object],
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self._admin, self._readers, self._end = admin_client(broker), readers, end
        self._patience = patience
        self._suspected: dict[int, float] = {}  # by the reader's identity: since when it was silent at the last look

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="listener", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            try:
                self.look(time.monotonic())
            except KafkaException as error:
                log.debug("the broker tells no ends now: %s", error)  # nor has a reader anything to hear then

    def look(self, now: float) -> None:
        """A reader that was silent and behind at the last look and still is, is deaf. Raises KafkaException."""
        suspected: dict[int, float] = {}
        for reader in self._readers():
            since = reader.silent_since
            if since is None or now - since < self._patience:
                continue
            missed = self._missed(reader.heard_to())
            if missed and self._suspected.get(id(reader)) == since == reader.silent_since:
                self._end(Deaf(f"nothing was heard for {now - since:.0f} s, yet there is more committed: {missed}"))
            elif missed:
                suspected[id(reader)] = since
        self._suspected = suspected

    def _missed(self, heard: Offsets) -> dict[str, str]:
        """{topic[partition]: "heard to of end"} where more is committed than was heard of."""
        wanted = {TopicPartition(topic, number): OffsetSpec.latest() for topic, number in heard}
        futures = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_ANSWER_SECONDS
        )
        ends = {(tp.topic, tp.partition): future.result().offset for tp, future in futures.items()}
        return {f"{t}[{n}]": f"{heard[t, n]} of {end}" for (t, n), end in ends.items() if end > heard[t, n]}
