"""Exactly once, Kafka to Kafka: one transaction per batch for outputs, changelog and source positions.

The commit, in numbered steps (Kafka Streams' order, made whole):
 1. decide in memory, over a `State` that holds the batch's own changes;
 2. one transaction: outputs + changelog rows + a position row per source topic; flush, then commit;
 3. one RocksDB write: the same rows + how far the changelog is.
On opening: fence the former owner (init_transactions), then restore the changelog up to its end. After the fence
no other producer can append, so the end that is read is final. State, outputs and position can never disagree.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from common.fault_injection import fault_point
from common.isolation import ISOLATED
from streaming.admin import QUIET
from streaming.batch import Batch, Output, Record
from streaming.changelog import Changelog, ChangelogReplaced, describe_changelog
from streaming.committer import Committer, Fenced
from streaming.decider import BatchDecision, Decide, Decider, Limits
from streaming.kafka_security import connection
from streaming.local_state import StoreUnreadable, move_aside
from streaming.reader import REQUEST_SECONDS, reader_config
from streaming.sizes import sizes_allowed, sizes_refused
from streaming.state import State
from streaming.store import CHANGELOG, Store, position_key

log = logging.getLogger("hourstream.plane")

LIVE = b"~"  # rows with this prefix are the live figures: kept in memory too, for the metrics page
# Deciding is Python through and through: two at a time only take the interpreter from each other.
_ONE_DECIDES = threading.Lock()
_CHUNK = 5_000  # records handed to librdkafka at a time
_QUEUE = 200_000  # records it may hold
_FLUSH_SECONDS = 2.0
_REFUSALS = 2  # times that a batch is divided anew because the broker refuses the size of what it comes to
Rows = Mapping[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class DerivedRows:
    """Rows, all whose keys begin with `prefix`, that follow from other rows of the same state.

    They are in the store and not in the changelog; on a restore `of` makes them again. `of` is given rows in the order
    in which they were last written.
    """

    prefix: bytes
    of: Callable[[Rows], Rows]


def producer_config(broker: str) -> dict[str, object]:
    """Settings of every producer: acknowledged by all replicas, Java's partitioner, compressed batches."""
    return {
        **connection(broker),
        **QUIET,
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 5,
        "batch.size": 1 << 20,
        "message.max.bytes": 8 << 20,
        "queue.buffering.max.messages": _QUEUE,
        "queue.buffering.max.kbytes": 1 << 20,  # never reached: `_QUEUE` is
    }


