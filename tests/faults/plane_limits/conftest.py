"""A broker that forgets quickly: what takes it days in production takes it seconds here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.kafka import Kafka
from devstack.stack import Stack
from settings import Settings
from tests.faults.faust_holes.subjects import Subject

FORGETFUL = {
    "transactional.id.expiration.ms": "4000",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "200",
    "producer.id.expiration.ms": "4000",
    "producer.id.expiration.check.interval.ms": "200",
    "log.cleaner.backoff.ms": "100",
}
Make = Callable[[str], Subject]


@pytest.fixture(scope="session")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    home = tmp_path_factory.mktemp("forgetful")
    kafka = Kafka(home, Settings.load(home=home), print, None, FORGETFUL)
    kafka.start()
    yield kafka.broker
    kafka.stop()


@pytest.fixture
def worker(stack: Stack, tmp_path: Path) -> Iterator[Make]:
    """Makes apps on the plane by name; they end with the test."""
    made: list[Subject] = []

    def make(name: str) -> Subject:
        made.append(Subject("hourstream", name, stack.broker, tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.kill()
