"""Brings charges to a sink: commits batches of `billing.ready` in the sink's own database and publishes its outbox.

The position lives in the sink's database and moves in the transaction that writes the batch; Kafka holds none. While a
target is down, lag grows: the batch is offered again with growing pauses until it is accepted.
"""

import functools
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import orjson
from confluent_kafka import KafkaError, KafkaException, Producer

from common import errors
from common.fault_injection import fault_point
from common.isolation import ISOLATED
from schemas.codec import encode
from schemas.json_codec import from_json
from settings import Settings
from sinks.contract import Sink
from sinks.outbox import NUMBER, Outbox, OutboxRow
from storage.charge_batch import ChargeRecord, ChargeRow, SinkBatch
from storage.live_counts import SinkFigures
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.batch import Batch, Output, Record
from streaming.committer import Committer, Fenced
from streaming.dead_letters import dead_letter, explained, read
from streaming.partitions import crash
from streaming.process import BatchProcess, Figures
from streaming.producing import produce
from streaming.progress import Progress
from streaming.transactions import producer_config
from topics.catalogue import CHARGES_TOPIC

log = logging.getLogger("hourstream.sink")
LONGEST_PAUSE = 15.0
_LONGEST_ROW = 500_000  # bytes of an outbox row in its dead letter
Answer = TypeVar("Answer")


class AnnouncementTooLarge(Exception):
    """The broker does not take records of this size; the others are published."""

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__(f"{len(numbers)} records are larger than the broker takes")
        self.numbers = numbers


class Announcer:
    """Publishes records and returns only when the broker has acknowledged every one of them."""

    def __init__(self, broker: str) -> None:
        self._producer = Producer(producer_config(broker))
        self._lock = threading.Lock()

    def publish(self, outputs: Sequence[Output]) -> None:
        """Raises TooLarge or KafkaException when a record was not acknowledged; all may be published again."""
        failed, refused = list[KafkaError](), list[int]()

        def done(number: int, error: KafkaError | None, _message: object = None) -> None:
            if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                refused.append(number)
            elif error is not None:
                failed.append(error)

        with self._lock:
            for number, output in enumerate(outputs):
                told = functools.partial(done, number)
                try:
                    produce(self._producer, output.topic, output.key, output.value, output.headers, told)
                except KafkaException as error:  # the client has a limit of its own
                    told(error.args[0])
            unsent = self._producer.flush(60)
        if unsent or failed:
            raise KafkaException(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT))
        if refused:
            raise AnnouncementTooLarge(refused)


