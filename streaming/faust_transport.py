"""Faust's side of the plane: a transport driver whose consumer hands over whole batches.

Faust 0.15.3's own consumer stays in charge of group membership. What is overridden, and why, is said at each method.
"""

import asyncio
import itertools
import time
from collections.abc import Iterable
from typing import Any

import faust
from faust.tables.manager import TableManager
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from common.fault_injection import fault_point
from streaming.batch import Batch
from streaming.partitions import Partitions

_served: dict[str, tuple[frozenset[str], str, Partitions]] = {}  # app id -> source topics, lead topic, partitions
_message_numbers = itertools.count(1)
_BUSY_PAUSE, _IDLE_PAUSE = 0.004, 0.012  # seconds between two looks; each costs a little of a core a partition


def serve(app_id: str, topics: Iterable[str], lead: str, partitions: Partitions) -> None:
    """Let the app's consumer take its batches from `partitions`; they arrive on the `lead` topic."""
    _served[app_id] = (frozenset(topics), lead, partitions)


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Group membership by aiokafka, records by the plane."""

    _next_beat = 0.0

    def _plane(self) -> tuple[frozenset[str], str, Partitions]:
        return _served[self.app.conf.id]

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Any]]:
        """Batches of the plane. aiokafka is still asked once a second: a consumer that is not polled leaves the group
        in silence after max_poll_interval."""
        _, lead, partitions = self._plane()
        until = time.monotonic() + min(timeout, 0.25)
        if until > self._next_beat:
            self._next_beat = until + 1.0
            await super()._getmany(active_partitions, 0)
        while self.flow_active and time.monotonic() < until:
            ready = {TP(lead, number): [batch] for number, batch in partitions.poll()}
            if ready:
                return ready
            await asyncio.sleep(_BUSY_PAUSE if partitions.gathering else _IDLE_PAUSE)
        return {}

    def _to_message(self, tp: TP, record: Batch) -> ConsumerMessage:
        """One message a batch. Its offset is a running number: Faust drops a message whose offset goes back, and an
        empty batch has none of its own."""
        number = next(_message_numbers)
        generation = self.app.consumer_generation_id
        return ConsumerMessage(
            tp.topic, tp.partition, number, time.time(), 1, None, None, record, None, 0, 0, tp, generation_id=generation
        )

    def highwater(self, tp: TP) -> int:
        """The reader's, since aiokafka fetches nothing of these topics."""
        partition = self._plane()[2].held.get(tp.partition)
        return partition.reader.highwater(tp.topic) if partition and partition.reader else 0

    async def perform_seek(self) -> None:
        """Before Faust resumes: forget the group's offsets and keep aiokafka from fetching.

        Faust's own asks for the group's offset of one partition after another, and where that takes longer than
        `broker_request_timeout` it takes it for the end of the worker: nothing is ever resumed, and no error told.
        Nothing is read from those offsets, so none is asked for; `PartitionReader` seeks, from the state's positions.
        Kept, they would make Faust drop our messages as old ones.
        """
        fault_point(f"{self.app.conf.id}:resuming")
        assigned = list(self._thread._consumer.assignment())
        self._thread._consumer.pause(*assigned)
        for tp in assigned:
            self._read_offset[TP(*tp)] = self._committed_offset[TP(*tp)] = None

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """The group offset shows the committed state, for lag displays only; not what Faust thinks was acked."""
        topics, _, partitions = self._plane()
        positions = {
            TP(topic, partition.number): at
            for partition in partitions.held.values()
            for topic, at in partition.committer.positions.items()
            if topic in topics and at
        }
        return {tp: at for tp, at in positions.items() if at > (self._committed_offset[tp] or 0)}

    async def verify_all_partitions_active(self) -> None:
        """Faust's watchdog looks at aiokafka's fetcher, which is idle on purpose."""


class NoTables(TableManager):  # type: ignore[misc]
    """Faust's tables, of which this app has none, without the second that they are waited for."""

    async def on_start(self) -> None:
        """Start the recovery, which ends at once and lets the streams flow."""
        await self._update_channels()
        await self.recovery.start()


class Transport(driver.Transport):  # type: ignore[misc]
    """aiokafka's transport with the consumer above."""

    Consumer = Consumer


class BatchTopic(faust.Topic):  # type: ignore[misc]
    """A Faust topic whose event value is the batch, untouched by any codec."""

    def _compile_decode(self) -> None:
        async def decode(message: ConsumerMessage, *, propagate: bool = False) -> faust.Event:
            return self._create_event(message.key, message.value, message.headers, message=message)

        self.decode = decode


TRANSPORTS.aliases["hourstream-batches"] = f"{__name__}:Transport"
