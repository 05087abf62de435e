"""The watchdog's verdict on a real reader, from what another client of the same broker knows."""

import secrets
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from devstack.ports import free_port
from streaming.batch import Batch
from streaming.committer import Committer
from streaming.partitions import Partition
from streaming.reader import PartitionReader, reader_config
from streaming.stall_detector import ConsumerStalled, ConsumerWatchdog
from streaming.watched import of_partition

SECONDS = 100.0  # of a clock that the tests turn


class Positions(Committer):
    """Nothing stands behind it."""

    partition = 0

    def __init__(self, topic: str) -> None:
        self.positions: dict[str, int | None] = {topic: 0}

    def open(self) -> None:
        return

    def process(self, batch: Batch) -> None:
        return

    def close(self) -> None:
        return


class Bench:
    """A partition over a topic of its own, its watchdog, and what the watchdog said."""

    def __init__(self, broker: str) -> None:
        self.broker, self.topic, self.said = broker, f"stall-{secrets.token_hex(3)}", list[ConsumerStalled]()
        admin = AdminClient({"bootstrap.servers": broker})
        admin.create_topics([NewTopic(self.topic, 1, 1)])[self.topic].result(30)
        self.committer = Positions(self.topic)
        self.partition = Partition(self.committer)
        self.reader = PartitionReader(reader_config(broker, "stall"), 0, {self.topic: None})
        self.partition.reader = self.reader
        self.watchdog = self.watching(broker)
        self.now = 0.0

    def watching(self, broker: str) -> ConsumerWatchdog:
        return ConsumerWatchdog(broker, lambda: list(of_partition(self.partition, 10)), self.said.append, SECONDS)

    def publish(self, count: int = 1, transaction: str | None = None) -> Producer:
        id = {} if transaction is None else {"transactional.id": transaction}
        producer = Producer({"bootstrap.servers": self.broker, **id})
        if transaction is not None:
            producer.init_transactions(30)
            producer.begin_transaction()
        for _ in range(count):
            producer.produce(self.topic, b"-")
        producer.flush(30)
        return producer

    def read_to(self, offset: int) -> None:
        deadline = time.monotonic() + 30
        while self.reader.reached(self.topic) < offset:
            assert time.monotonic() < deadline
            self.reader.read(100)
            time.sleep(0.02)

    def hand_over(self) -> None:
        """What was read is committed."""
        self.committer.positions = {self.topic: self.reader.take().ends[self.topic]}
        self.partition.batches += 1

    def look(self, times: int, doing: Callable[[], object] = lambda: None) -> int:
        """Look every 20 s, after `doing` something; how often the watchdog spoke so far."""
        for _ in range(times):
            doing()
            self.now += 20
            self.watchdog.look(self.now)
        return len(self.said)


@pytest.fixture
def bench(forgetful: str) -> Iterator[Bench]:
    """One that has read and handed over a record."""
    bench = Bench(forgetful)
    bench.publish()
    bench.read_to(1)
    bench.hand_over()
    yield bench
    bench.reader.close()


def test_a_reader_that_stays_behind_what_is_committed_is_stalled_after_the_bound(bench: Bench) -> None:
    bench.reader._consumer.pause([TopicPartition(bench.topic, 0)])  # the client's own way to fetch no more
    bench.publish()
    assert bench.look(5, lambda: bench.reader.read(100)) == 0
    assert bench.look(1) == 1
    assert "partition 0, reading: no progress for 100 s" in str(bench.said[0])
    assert f"{bench.topic}[0]: 1 of 2" in str(bench.said[0])


def test_one_at_its_end_may_be_silent_for_ever(bench: Bench) -> None:
    assert bench.look(20) == 0
    assert bench.watchdog.idle_seconds() == 0


def test_an_open_transaction_is_not_behind(bench: Bench) -> None:
    producer = bench.publish(transaction=bench.topic)
    assert bench.look(20) == 0
    producer.commit_transaction(30)
    bench.read_to(3)
    bench.hand_over()
    assert bench.look(20) == 0


def test_one_that_advances_a_little_is_slow_and_not_stalled(bench: Bench) -> None:
    bench.publish(12)
    bench.read_to(13)
    assert bench.look(20, bench.committer.progress.step) == 0
    assert bench.look(6) > 0


def test_records_that_are_read_and_not_handed_over_are_a_stall(bench: Bench) -> None:
    bench.publish(3)
    bench.read_to(4)
    assert bench.look(6) == 1
    assert "partition 0, deciding: no progress for 100 s, 3 records were read and not handed over" in str(bench.said[0])


def test_a_batch_that_is_not_committed_is_a_stall_even_while_more_is_read(bench: Bench) -> None:
    bench.publish(2)
    bench.read_to(3)
    bench.partition.taken, bench.partition.batches = bench.reader.take(), bench.partition.batches + 1

    def more() -> None:
        bench.publish()
        bench.read_to(bench.reader.reached(bench.topic) + 1)

    assert bench.look(7, more) > 0
    assert "a batch of 2 records is not committed" in str(bench.said[0])


def test_a_reader_that_is_not_asked_is_not_behind(bench: Bench) -> None:
    bench.publish(20)
    while len(bench.reader.buffer.records) < 10:
        bench.reader.read(10 - len(bench.reader.buffer.records))
    bench.look(20, bench.committer.progress.step)
    assert not bench.said


def test_a_partition_that_waits_for_its_turn_advances_with_the_others(bench: Bench) -> None:
    other = Positions("other").progress
    bench.publish()
    bench.read_to(2)
    bench.committer.progress.waits = True
    assert bench.look(20, other.step) == 0
    bench.committer.progress.waits = False
    assert bench.look(7, other.step) > 0


def test_no_time_counts_while_the_broker_does_not_answer(bench: Bench) -> None:
    bench.reader._consumer.pause([TopicPartition(bench.topic, 0)])
    bench.publish()
    assert bench.look(3) == 0
    reachable, bench.watchdog._admin = (
        bench.watchdog._admin,
        AdminClient({"bootstrap.servers": f"127.0.0.1:{free_port()}", "log_level": 0}),
    )
    bench.watchdog._answer, bench.watchdog._broker = 0.2, f"127.0.0.1:{free_port()}"
    assert bench.look(10) == 0
    bench.watchdog._admin, bench.watchdog._answer = reachable, 10.0
    assert bench.look(2) == 0
    assert bench.look(2) > 0


def test_no_time_counts_while_the_process_was_stopped(bench: Bench) -> None:
    bench.publish(2)
    bench.read_to(3)
    assert bench.look(2) == 0
    bench.now += 1000
    assert bench.look(1) == 0
    assert bench.look(5) > 0
