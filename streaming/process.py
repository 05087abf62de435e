"""A process of the application: one Faust app, its source topics, and how their batches are committed.

process = BatchProcess("settle", SETTLE_INPUTS, settings, make_committer)

@process.app.agent(process.topic)
async def settle(batches: Batches) -> None:
    async for batch in batches:
        await process.run(batch)
"""

import ctypes
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

from settings import Settings
from streaming import faust_transport
from streaming.admin import admin_client
from streaming.batch import Batch
from streaming.committer import Committer
from streaming.kafka_security import credentials
from streaming.partitions import Partitions, crash
from streaming.stall_detector import Listener

Batches = AsyncIterator[Batch]


_HEARTBEAT_SECONDS = 0.5
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
    """Which member of its group a worker is: whoever has this state. Made up at the first start."""
    file = state_dir / "instance"
    if not file.exists():
        state_dir.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(f"{uuid.uuid4()}\n", encoding="ascii")
        part.rename(file)
    return file.read_text(encoding="ascii").strip()


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
        self.follows: dict[str, Callable[[], int]] = {}  # topics read whole on the side: the end each has reached
        self.partition_count = co_partitioned(broker, sources)
        self.partitions = Partitions(
            name,
            broker,
            make,
            seconds=max(batch_seconds or 0.0, settings.batch_seconds),
            largest=min(batch_records or settings.batch_records, settings.batch_records),
        )
        datadir = settings.state_dir(name) / "faust"
        datadir.mkdir(parents=True, exist_ok=True)
        # A static member that is back within its session keeps its partitions, and nobody else is stopped for it. All
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
            broker_commit_interval=1.0,
        )
        faust_transport.serve(self.app.conf.id, self.sources, self.lead, self.partitions)
        self.topic = faust_transport.BatchTopic(self.app, topics=list(self.sources), acks=False)
        self.app.on_partitions_assigned.connect(self._assigned)
        self.app.on_partitions_revoked.connect(self._revoked)
        self.app.on_before_shutdown.connect(self._leave)
        self._listener = Listener(broker, self.partitions.readers, crash)

    async def _assigned(self, app: faust.App, assigned: set[TP], **_: object) -> None:
        self.partitions.assign({tp.partition for tp in assigned if tp.topic == self.lead})

    async def _revoked(self, app: faust.App, revoked: set[TP], **_: object) -> None:
        await self.partitions.revoke()

    async def _leave(self, app: faust.App, **_: object) -> None:
        """Told to stop: end what is under way, and go. Whatever Faust would still wait for holds nothing of ours."""
        await self.partitions.revoke()
        await self.partitions.close()
        logging.shutdown()
        os._exit(0)

    async def run(self, batch: Batch) -> None:
        """Commit one batch; see `Partitions.run`."""
        await self.partitions.run(batch)

    def main(self, log_level: str = "WARNING") -> None:
        """Run the worker until it is told to stop (SIGTERM, SIGINT)."""
        # Batches are many objects of one short life and no cycles: looking for garbage as often as Python does by
        # default takes a fifth of the time.
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        _give_memory_back()
        self._listener.start()
        worker = faust.Worker(self.app, loglevel=log_level, quiet=True, stdout=sys.stdout, stderr=sys.stderr)
        worker.execute_from_commandline()
