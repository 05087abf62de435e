"""warehouse: writes the stream into the console's read models in PostgreSQL.

Its positions live in its database, like those of every sink. It has two further threads: one mirrors the masters, one
computes totals.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from common import errors
from common.fault_injection import fault_point
from common.isolation import ISOLATED, divide
from common.timestamps import instant
from settings import Settings
from sinks.committer import Announcer, Answer, until_reachable
from storage.isolated_write import passes_on
from storage.live_counts import SinkFigures
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming import committer
from streaming.batch import Batch, Output, Record
from streaming.committer import Committer
from streaming.dead_letters import dead_letter, explained, read
from streaming.isolation import is_environment
from streaming.partitions import crash
from streaming.process import Batches, BatchProcess
from streaming.topic_follower import TopicTableReader
from tables.settlement.masters_snapshot import TOPIC as CURRENT
from topics.records import current_masters, header_text
from warehouse.aggregates import is_due, sum_up
from warehouse.events import TOPICS, Arrival
from warehouse.masters import mirror
from warehouse.writer import NAME, Warehouse

log = logging.getLogger("hourstream.warehouse")
_REST_SECONDS = 60.0  # after sums that failed
_LOOK_SECONDS, _SHARE = 1.0, 10  # sums take at most one part in so many of the time


class WarehouseCommitter(Committer):
    """One partition number of all topics, committed in the warehouse."""

    follows_markers = True

    def __init__(self, partition: int, warehouse: Warehouse, announcer: Announcer) -> None:
        self.partition, self._warehouse, self._announcer = partition, warehouse, announcer
        self.positions: dict[str, int | None] = dict.fromkeys(TOPICS)
        self._closing = threading.Event()

    def open(self) -> None:
        found = self._until_reachable(lambda: self._warehouse.positions(self.partition))
        self.positions = {topic: at or None for topic, at in found.items()}

    def process(self, batch: Batch) -> None:
        dead: list[Output] = []
        arrivals = [
            Arrival(r.topic, r.partition, r.offset, instant(r.timestamp_ms), value, _source(r))
            for r, value in read(batch.records, NAME, dead)
        ]
        if dead:
            self._announcer.publish(dead)
        ends = {topic: (self.positions[topic] or 0, end) for topic, end in batch.ends.items()}
        ends = {topic: (start, end) for topic, (start, end) in ends.items() if end > start}
        records = {(record.topic, record.offset): record for record in batch.records}

        def set_aside(refused: Sequence[tuple[Arrival, Exception]]) -> None:
            found = ((records[arrival.topic, arrival.offset], error) for arrival, error in refused)
            self._announcer.publish([dead_letter(record, explained(error), NAME) for record, error in found])

        fault_point(f"{NAME}:decided")
        try:
            self._until_reachable(lambda: self._warehouse.write(self.partition, ends, arrivals, set_aside))
        except errors.SinkFenced as error:
            raise committer.Fenced(str(error)) from error
        fault_point(f"{NAME}:committed")
        self.positions = {**self.positions, **{topic: end for topic, (_, end) in ends.items()}}

    def _until_reachable(self, ask: Callable[[], Answer]) -> Answer:
        return until_reachable(NAME, ask, self._closing, self.progress)

    def close(self) -> None:
        self._closing.set()


def _source(record: Record) -> str | None:
    """The source record that a canonical revision says it was made from, and where that is."""
    named, position = header_text(record, "source.record"), header_text(record, "source.position")
    return f"{named} at {position}" if named and position else None


class MastersMirror:
    """Follows `masters.current` into the warehouse; `end` is how far that is done."""

    def __init__(self, broker: str, pool: Pool, stall_seconds: float) -> None:
        self.end, self._pool = 0, pool
        self._follower = TopicTableReader(broker, CURRENT, self._apply, stall_seconds)
        self._follower.start()

    def _apply(self, records: Sequence[Record], end: int) -> None:
        divide(records, self._mirror, _skip, lambda error: is_environment(error) or passes_on(error))
        self.end = end

    def _mirror(self, records: Sequence[Record]) -> None:
        masters = [(topic, identity, value) for _, topic, identity, value in current_masters(records)]
        until_reachable(NAME, lambda: mirror(self._pool, masters), threading.Event(), self._follower.progress)


def _skip(record: Record, error: Exception) -> None:
    """A master that the database cannot hold is not shown; the one before it stays."""
    ISOLATED.log(f"{NAME}: {CURRENT}:{record.offset}", error)
    ISOLATED.count("record")


class Summing:
    """A thread that keeps the sums up: soon after a change, and never for more than a tenth of the time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        threading.Thread(target=self._run, name=f"{NAME}-sums", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                seconds = sum_up(self._pool) if is_due(self._pool) else 0.0
            except errors.Unreachable as error:
                log.warning("sums: %s", error)
                seconds = 0.0
            except Exception as error:
                if is_environment(error) or passes_on(error):
                    crash(error)
                ISOLATED.log(f"{NAME}: sums", error)
                ISOLATED.count("due")
                seconds = _REST_SECONDS / _SHARE
            time.sleep(max(_LOOK_SECONDS, seconds * _SHARE))


def process(settings: Settings) -> BatchProcess:
    """The warehouse as a consumer of its topics."""
    pool = open_pool(settings.database_url)
    migrate(pool)
    target, announcer = Warehouse(pool), Announcer(settings.bootstrap)
    warehouse = BatchProcess(NAME, TOPICS, lambda partition: WarehouseCommitter(partition, target, announcer), settings)
    warehouse.figures = SinkFigures(pool, NAME)
    masters = MastersMirror(settings.bootstrap, pool, settings.stall_seconds)
    warehouse.follows[CURRENT] = lambda: masters.end
    Summing(pool)

    @warehouse.app.agent(warehouse.topic)
    async def take_in(batches: Batches) -> None:
        async for batch in batches:
            await warehouse.run(batch)

    return warehouse
