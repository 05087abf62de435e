"""A process of the application: one Faust app, its source topics, and how their batches are committed.

process = BatchProcess("settle", SETTLE_INPUTS, settings, make_committer)

@process.app.agent(process.topic)
async def settle(batches: Batches) -> None:
    async for batch in batches:
        await process.run(batch)
"""

import asyncio
import ctypes
import faulthandler
import gc
import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Protocol

import faust
from faust.types import TP

from common.exit_codes import EXIT_CRASHED
from common.fault_injection import fault_point
from settings import Settings
from streaming import faust_transport
from streaming.admin import admin_client
from streaming.batch import Batch
from streaming.committer import Committer
from streaming.kafka_security import credentials
from streaming.local_state import failure, move_aside, state_folder
from streaming.partitions import Partitions, crash
from streaming.stall_detector import (
    STDERR,
    ConsumerStalled,
    ConsumerWatchdog,
    Watched,
    answer_seconds,
    tracebacks_and_exit_after,
)
from streaming.stall_record import record_stall
from streaming.stopping import GRACE_SECONDS, STOP_SIGNALS
from streaming.watched import EventLoop, Membership, of_partition

log = logging.getLogger("hourstream.plane")
Batches = AsyncIterator[Batch]

_HEARTBEAT_SECONDS = 0.5
_LAST_WORDS_SECONDS = 10.0
_COLLECT_AFTER = 50_000, 20, 50
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h
_LARGE = 256 << 10
_TRIM_SECONDS = 1.0


class UnequalPartitions(RuntimeError):
    """The source topics of an agent do not all exist with one partition count."""


def co_partitioned(broker: str, topics: Sequence[str]) -> int:
    """The partition count that all `topics` share; raises `UnequalPartitions` where they do not."""
    listed = admin_client(broker).list_topics(timeout=30).topics
    missing = [topic for topic in topics if topic not in listed]
    if missing:
        raise UnequalPartitions(f"no such topic: {', '.join(missing)}; run `hourstream topics create` first")
    counts = {topic: len(listed[topic].partitions) for topic in topics}
    if len(set(counts.values())) > 1:
        raise UnequalPartitions(f"topics read together must have one partition count: {counts}")
    return counts[topics[0]]


def _give_memory_back() -> None:
    """Return what batches leave free to the system once a second, where the C library is GNU's.

    It would keep a heap or two a thread, each grown by a batch, most of it free and in pieces.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):
        return
    library.mallopt(_M_ARENA_MAX, 2)
    library.mallopt(_M_MMAP_THRESHOLD, _LARGE)

    def trim() -> None:
        while True:
            time.sleep(_TRIM_SECONDS)
            library.malloc_trim(0)

    threading.Thread(target=trim, name="memory", daemon=True).start()


def instance_id(state_dir: Path) -> str:
    """The worker's member id in its group, kept with its state. Generated at the first start."""
    file = state_folder(state_dir) / "instance"
    try:
        if file.exists():
            try:
                return str(uuid.UUID(file.read_text(encoding="ascii").strip()))
            except (ValueError, IsADirectoryError) as error:
                log.error("%s is unreadable (%s): it was moved to %s", file, error, move_aside(file))
        part = file.with_suffix(".part")
        part.write_text(f"{uuid.uuid4()}\n", encoding="ascii")
        part.rename(file)
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise failure(error, file) from error


class Figures(Protocol):
    """The live figures of a process at one moment, wherever it keeps them."""

    def windows(self, now_ms: int) -> dict[tuple[int, str], int]:
        """{(span in minutes, outcome): count} of the minutes that end with `now_ms`'s."""

    def totals(self) -> dict[tuple[str, ...], int]:
        """{(name, label...): running total}."""