class TransactionalCommitter(Committer):
    """The state and transactions of one partition of one agent."""

    def __init__(
        self,
        agent: str,
        partition: int,
        sources: Iterable[str],
        *,
        broker: str,
        changelog: str,
        state_dir: Path,
        decide: Callable[[], Decide],
        due: Callable[["TransactionalCommitter"], bool] = lambda _: False,
        derived: DerivedRows | None = None,
        note: Callable[[State, Sequence[Record]], None] = lambda _state, _records: None,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        """`decide` makes the rule; see `streaming.decider` for it and for `note`."""
        self.agent, self.partition, self.sources = agent, partition, tuple(sources)
        self.positions: dict[str, int | None] = dict.fromkeys(self.sources)
        self._broker, self._changelog, self._due = broker, changelog, due
        self._decider = Decider(agent, decide, note)
        self._derived, self._request_seconds = derived, request_seconds
        self._path = state_dir / f"{changelog}-{partition}"
        self._live: dict[bytes, bytes] = {}
        self.restored_rows, self.restored = 0, False
        self._closing = False
        self._fatal: KafkaError | None = None
        self._fence_seconds = 0.0
        self._producer: Producer
        self.store: Store

    def fence(self) -> None:
        began = time.monotonic()
        identity = {"transactional.id": f"hourstream-{self.agent}-{self.partition}"}
        self._producer = Producer({**producer_config(self._broker), **identity, "error_cb": self._note_fatal})
        # Asked before a broker is known to it, librdkafka looks for the coordinator half a second later.
        self._producer.list_topics(self._changelog, self._request_seconds)
        fault_point(f"{self.agent}:fencing")
        self._producer.init_transactions(self._request_seconds)
        self._fence_seconds = time.monotonic() - began

    def open(self) -> None:
        damage: str | None = None
        try:
            self._open()
        except StoreUnreadable as error:
            damage = str(error)
        if damage is not None:  # and the error gone, whose traceback may hold an iterator that keeps RocksDB open
            if hasattr(self, "store"):
                self.store.close()
            self.replace_state(StoreUnreadable(damage))
            self._open()

    def replace_state(self, error: StoreUnreadable) -> None:
        aside = move_aside(self._path)
        log.error("%s; moved it to %s, %s is restored from %s", error, aside, self._path, self._changelog)

    def _open(self) -> None:
        began = time.monotonic()
        self.restored_rows = 0
        self.store = Store(self._path)
        self._hold_to_changelog()
        self._restore()
        self.positions = self.store.positions(self.sources)
        self._live = dict(self.store.scan(LIVE))
        self.restored = True
        log.info(
            "%s[%d] restored %d rows in %.2f s (fence %.2f s)",
            self.agent, self.partition, self.restored_rows, time.monotonic() - began, self._fence_seconds,
        )  # fmt: skip

    def _hold_to_changelog(self) -> None:
        """Refuse a store of another changelog; begin anew where the changelog may have forgotten what it deleted."""
        changelog, known = self._describe_changelog(), self.store.get(CHANGELOG)
        if known not in (None, changelog.identity):
            raise ChangelogReplaced(
                f"{self._changelog} was made anew since {self._path} was written, so what was committed is unknown: "
                "bring back the topic, or delete that folder to begin with what the new topic holds"
            )
        written = self.store.written_ms()
        if written is not None and not changelog.has_all_since(written, int(time.time() * 1000)):
            log.warning("%s is older than deletions are kept: restoring it from the beginning", self._path)
            self.store.empty()
        if self.store.get(CHANGELOG) is None:
            self.store.write({CHANGELOG: changelog.identity}, None)

    def _describe_changelog(self) -> Changelog:
        return describe_changelog(self._broker, self._changelog, self._request_seconds)

    def _restore(self) -> None:
        reached = self.store.reached()
        consumer = Consumer(reader_config(self._broker, f"hourstream-{self.agent}-restore"))
        try:
            here = TopicPartition(self._changelog, self.partition)
            _, end = consumer.get_watermark_offsets(here, self._request_seconds)
            if reached > end:
                raise ChangelogReplaced(
                    f"{self._path} is ahead of its changelog {self._changelog} ({reached} > {end}), which has lost "
                    "its last records: bring them back, or delete that folder to begin with what the topic holds"
                )
            consumer.assign([TopicPartition(self._changelog, self.partition, reached)])
            done = reached >= end
            while not (done or self._closing):
                rows: dict[bytes, bytes | None] = {}
                last = None
                for message in consumer.consume(10_000, 0.2):
                    if (error := message.error()) is None:
                        key = message.key()
                        rows.pop(key, None)  # so that rows are in the order of their last writing
                        rows[key], last = message.value(), message.offset() + 1
                    elif error.code() == KafkaError._PARTITION_EOF:
                        done = message.offset() >= end
                    else:
                        raise KafkaException(error)
                if last is not None:
                    self.restored_rows += len(rows)
                    self.progress.step()
                    self.store.write({**rows, **self._derived.of(rows)} if self._derived else rows, last)
                    fault_point(f"{self.agent}:restoring")
        finally:
            consumer.close()

    def process(self, batch: Batch) -> None:
        try:
            self._process(batch)
        except KafkaException as error:
            if self._fatal is None:
                raise
            raise KafkaException(self._fatal) from error

    def _process(self, batch: Batch) -> None:
        decided, reached = self._committed(batch)
        fault_point(f"{self.agent}:committed")
        self.store.write(decided.changes, reached)
        self._follow_live(decided.changes)
        self.positions = {**self.positions, **{t: e for t, e in batch.ends.items() if e >= 0}}
        ISOLATED.count("record", len(decided.set_aside))
        fault_point(f"{self.agent}:stored")

    def _committed(self, batch: Batch) -> tuple[BatchDecision, int | None]:
        """What the batch comes to, committed. What the broker refuses for its size is isolated like any failure."""
        limits: Limits | None = None
        for refusals in range(_REFUSALS + 1):
            decided = self._decide(batch, limits)
            if not refusals:
                fault_point(f"{self.agent}:decided")
            rows = self._to_log(decided.changes)
            try:
                return decided, self._transaction(decided.outputs, rows)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE or refusals == _REFUSALS:
                    raise
                log.warning("%s[%d]: the broker refuses a size: %s", self.agent, self.partition, error)
                self._producer.abort_transaction(60)
            limits = self._limits(decided.outputs, rows, by_settings=refusals > 0)
        raise AssertionError("the last refusal is raised")

    def _decide(self, batch: Batch, limits: Limits | None) -> BatchDecision:
        with self._turn():
            decided = self._decider.decide(batch, self.store, limits)
        for topic, end in batch.ends.items():
            if end != self.positions[topic] and end >= 0:
                decided.changes[position_key(topic)] = b"%d" % end
        return decided

    def _limits(self, outputs: Sequence[Output], rows: Rows, by_settings: bool) -> Limits:
        """Sizes that the broker does not take: found by trying, and where that did not help, of the settings."""
        if by_settings:
            self._fresh_producer()
            return sizes_allowed(self._broker, self._changelog, {output.topic for output in outputs})
        found = sizes_refused(self._fresh_producer, self._broker, self._changelog, self.partition, outputs, rows)
        self._fresh_producer()
        return found

    def _fresh_producer(self) -> Producer:
        """Fence once more. Raises Fenced where another owner has committed meanwhile: this state is old then."""
        self.fence()
        before = self.restored_rows
        self._restore()
        if self.restored_rows != before:
            raise Fenced(f"{self.agent}[{self.partition}] was taken over while a size was tried")
        return self._producer

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Decide while no other partition does."""
        self.progress.waits = True
        with _ONE_DECIDES:
            self.progress.waits = False
            yield
        self.progress.step()

    def _to_log(self, rows: Rows) -> Rows:
        derived = self._derived
        return rows if derived is None else {k: v for k, v in rows.items() if not k.startswith(derived.prefix)}

    def _transaction(self, outputs: Iterable[Output], rows: Rows) -> int | None:
        """-> the changelog offset after the last row, None when nothing changed (and nothing was written).

        Only the last row is asked for its offset. A record that could not be written is not missed: librdkafka then
        refuses to commit the transaction.
        """
        reached: list[int] = []

        def acknowledged(error: KafkaError | None, message: object) -> None:
            if error is None:
                reached.append(message.offset() + 1)  # type: ignore[attr-defined]

        self._producer.begin_transaction()
        by_topic: dict[str, list[dict[str, Any]]] = {}
        for output in outputs:
            if output.headers:  # which librdkafka does not take in bulk
                self._produce(output.topic, output.value, output.key, headers=list(output.headers), **_where(output))
            else:
                by_topic.setdefault(output.topic, []).append(
                    {"value": output.value, "key": output.key, **_where(output)}
                )
        for topic, records in by_topic.items():
            self._produce_all(topic, records)
        *most, last = rows.items() or (None,)
        self._produce_all(self._changelog, [{"key": k, "value": v} for k, v in most], self.partition)
        if last is not None:
            key, value = last
            self._produce(self._changelog, value, key, partition=self.partition, on_delivery=acknowledged)
        # What is left of a transaction that failed is never sent: the commit says so at once, or waits for the rest.
        self._producer.flush(_FLUSH_SECONDS)
        self.progress.step()
        fault_point(f"{self.agent}:flushed")
        self._producer.commit_transaction(self._request_seconds)
        self.progress.step()
        if last is not None and not reached:
            raise KafkaException(KafkaError(KafkaError._FAIL, "the last row of a committed batch has no offset"))
        return reached[0] if reached else None

    def _produce_all(self, topic: str, records: Sequence[dict[str, Any]], partition: int = -1) -> None:
        rest = iter(records)
        while chunk := list(islice(rest, _CHUNK)):
            while len(self._producer) > _QUEUE - _CHUNK:
                self._producer.poll(0.05)
            if self._producer.produce_batch(topic, chunk, partition=partition) < len(chunk):
                # Sending the rest later could put it behind what follows, so the batch is given up whole.
                refused = next(record["_error"] for record in chunk if "_error" in record)
                raise KafkaException(refused)

    def _produce(self, topic: str, value: bytes | None, key: bytes | None, **more: object) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, **more)
                return
            except BufferError:  # librdkafka's queue is full: serve deliveries until there is room
                self._producer.poll(0.1)

    def _follow_live(self, rows: Mapping[bytes, bytes | None]) -> None:
        changed = {key: value for key, value in rows.items() if key[:1] == LIVE}
        if changed:
            live = {**self._live, **changed}
            self._live = {key: value for key, value in live.items() if value is not None}

    def _note_fatal(self, error: KafkaError) -> None:
        """What made the producer unusable; later calls only say that it is."""
        if error.fatal() and self._fatal is None:
            self._fatal = error

    def abandon(self) -> None:
        self._producer.abort_transaction(3)

    def has_due_work(self) -> bool:
        return self.restored and not self._decider.due_rests and self._due(self)

    def live_rows(self) -> Mapping[bytes, bytes]:
        return self._live

    def close(self) -> None:
        self._closing = True
        if hasattr(self, "store"):
            self.store.close()


def _where(output: Output) -> dict[str, int]:
    return {} if output.partition is None else {"partition": output.partition}
