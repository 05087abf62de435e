"""Three embedded brokers as one cluster: every topic threefold, and no write acknowledged by fewer than two."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import AdminClient

from devstack.kafka import Kafka
from devstack.ports import LOOPBACK, free_port
from settings import Settings

NODES = (1, 2, 3)
THREEFOLD = {
    "default.replication.factor": "3", "min.insync.replicas": "2", "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3", "transaction.state.log.min.isr": "2",
}  # fmt: skip


class Cluster:
    """The brokers by node id."""

    def __init__(self, home: Path, settings: Settings) -> None:
        ports = {node: (free_port(), free_port()) for node in NODES}
        voters = ",".join(f"{node}@{LOOPBACK}:{controller}" for node, (_, controller) in ports.items())
        self.nodes = {}
        for node, (port, controller) in ports.items():
            listeners = f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller}"
            own = {"node.id": str(node), "controller.quorum.voters": voters, "listeners": listeners}
            self.nodes[node] = Kafka(home / str(node), settings, print, port, {**THREEFOLD, **own})

    @property
    def broker(self) -> str:
        """Addresses of all three."""
        return ",".join(kafka.broker for kafka in self.nodes.values())

    def leader(self, topic: str, partition: int) -> int:
        """The node that leads a partition now."""
        admin = AdminClient({"bootstrap.servers": self.broker})
        return int(admin.list_topics(topic, 10).topics[topic].partitions[partition].leader)


@contextmanager
def cluster(home: Path) -> Iterator[Cluster]:
    """Started together, since none of them answers without a quorum."""
    made = Cluster(home, Settings.load(home=home, kafka_heap_mb=256))
    try:
        for kafka in made.nodes.values():
            kafka.begin()
        for kafka in made.nodes.values():
            kafka.wait_ready()
        yield made
    finally:
        for kafka in made.nodes.values():
            kafka.stop()
