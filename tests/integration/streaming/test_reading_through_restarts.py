"""What commands read of topics is the same, and no error, when the broker is killed and comes back meanwhile."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from devstack.kafka import Kafka
from settings import Settings
from streaming.topic_reader import read_all, topic_ends

RECORDS = 20_000


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A broker of its own, to be killed."""
    broker = Kafka(tmp_path, Settings.load(home=tmp_path), print, None, {})
    broker.start()
    yield broker
    broker.stop()


def test_a_reader_goes_on_when_the_broker_is_back(kafka: Kafka) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.broker})
    admin.create_topics([NewTopic("many", 3, 1)])["many"].result(30)
    producer = Producer({"bootstrap.servers": kafka.broker, "queue.buffering.max.messages": RECORDS})
    for number in range(RECORDS):
        producer.produce("many", b"%d" % number, b"%d" % number)
    assert producer.flush(60) == 0

    reader = read_all(kafka.broker, ["many"])
    found = [next(reader).value]
    kafka.stop()
    back = threading.Timer(3.0, kafka.start)
    back.start()
    ends = topic_ends(kafka.broker, ["many"])  # asked while nobody answers
    assert sum(ends.values()) == RECORDS
    found += [record.value for record in reader]
    back.join()
    assert sorted(int(value or b"") for value in found) == list(range(RECORDS))


def test_asking_a_broker_that_stays_away_has_an_end(kafka: Kafka) -> None:
    kafka.stop()
    began = time.monotonic()
    with pytest.raises(KafkaException):
        topic_ends(kafka.broker, ["many"])
    assert time.monotonic() - began < 90
