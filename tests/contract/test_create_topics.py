"""The catalogue meets a real broker: topics are made once, and those that differ are told, never changed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from secrets import token_hex

import pytest
from confluent_kafka.admin import AdminClient

from devstack.stack import Stack
from topics.catalogue import COMPACTED, KEPT, TOPICS, Topic
from topics.create import TopicsDiffer, create_topics


@pytest.fixture
def admin(stack: Stack) -> AdminClient:
    return AdminClient({"bootstrap.servers": stack.broker})


@pytest.fixture
def topics() -> list[Topic]:
    """Two topics of the catalogue under names nobody else uses."""
    suffix = token_hex(4)
    return [replace(TOPICS[name], name=f"{name}.{suffix}") for name in ("time.entries", "masters.current")]


def test_missing_topics_are_made_once(admin: AdminClient, topics: list[Topic]) -> None:
    assert create_topics(admin, topics[:1], replication=1) == (topics[0].name,)
    assert create_topics(admin, topics, replication=1) == (topics[1].name,)
    assert create_topics(admin, topics, replication=1) == ()


def test_topics_two_processes_make_at_once_are_made_by_one(admin: AdminClient, topics: list[Topic]) -> None:
    with ThreadPoolExecutor(2) as both:
        made = [both.submit(create_topics, admin, topics, 1) for _ in range(2)]
    assert sorted(name for one in made for name in one.result()) == sorted(topic.name for topic in topics)


def test_another_number_of_partitions_is_told(admin: AdminClient, topics: list[Topic]) -> None:
    entries, current = topics
    create_topics(admin, [entries], replication=1)
    with pytest.raises(TopicsDiffer, match=f"{entries.name} has 4 partitions, not 9: set `partitions`"):
        create_topics(admin, [replace(entries, partitions=9), current], replication=1)
    assert current.name not in admin.list_topics(timeout=10).topics


def test_other_settings_are_told_with_the_command_that_mends_them(admin: AdminClient, topics: list[Topic]) -> None:
    create_topics(admin, [replace(topics[0], config=COMPACTED)], replication=1)
    with pytest.raises(TopicsDiffer) as told:
        create_topics(admin, [replace(topics[0], config=KEPT)], replication=1)
    assert f"{topics[0].name} has cleanup.policy=compact, not delete" in str(told.value)
    assert f"--alter --topic {topics[0].name} --add-config cleanup.policy=delete" in str(told.value)