class BatchProcess:
    """One Faust app on the batch plane. Membership is by partition number: all source topics move together."""

    def __init__(
        self,
        name: str,
        sources: Sequence[str],
        make: Callable[[int], Committer],
        settings: Settings,
        *,
        batch_records: int | None = None,
        batch_seconds: float | None = None,
    ) -> None:
        broker, session = settings.bootstrap, settings.session_seconds
        self.name, self.sources, self.lead = name, tuple(sources), sources[0]
        self.figures: Figures | None = None  # None: they are live rows of the committers (streaming.committer)
        self._event_loop: EventLoop | None = None
        self.follows: dict[str, Callable[[], int]] = {}  # topics read whole on the side: the end each has reached
        self.partition_count = co_partitioned(broker, sources)
        self.partitions = Partitions(
            name,
            broker,
            make,
            seconds=max(batch_seconds or 0.0, settings.batch_seconds),
            largest=min(batch_records or settings.batch_records, settings.batch_records),
            request_seconds=settings.request_seconds,
        )
        self.state_dir = state_folder(settings.state_dir(name))
        datadir = state_folder(self.state_dir / "faust")
        # A static member that is back within its session keeps its partitions, and the others are not stopped. All
        # others learn of a rebalance by their next heartbeat, and wait for the last who does.
        heartbeat = min(session / 4, _HEARTBEAT_SECONDS)
        self.app = faust.App(
            f"hourstream-{name}",
            broker=f"hourstream-batches://{broker}",
            broker_credentials=credentials(settings),
            datadir=str(datadir),
            web_enabled=False,
            TableManager=faust_transport.NoTables,
            topic_disable_leader=True,
            topic_allow_declare=False,
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=session,
            broker_heartbeat_interval=heartbeat,
            consumer_group_instance_id=instance_id(settings.state_dir(name)),
            broker_rebalance_timeout=session * 2,
            broker_request_timeout=max(settings.request_seconds, session * 3),  # joining waits for the rebalance
            broker_commit_interval=1.0,
        )
        faust_transport.serve(self.app.conf.id, self.sources, self.lead, self.partitions)
        self.topic = faust_transport.BatchTopic(self.app, topics=list(self.sources), acks=False)
        self.app.on_partitions_assigned.connect(self._assigned)
        self.app.on_partitions_revoked.connect(self._revoked)
        self.app.on_before_shutdown.connect(self._leave)
        self.watchdog = ConsumerWatchdog(broker, self._watched, self._stalled, settings.stall_seconds)
        self._members = Membership(
            self.app.conf.id,
            self._instance,
            self.lead,
            lambda: set(self.partitions.held),
            answer_seconds(settings.stall_seconds),
        )

    def _instance(self) -> str:
        return str(self.app.conf.consumer_group_instance_id)

    def _watched(self) -> list[Watched]:
        watched: list[Watched] = [self._members]
        if self._event_loop is not None:
            watched.append(self._event_loop)
        for partition in list(self.partitions.held.values()):
            watched += of_partition(partition, self.partitions.largest)
        return watched

    def _stalled(self, error: ConsumerStalled) -> None:
        """End, even where a hung thread holds the lock of the log: what hangs is in the tracebacks."""
        tracebacks_and_exit_after(_LAST_WORDS_SECONDS)
        record_stall(self.state_dir)
        faulthandler.dump_traceback(file=STDERR)
        crash(error)

    async def _assigned(self, app: faust.App, assigned: set[TP], **_: object) -> None:
        fault_point(f"{self.name}:assigned")
        self.partitions.assign({tp.partition for tp in assigned if tp.topic == self.lead})

    async def _revoked(self, app: faust.App, revoked: set[TP], **_: object) -> None:
        fault_point(f"{self.name}:joining")
        await self.partitions.revoke()

    async def _leave(self, app: faust.App, **_: object) -> None:
        """Told to stop, or failed: end what is under way, and go. What Faust would wait for holds nothing of ours."""
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await self.partitions.revoke()
                await self.partitions.close()
        except TimeoutError:
            log.warning("what is under way is not committed within %g s", GRACE_SECONDS)
        logging.shutdown()
        os._exit(EXIT_CRASHED if app.crashed else 0)

    async def run(self, batch: Batch) -> None:
        """Commit one batch; see `Partitions.run`."""
        await self.partitions.run(batch)

    def main(self, log_level: str = "WARNING") -> None:
        """Run the worker until SIGTERM or SIGINT."""
        STOP_SIGNALS.listen()
        # Batches are many objects of one short life and no cycles: looking for garbage as often as Python does by
        # default takes a fifth of the time.
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        _give_memory_back()
        worker = faust.Worker(self.app, loglevel=log_level, quiet=True, stdout=sys.stdout, stderr=sys.stderr)
        loop = worker.loop
        self._event_loop = EventLoop(loop)
        STOP_SIGNALS.leave = lambda: asyncio.run_coroutine_threadsafe(self._leave(self.app), loop)
        self.watchdog.start(guard=True)
        worker.execute_from_commandline()
