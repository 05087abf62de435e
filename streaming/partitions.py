"""The partitions of one worker: opened and closed as Faust assigns them, polled for batches, run one batch at a time.

Safety does not rest on the order in which Faust calls in here. It rests on the fence when a partition is opened, on
the position being committed with its effects, on the epoch in each batch, and on the check that every batch starts
exactly where the state ends. Any failure ends the process, before Faust could ack, commit or restart anything.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn, TypeVar

from confluent_kafka import KafkaError, KafkaException

from common.exit_codes import EXIT_CRASHED, EXIT_FENCED
from common.fault_injection import fault_point
from streaming.batch import Batch
from streaming.committer import Committer, Fenced
from streaming.local_state import StoreUnreadable
from streaming.reader import REQUEST_SECONDS, Buffer, PartitionReader, reader_config

log = logging.getLogger("hourstream.plane")

Answer = TypeVar("Answer")
_AT_ONCE, _BACKLOG, _BACKLOG_PATIENCE = 5_000, 500, 5  # records of a look, how many tell of a backlog; times longer
_FENCING = 8  # partitions whose former owners are shut out at a time
_FENCED = {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}


class Partition:
    """One partition number: its committer, its reader, and the batch on its way."""

    def __init__(self, committer: Committer) -> None:
        self.number, self.committer = committer.partition, committer
        self.reader: PartitionReader | None = None
        self.since = 0.0  # when the oldest buffered record was read
        self.more = False  # whether the last look brought so much that more is waiting
        self.epoch = 0  # raised by every rebalance: a batch read before it is dropped
        self.taken: Buffer | None = None  # the batch on its way to the agent
        self.busy: asyncio.Future[None] | None = None  # its commit
        self.fencing: asyncio.Future[None] | None = None
        self.batches = 0  # handed over so far
        self.doing = "waiting for its fence"  # until it runs

    @property
    def running(self) -> bool:
        """Restored and reading."""
        return self.reader is not None


def crash(error: BaseException, committer: Committer | None = None) -> NoReturn:
    """End the process: the only answer to a failure. A commit of unknown outcome needs nothing more, because the
    changelog knows it and the next owner reads that."""
    fenced = any(_says_fenced(each) for each in _causes(error))
    where = f"partition {committer.partition}" if committer else "worker"
    if fenced:
        log.warning("%s: taken over by another worker, leaving: %s", where, error)
    else:
        log.critical("%s failed: %r", where, error, exc_info=error)
    try:
        if committer and not fenced:
            for each in _causes(error):
                if isinstance(each, StoreUnreadable):
                    committer.replace_state(each)
            committer.abandon()
    except Exception as second:
        log.warning("%s: nothing to abort: %s", where, second)
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(EXIT_FENCED if fenced else EXIT_CRASHED)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from: the client may tell of the fence in a callback, inside another call."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _says_fenced(error: BaseException) -> bool:
    if isinstance(error, KafkaException):
        return bool(error.args) and error.args[0].code() in _FENCED
    return isinstance(error, Fenced)


class Partitions:
    """All partitions that this worker holds of one agent's topics."""

    def __init__(
        self,
        agent: str,
        broker: str,
        make: Callable[[int], Committer],
        *,
        seconds: float,
        largest: int,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._config, self._make = reader_config(broker, f"hourstream-{agent}-reader"), make
        self._agent, self._seconds, self.largest, self._request_seconds = agent, seconds, largest, request_seconds
        self._pool = ThreadPoolExecutor(16, thread_name_prefix=f"{agent}-plane")
        self._fence_pool = ThreadPoolExecutor(_FENCING, thread_name_prefix=f"{agent}-fence")
        self._fences, self._assigned = asyncio.Semaphore(_FENCING), asyncio.Event()
        self._steps: dict[int, asyncio.Future[None]] = {}
        self.held: dict[int, Partition] = {}

    async def revoke(self) -> None:
        """Let the batches and fences under way end under the old generation; take back what is in Faust's queue."""
        self._assigned.clear()
        for partition in self.held.values():
            partition.epoch += 1
        await asyncio.gather(*(each for p in self.held.values() for each in (p.busy, p.fencing) if each))
        for partition in self.held.values():
            if partition.taken is not None and partition.reader is not None:
                partition.reader.put_back(partition.taken)
                partition.taken = None

    def assign(self, numbers: Iterable[int]) -> None:
        """Hold exactly `numbers`. Returns at once: no heartbeat is sent before it does, and a restore takes its time.

        A kept partition continues as it is; if another process had owned it meanwhile, its fence would end us.
        """
        wanted = set(numbers)
        for number in set(self.held) - wanted:
            self._then(number, self._close, self.held.pop(number))
        for number in sorted(wanted - set(self.held)):
            self.held[number] = Partition(self._make(number))
            self._then(number, self._open, self.held[number])
        self._assigned.set()

    async def close(self) -> None:
        """Hold nothing any more; for the end of the process."""
        self.assign(())
        await asyncio.gather(*self._steps.values())

    def _then(self, number: int, step: Callable[[Partition], Awaitable[None]], partition: Partition) -> None:
        """Steps of one partition number follow each other: a store is closed before it is opened anew."""
        before = self._steps.get(number)

        async def run() -> None:
            try:
                if before is not None:
                    await before
                await step(partition)
            except Exception as error:
                crash(error, partition.committer)

        self._steps[number] = asyncio.ensure_future(run())

    async def _open(self, partition: Partition) -> None:
        if await self._fence(partition):
            partition.doing = "restoring"
            await self._queue(partition, self._recover, partition)

    def _queue(self, partition: Partition, step: Callable[..., None], *given: object) -> "asyncio.Future[None]":
        """Run a step in a thread of the pool, when one is free."""
        progress = partition.committer.progress
        progress.waits = True

        def run() -> None:
            progress.waits = False
            step(*given)

        return asyncio.get_running_loop().run_in_executor(self._pool, run)

    async def _fence(self, partition: Partition) -> bool:
        """Shut the former owner out; False where the partition went to another one meanwhile.

        Of many partitions the last are fenced late. A fence that came after the next owner's would end that one.
        """
        async with self._fences:
            await self._assigned.wait()
            if self.held.get(partition.number) is not partition:
                return False
            fence, progress = partition.committer.fence, partition.committer.progress
            partition.doing, progress.waits = "fencing its former owner", False
            partition.fencing = asyncio.get_running_loop().run_in_executor(self._fence_pool, fence)
            await partition.fencing
            progress.step()
        return True

    def _recover(self, partition: Partition) -> None:
        committer = partition.committer
        committer.open()
        partition.doing = "looking up where to begin"
        fault_point(f"{self._agent}:seeking")
        reader = PartitionReader(self._config, partition.number, committer.positions, self._request_seconds)
        fault_point(f"{self._agent}:fetching")
        partition.reader = reader

    async def _close(self, partition: Partition) -> None:
        def close() -> None:
            if partition.reader is not None:
                partition.reader.close()
            partition.committer.close()

        await asyncio.get_running_loop().run_in_executor(self._pool, close)

    def poll(self) -> list[tuple[int, Batch]]:
        """Batches that are due, at most one of a partition at a time; what arrives meanwhile is the next."""
        now, due = time.monotonic(), []
        for partition in self.held.values():
            reader = partition.reader
            if reader is None:
                continue
            room = self.largest - len(reader.buffer.records)
            count = self._checked(partition, reader.read, min(room, _AT_ONCE)) if room > 0 else 0
            if count == len(reader.buffer.records):
                partition.since = now
            partition.more = count >= _BACKLOG
            if partition.taken is None and self._checked(partition, self._is_due, partition, reader, now):
                buffer = partition.taken = reader.take()
                partition.batches += 1
                behind = reader.behind() if buffer.records else 0
                batch = Batch(
                    partition.number, partition.epoch, buffer.starts, buffer.ends, buffer.records, behind=behind
                )
                due.append((partition.number, batch))
        return due

    @staticmethod
    def _checked(partition: Partition, ask: Callable[..., Answer], *given: object) -> Answer:
        try:
            return ask(*given)
        except Exception as error:
            crash(error, partition.committer)

    @property
    def gathering(self) -> bool:
        """Whether any partition has records that are not handed over yet."""
        return any(p.reader is not None and p.reader.buffer.records for p in self.held.values())

    def _is_due(self, partition: Partition, reader: PartitionReader, now: float) -> bool:
        count = len(reader.buffer.records)
        if count:
            # Behind a backlog the next record is not urgent, and larger batches cost less.
            patience = self._seconds * (_BACKLOG_PATIENCE if partition.more else 1)
            return count >= self.largest or now - partition.since >= patience
        return partition.committer.has_due_work() or (partition.committer.follows_markers and reader.has_moved)

    async def run(self, batch: Batch) -> None:
        """Called by the agent. Returns when the batch is under way: partitions overlap, one partition never does."""
        partition = self.held.get(batch.partition)
        if partition is None or batch.epoch != partition.epoch or partition.taken is None:
            return  # read before a rebalance: its records were put back, or belong to another worker now
        committer = partition.committer
        for topic, start in batch.starts.items():
            state_at = committer.positions[topic]
            if start >= 0 and state_at is not None and start != state_at:
                crash(AssertionError(f"batch of {topic} starts at {start}, the state is at {state_at}"), committer)
        partition.busy = self._queue(partition, self._process, committer, batch)

        def done(_: "asyncio.Future[None]") -> None:
            partition.busy = partition.taken = None

        partition.busy.add_done_callback(done)

    @staticmethod
    def _process(committer: Committer, batch: Batch) -> None:
        try:
            committer.process(batch)
        except BaseException as error:
            crash(error, committer)
