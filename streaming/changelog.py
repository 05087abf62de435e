"""Checks of a changelog topic before a store resumes from its own position.

A store that was away for long may have missed deletions: compaction removes the record of a deletion some time after it
was written (`delete.retention.ms`), and a store that resumes before it keeps the row for ever. A topic that was made
anew under the same name has other records at the same offsets.
"""

from typing import NamedTuple

from confluent_kafka import TopicCollection
from confluent_kafka.admin import ConfigResource, ResourceType

from streaming.admin import admin_client
from streaming.reader import REQUEST_SECONDS


class ChangelogReplaced(RuntimeError):
    """The changelog is not the topic that the local state was restored from; nothing can be concluded from either."""


class Changelog(NamedTuple):
    """`identity` is the broker's own id of the topic, another one when it is made anew."""

    identity: bytes
    keeps_deletions_ms: int

    def has_all_since(self, written_ms: int, now_ms: int) -> bool:
        """Whether every deletion since `written_ms` is still told. Half the time is allowed for clocks that differ."""
        return now_ms - written_ms <= self.keeps_deletions_ms // 2


def describe_changelog(broker: str, topic: str, seconds: float = REQUEST_SECONDS) -> Changelog:
    """Ask the broker. Raises KafkaException where it does not know the topic or does not answer."""
    admin = admin_client(broker)
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=seconds)[topic].result()
    resource = ConfigResource(ResourceType.TOPIC, topic)
    settings = admin.describe_configs([resource], request_timeout=seconds)[resource].result()
    return Changelog(str(described.topic_id).encode(), int(settings["delete.retention.ms"].value))