def until_reachable(target: str, ask: Callable[[], Answer], closing: threading.Event, progress: Progress) -> Answer:
    """The answer of a target, requested again with growing pauses while it is down. Raises Unreachable when `closing`.

    A failed attempt is progress: the watchdog must end only an attempt that never returns.
    """
    pause = 0.2
    while True:
        try:
            return ask()
        except errors.Unreachable as error:
            progress.step()
            log.warning("%s is unreachable, trying again in about %.1f s: %s", target, pause, error)
            if closing.wait(pause * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter, not a secret
                raise
            pause = min(pause * 2, LONGEST_PAUSE)


class SinkCommitter(Committer):
    """One partition of `billing.ready`, committed in the sink's database."""

    follows_markers = True  # an invoice run waits until the position has reached the topic's end

    def __init__(self, agent: str, partition: int, sink: Sink, announcer: Announcer) -> None:
        self.agent, self.partition, self._sink, self._announcer = agent, partition, sink, announcer
        self.positions: dict[str, int | None] = {CHARGES_TOPIC: None}
        self._closing = threading.Event()

    def open(self) -> None:
        self.positions = {CHARGES_TOPIC: self._until_reachable(self._position) or None}

    def _position(self) -> int:
        return self._sink.positions(CHARGES_TOPIC, self.partition)

    def process(self, batch: Batch) -> None:
        dead: list[Output] = []
        rows = [
            ChargeRow(record.offset, record.timestamp_ms, cast(ChargeRecord, value))
            for record, value in read(batch.records, self.agent, dead)
        ]
        if dead:
            self._announcer.publish(dead)
        good = {row.offset for row in rows}
        dead_ms = [record.timestamp_ms for record in batch.records if record.offset not in good] if dead else []
        start, end = self.positions[CHARGES_TOPIC] or 0, batch.ends[CHARGES_TOPIC]
        fault_point(f"{self.agent}:decided")
        work = SinkBatch(CHARGES_TOPIC, self.partition, start, end, rows, dead_ms)
        records = {record.offset: record for record in batch.records}

        def set_aside(refused: Sequence[tuple[ChargeRow, Exception]]) -> None:
            letters = [dead_letter(records[row.offset], explained(error), self.agent) for row, error in refused]
            self._announcer.publish(letters)

        try:
            self._until_reachable(lambda: self._sink.write(work, set_aside))
        except errors.SinkFenced as error:
            raise Fenced(str(error)) from error
        fault_point(f"{self.agent}:committed")
        self.positions = {CHARGES_TOPIC: end}

    def _until_reachable(self, ask: Callable[[], Answer]) -> Answer:
        return until_reachable(self._sink.name, ask, self._closing, self.progress)

    def close(self) -> None:
        self._closing.set()


def sink_process(
    name: str,
    settings: Settings,
    announces: Sequence[str],
    make: Callable[[Pool], Sink],
    figures: Callable[[Pool, str], Figures] = SinkFigures,
) -> BatchProcess:
    """The process of a sink on PostgreSQL: its own consumer group, and the topics on which its writes are announced."""
    pool = open_pool(settings.database_url)
    migrate(pool)
    announcer, sink = Announcer(settings.bootstrap), make(pool)
    for topic in announces:
        OutboxFeeder(name, Outbox(pool, topic), announcer)
    process = BatchProcess(
        name, (CHARGES_TOPIC,), lambda partition: SinkCommitter(name, partition, sink, announcer), settings
    )
    process.figures = figures(pool, sink.name)
    return process


class OutboxFeeder:
    """A thread that announces a sink's writes soon after they happen."""

    def __init__(self, agent: str, outbox: Outbox, announcer: Announcer, seconds: float = 0.1) -> None:
        self._agent, self._outbox, self._announcer, self._seconds = agent, outbox, announcer, seconds
        threading.Thread(target=self._run, name=f"{agent}-outbox", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                fed = self._outbox.feed(self._publish)
            except errors.Unreachable as error:
                log.warning("outbox of %s: %s", self._agent, error)
                fed = 0
            except Exception as error:
                crash(error)
            if not fed:
                time.sleep(self._seconds)

    def _publish(self, rows: Sequence[OutboxRow]) -> None:
        made = [(row, output) for row in rows if (output := self._made(row)) is not None]
        try:
            self._announcer.publish([output for _, output in made])
        except AnnouncementTooLarge as error:
            for number in error.numbers:
                self._set_aside(made[number][0], error)
        fault_point(f"{self._agent}:announced")

    def _made(self, row: OutboxRow) -> Output | None:
        try:
            headers = ((NUMBER, b"%d" % row.seq),)
            return Output(row.topic, row.key.encode(), encode(row.topic, from_json(row.topic, row.value)), headers)
        except Exception as error:  # a row that the contract of its topic refuses is faulty itself
            self._set_aside(row, error)
            return None

    def _set_aside(self, row: OutboxRow, error: Exception) -> None:
        """A dead letter with the beginning of what could not be announced; all of it stays in the outbox."""
        where = f"row {row.seq} of hourstream.outbox"
        ISOLATED.log(f"{self._agent}: {where}", error)
        said = orjson.dumps(row.value)[:_LONGEST_ROW]
        record = Record(row.topic, -1, row.seq, int(time.time() * 1000), row.key.encode(), said, ())
        self._announcer.publish([dead_letter(record, f"{where}: {explained(error)}", self._agent)])
        ISOLATED.count("record")
