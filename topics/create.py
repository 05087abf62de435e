"""Creates the topics of the catalogue on a cluster and checks the existing ones."""

import time
from collections.abc import Iterable
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource, NewTopic, ResourceType

from topics.catalogue import Topic

_PATIENCE_SECONDS = 30.0
_GLANCE_SECONDS = 0.05


class TopicsDiffer(RuntimeError):
    """Topics on the cluster differ from the catalogue; the message lists the differences and the remedy."""


def create_topics(admin: AdminClient, topics: Iterable[Topic], replication: int) -> tuple[str, ...]:
    """Make the missing topics with their settings, wait until the cluster shows them, and return their names in order.

    Existing ones are verified first and never changed: TopicsDiffer if any has another number of partitions or other
    settings, and then nothing is made. KafkaException when the cluster refuses, TimeoutError when it is too slow.
    """
    wanted = {topic.name: topic for topic in topics}
    partitions = _partition_counts(admin)
    missing = [topic for topic in wanted.values() if topic.name not in partitions]
    _verify(admin, [topic for topic in wanted.values() if topic.name in partitions], partitions)
    made = _make(admin, missing, replication)
    partitions = _shown(admin, missing)
    _verify(admin, [topic for topic in missing if topic.name not in made], partitions)
    return made


def _partition_counts(admin: AdminClient) -> dict[str, int]:
    found = admin.list_topics(timeout=_PATIENCE_SECONDS).topics
    return {name: len(metadata.partitions) for name, metadata in found.items()}


def _make(admin: AdminClient, topics: list[Topic], replication: int) -> tuple[str, ...]:
    """The names of those made here: another process may make some of them, from its catalogue, at the same time."""
    if not topics:
        return ()
    orders = [NewTopic(topic.name, topic.partitions, replication, config=dict(topic.config)) for topic in topics]
    answers: dict[str, Future[None]] = admin.create_topics(orders, operation_timeout=_PATIENCE_SECONDS)
    return tuple(topic.name for topic in topics if _was_made(answers[topic.name]))


def _was_made(answer: Future[None]) -> bool:
    try:
        answer.result(_PATIENCE_SECONDS)
    except KafkaException as refusal:
        if refusal.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True


def _shown(admin: AdminClient, topics: list[Topic]) -> dict[str, int]:
    """Partition counts, once the cluster shows these topics: a broker learns of new topics a moment after making."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    partitions = _partition_counts(admin)
    while lacking := [topic.name for topic in topics if topic.name not in partitions]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the cluster does not show {', '.join(lacking)} after {_PATIENCE_SECONDS:.0f} s")
        time.sleep(_GLANCE_SECONDS)
        partitions = _partition_counts(admin)
    return partitions


def _verify(admin: AdminClient, topics: list[Topic], partitions: dict[str, int]) -> None:
    if differences := _differences(admin, topics, partitions):
        raise TopicsDiffer("the cluster's topics are not as the catalogue says:\n" + "\n".join(differences))


def _differences(admin: AdminClient, topics: list[Topic], partitions: dict[str, int]) -> list[str]:
    settings = _settings(admin, topics)
    found = []
    for topic in topics:
        if partitions[topic.name] != topic.partitions:
            found.append(
                f"  {topic.name} has {partitions[topic.name]} partitions, not {topic.partitions}: "
                "set `partitions` to what the cluster has, or start with an empty cluster; "
                "adding partitions would tear engagements from their state"
            )
        for name, value in topic.config.items():
            actual = settings[topic.name].get(name)
            if actual != value:
                found.append(
                    f"  {topic.name} has {name}={actual}, not {value}: "
                    f"kafka-configs.sh --alter --topic {topic.name} --add-config {name}={value}"
                )
    return found


def _settings(admin: AdminClient, topics: list[Topic]) -> dict[str, dict[str, str | None]]:
    if not topics:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    answers: dict[ConfigResource, Future[dict[str, ConfigEntry]]] = admin.describe_configs(
        resources, request_timeout=_PATIENCE_SECONDS
    )
    return {
        resource.name: {name: entry.value for name, entry in answer.result(_PATIENCE_SECONDS).items()}
        for resource, answer in answers.items()
    }
