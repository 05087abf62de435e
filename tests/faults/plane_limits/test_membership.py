"""How long each partition stands still when one of two workers restarts, with ordinary and with static membership.

Soak: it measures. The figures are in docs/limits.md. Static membership is Faust's `consumer_group_instance_id`: a
worker that is back under its name within the session timeout gets its partitions back, and nobody else is asked.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from signal import SIGKILL, SIGTERM, Signals

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from streaming.reader import reader_config
from tests.faults.faust_holes.subjects import Subject
from tests.faults.plane_limits.conftest import Make

PARTITIONS, EVERY = 4, 0.02  # seconds between two records of a partition


@pytest.mark.soak
@pytest.mark.parametrize("signal", [SIGTERM, SIGKILL])
@pytest.mark.parametrize("static", [False, True], ids=["ordinary", "static"])
def test_a_restart_pauses_partitions_and_loses_nothing(worker: Make, static: bool, signal: Signals) -> None:
    app = worker(f"members-{signal.name.lower()}-{'static' if static else 'ordinary'}")
    app.topics(partitions=PARTITIONS)
    app.start(**({"HOLE_INSTANCE": "first"} if static else {}))
    rival = app.rival()
    rival.start(**({"HOLE_INSTANCE": "second"} if static else {}))
    try:
        app.wait(lambda: app.members() == 2, "the group does not come together")
        with fed(app) as sent:
            time.sleep(6)
            rival.process.send_signal(signal)
            rival.process.wait(30)
            rival.kill()
            rival.start()
            time.sleep(14)
        app.wait(lambda: len(app.outputs()) >= len(sent), "not everything came through")
        assert sorted(app.outputs()) == sorted(sent)
    finally:
        rival.kill()
    pauses = ", ".join(f"{pause:.1f}" for pause in sorted(longest_pauses(app)))
    print(f"{signal.name}, {'static' if static else 'ordinary'}: longest pauses of the partitions {pauses} s")


@contextmanager
def fed(app: Subject) -> Iterator[list[bytes]]:
    """A steady stream of records; what was sent, complete at the end."""
    sent: list[bytes] = []
    enough = threading.Event()

    def feed() -> None:
        producer = Producer({"bootstrap.servers": app.broker})
        while not enough.wait(EVERY):
            for partition in range(PARTITIONS):
                sent.append(b"%d-%d" % (partition, len(sent)))
                producer.produce(app.source, sent[-1], partition=partition)
            producer.poll(0)
        producer.flush(30)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield sent
    finally:
        enough.set()
        feeder.join()


def longest_pauses(app: Subject) -> list[float]:
    """Per source partition, the longest time between two of its outputs, in seconds."""
    times: dict[bytes, list[int]] = defaultdict(list)
    consumer, open_ends = Consumer(reader_config(app.broker, "limits-times")), set(range(PARTITIONS))
    consumer.assign([TopicPartition(app.output, number, 0) for number in open_ends])
    while open_ends:
        for message in consumer.consume(1000, 0.2):
            if message.error() is None:
                times[message.value().split(b"-")[0]].append(message.timestamp()[1])
            else:
                open_ends.discard(message.partition())
    consumer.close()
    ordered = [sorted(each) for each in times.values()]
    return [max(later - before for before, later in pairwise(each)) / 1000 for each in ordered]
