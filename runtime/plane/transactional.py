"""Exactly once, Kafka to Kafka: one transaction per batch for outputs, changelog and source positions.

The commit, in numbered steps (Kafka Streams' order, made whole):
 1. decide in memory, over a `State` that holds the batch's own changes;
 2. one transaction: outputs + changelog rows + a position row per source topic; flush, then commit;
 3. one RocksDB write: the same rows + how far the changelog is.
On opening: fence the former owner (init_transactions), then restore the changelog up to its end. After the fence
nobody else can append, so the end that is read is the end. State, outputs and position can never disagree.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from runtime.plane.batch import Batch, Output
from runtime.plane.changelog import ChangelogReplaced, describe_changelog
from runtime.plane.committer import Committer
from runtime.plane.faults import fault_point
from runtime.plane.reader import reader_config
from runtime.plane.state import State
from runtime.plane.store import CHANGELOG, Store, position_key

log = logging.getLogger("hourstream.plane")

LIVE = b"~"  # rows with this prefix are the live figures: kept in memory too, for the metrics page
Decide = Callable[[Batch, State], Iterable[Output]]


def producer_config(broker: str) -> dict[str, object]:
    """Settings of every producer: acknowledged by all replicas, Java's partitioner, compressed batches."""
    return {
        "bootstrap.servers": broker,
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 5,
        "batch.size": 1 << 20,
        "message.max.bytes": 8 << 20,
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 256 << 10,
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
        decide: Decide,
        due: Callable[["TransactionalCommitter"], bool] = lambda _: False,
    ) -> None:
        self.agent, self.partition, self.sources = agent, partition, tuple(sources)
        self.positions: dict[str, int | None] = dict.fromkeys(self.sources)
        self._broker, self._changelog, self._decide, self._due = broker, changelog, decide, due
        self._path = state_dir / f"{changelog}-{partition}"
        self._live: dict[bytes, bytes] = {}
        self.restored_rows, self.restored = 0, False
        self._closing = False
        self._producer: Producer
        self.store: Store

    def open(self) -> None:
        began = time.monotonic()
        identity = {"transactional.id": f"hourstream-{self.agent}-{self.partition}"}
        self._producer = Producer({**producer_config(self._broker), **identity})
        self._producer.init_transactions(60)
        fenced = time.monotonic()
        self.store = Store(self._path)
        self._hold_to_changelog()
        self._restore()
        self.positions = self.store.positions(self.sources)
        self._live = dict(self.store.scan(LIVE))
        self.restored = True
        log.info(
            "%s[%d] restored %d rows in %.2f s (fence %.2f s)",
            self.agent, self.partition, self.restored_rows, time.monotonic() - fenced, fenced - began,
        )  # fmt: skip

    def _hold_to_changelog(self) -> None:
        """Refuse a store of another changelog; begin anew where the changelog may have forgotten what it deleted."""
        changelog, known = describe_changelog(self._broker, self._changelog), self.store.get(CHANGELOG)
        if known not in (None, changelog.identity):
            raise ChangelogReplaced(
                f"{self._changelog} was made anew since {self._path} was written, so nobody knows what was committed: "
                "bring back the topic, or delete that folder to begin with what the new topic holds"
            )
        written = self.store.written_ms()
        if written is not None and not changelog.has_all_since(written, int(time.time() * 1000)):
            log.warning("%s is older than deletions are kept: restoring it from the beginning", self._path)
            self.store.empty()
        if self.store.get(CHANGELOG) is None:
            self.store.write({CHANGELOG: changelog.identity}, None)

    def _restore(self) -> None:
        reached = self.store.reached()
        consumer = Consumer(reader_config(self._broker, f"hourstream-{self.agent}-restore"))
        try:
            here = TopicPartition(self._changelog, self.partition)
            _, end = consumer.get_watermark_offsets(here, 30)
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
                        rows[message.key()], last = message.value(), message.offset() + 1
                    elif error.code() == KafkaError._PARTITION_EOF:
                        done = message.offset() >= end
                    else:
                        raise KafkaException(error)
                if last is not None:
                    self.store.write(rows, last)
                    self.restored_rows += len(rows)
        finally:
            consumer.close()

    def process(self, batch: Batch) -> None:
        state = State(self.store)
        outputs = self._decide(batch, state)
        for topic, end in batch.ends.items():
            if end != self.positions[topic] and end >= 0:
                state.changes[position_key(topic)] = b"%d" % end
        fault_point(f"{self.agent}:decided")
        acks = self._transaction(outputs, state.changes)
        fault_point(f"{self.agent}:committed")
        self.store.write(state.changes, acks)
        self._follow_live(state.changes)
        self.positions = {**self.positions, **{t: e for t, e in batch.ends.items() if e >= 0}}
        fault_point(f"{self.agent}:stored")

    def _transaction(self, outputs: Iterable[Output], rows: Mapping[bytes, bytes | None]) -> int | None:
        """-> the changelog offset after the last row, None when nothing changed (and nothing was written)."""
        reached: list[int] = []
        failed: list[KafkaError] = []

        def acknowledged(error: KafkaError | None, message: object) -> None:
            if error is not None:
                failed.append(error)

        def row_acknowledged(error: KafkaError | None, message: object) -> None:
            acknowledged(error, message)
            if error is None:
                reached.append(message.offset() + 1)  # type: ignore[attr-defined]

        self._producer.begin_transaction()
        for output in outputs:
            where = {} if output.partition is None else {"partition": output.partition}
            self._produce(output.topic, output.value, output.key, acknowledged, headers=list(output.headers), **where)
        for key, value in rows.items():
            self._produce(self._changelog, value, key, row_acknowledged, partition=self.partition)
        unsent = self._producer.flush(60)
        if unsent or failed:
            raise KafkaException(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT))
        fault_point(f"{self.agent}:flushed")
        self._producer.commit_transaction(60)
        return max(reached) if reached else None

    def _produce(
        self, topic: str, value: bytes | None, key: bytes | None, done: Callable[..., None], **more: object
    ) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=done, **more)
                return
            except BufferError:  # librdkafka's queue is full: serve deliveries until there is room
                self._producer.poll(0.1)

    def _follow_live(self, rows: Mapping[bytes, bytes | None]) -> None:
        changed = {key: value for key, value in rows.items() if key[:1] == LIVE}
        if changed:
            live = {**self._live, **changed}
            self._live = {key: value for key, value in live.items() if value is not None}

    def abandon(self) -> None:
        self._producer.abort_transaction(3)

    def has_due_work(self) -> bool:
        return self.restored and self._due(self)

    def live_rows(self) -> Mapping[bytes, bytes]:
        return self._live

    def close(self) -> None:
        self._closing = True
        if hasattr(self, "store"):
            self.store.close()
