"""A reader whose client no longer fetches: seen to be deaf by what another client knows, and never by mistake."""

import secrets
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streaming.reader import PartitionReader, reader_config
from streaming.stall_detector import Deaf, Listener

PATIENCE = 0.5


class Ear:
    """A reader of a topic of its own, its listener, and what the listener said."""

    def __init__(self, broker: str) -> None:
        self.broker, self.topic, self.said = broker, f"deaf-{secrets.token_hex(3)}", list[Deaf]()
        admin = AdminClient({"bootstrap.servers": broker})
        admin.create_topics([NewTopic(self.topic, 1, 1)])[self.topic].result(30)
        self.reader = PartitionReader(reader_config(broker, "deaf"), 0, {self.topic: None})
        self.listener = Listener(broker, lambda: [self.reader], self.said.append, PATIENCE)

    def publish(self, **config: object) -> Producer:
        producer = Producer({"bootstrap.servers": self.broker, **config})
        if config:
            producer.init_transactions(30)
            producer.begin_transaction()
        producer.produce(self.topic, b"-")
        producer.flush(30)
        return producer

    def listen(self, until: Callable[[], bool]) -> None:
        """Read until something is so."""
        deadline = time.monotonic() + 30
        while not until():
            assert time.monotonic() < deadline
            self.reader.read(100)
            time.sleep(0.02)

    def is_silent(self) -> bool:
        since = self.reader.silent_since
        return since is not None and time.monotonic() - since > PATIENCE

    def look(self) -> int:
        self.listener.look(time.monotonic())
        return len(self.said)


@pytest.fixture
def ear(forgetful: str) -> Iterator[Ear]:
    """One that has heard of a record."""
    ear = Ear(forgetful)
    ear.publish()
    ear.listen(lambda: ear.reader.next[ear.topic] == 1)
    yield ear
    ear.reader.close()


def test_a_reader_that_does_not_hear_what_is_committed_is_ended(ear: Ear) -> None:
    ear.reader._consumer.pause([TopicPartition(ear.topic, 0)])  # the client's own way to fetch no more
    ear.publish()
    ear.listen(ear.is_silent)
    assert ear.look() == 0  # it may just have come
    ear.reader.read(100)
    assert ear.look() == 1
    assert f"{ear.topic}[0]': '1 of 2'" in str(ear.said[0])


def test_one_with_nothing_to_hear_may_be_silent_for_ever(ear: Ear) -> None:
    ear.listen(ear.is_silent)
    assert (ear.look(), ear.look()) == (0, 0)


def test_an_open_transaction_is_nothing_to_hear(ear: Ear) -> None:
    producer = ear.publish(**{"transactional.id": ear.topic})
    ear.listen(ear.is_silent)
    assert (ear.look(), ear.look()) == (0, 0)
    producer.commit_transaction(30)
    ear.listen(lambda: ear.reader.next[ear.topic] == 2)
    ear.listen(ear.is_silent)
    assert (ear.look(), ear.look()) == (0, 0)


def test_one_that_hears_again_after_the_first_look_goes_on(ear: Ear) -> None:
    here = [TopicPartition(ear.topic, 0)]
    ear.reader._consumer.pause(here)
    ear.publish()
    ear.listen(ear.is_silent)
    assert ear.look() == 0
    ear.reader._consumer.resume(here)
    ear.listen(lambda: ear.reader.next[ear.topic] == 2)
    ear.reader._consumer.pause(here)
    ear.publish()
    ear.listen(ear.is_silent)
    assert ear.look() == 0
    assert ear.look() == 1


def test_one_that_is_not_asked_is_not_suspected(ear: Ear) -> None:
    ear.listen(ear.is_silent)
    ear.publish()
    ear.reader.silent_since = None  # as `Partitions.poll` does while a batch holds everything up
    assert (ear.look(), ear.look()) == (0, 0)
