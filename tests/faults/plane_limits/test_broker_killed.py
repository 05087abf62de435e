"""Replication 3, two replicas in sync: the broker that coordinates the transactions is killed, again and again.

Soak: three brokers take half a minute to start on two cores.
"""

import time
from pathlib import Path

import pytest

from tests.faults.faust_holes.subjects import END, Subject
from tests.faults.plane_limits.cluster import cluster

STATE_PARTITIONS, GROUP_PARTITIONS = (
    5,
    10,
)  # of __transaction_state and __consumer_offsets, as the embedded Kafka has them
PARTITIONS, RECORDS = 2, 300


def java_hash(text: str) -> int:
    """`String.hashCode`, by which Kafka chooses the coordinator's partition."""
    value = 0
    for letter in text:
        value = (31 * value + ord(letter)) & 0xFFFFFFFF
    return value & 0x7FFFFFFF  # Utils.abs of a signed int


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_coordinators_killed_one_after_another_lose_and_double_nothing(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as brokers:
        app = Subject("hourstream", "coordinator", brokers.broker, tmp_path / "app")
        app.replication = 3
        app.topics(partitions=PARTITIONS)
        expected: list[bytes] = []

        def publish() -> None:
            new = [b"%d" % (len(expected) + number) for number in range(RECORDS)]
            for partition in range(PARTITIONS):
                app.publish(*new[partition::PARTITIONS], partition=partition)
            expected.extend(new)

        app.start()
        transactions = ("__transaction_state", java_hash(f"hourstream-{app.name}-0") % STATE_PARTITIONS)
        group = ("__consumer_offsets", java_hash(app.group) % GROUP_PARTITIONS)
        try:
            publish()
            app.wait(lambda: len(app.outputs()) >= len(expected), "it does not work")
            for coordinator in (transactions, group, (app.changelog, 0)):
                victim = brokers.leader(*coordinator)
                brokers.nodes[victim].kill()
                began = time.monotonic()
                publish()
                reached = len(expected)
                app.wait(lambda reached=reached: len(app.outputs()) >= reached, f"it stood still after {coordinator}")
                print(
                    f"killed node {victim} ({coordinator[0]}): all through again after {time.monotonic() - began:.1f} s"
                )
                brokers.nodes[victim].start()
            app.finish()
            print("endings of the worker:", app.endings)
            assert sorted(app.outputs()) == sorted([*expected, END])
        finally:
            app.kill()
