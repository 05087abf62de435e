"""kill -9 of the advisories worker at every point of its transactions: the open warnings are those of the facts."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from signal import SIGKILL

import pytest
from confluent_kafka.admin import AdminClient

from assurance.ledger_reader import Books
from devstack.stack import Stack
from operations.all_topics import every_topic
from operations.jsonl_ingest import Publisher
from operations.quiescence import wait_until_quiet
from rating.model.facts import TimeEntry
from rating.time.advisories import advisories
from settings import Settings
from tests.faults.flow import Faults, SourceRecord, workers_at
from tests.unit.tables.contents import entry, line
from topics.create import create_topics

pytestmark = pytest.mark.timeout(400)
POINTS = ("decided", "flushed", "committed", "stored")
NINE = datetime(2024, 1, 30, 9)  # noqa: DTZ001 - written with Z below


def revisions(number: int) -> Iterator[SourceRecord]:
    """Revisions of 300 entries of five people in four engagements on three days, their intervals at random."""
    random = Random(number)
    for n in range(number):
        one = n % 300
        began = NINE + timedelta(days=one % 3, minutes=15 * random.randrange(200))
        ended = began + timedelta(minutes=random.choice((10, 60, 300)))
        content = entry(
            f"E{one % 4}",
            f"entry-{one}",
            minutes=random.choice((10, 60, 300)),
            work_date=f"2024-01-{30 - one % 3}",
            consultant_id=f"C{random.randrange(5)}",
            status=random.choice(("approved", "approved", "approved", "withdrawn")),
            started_at=f"{began.isoformat(timespec='milliseconds')}Z",
            ended_at=f"{ended.isoformat(timespec='milliseconds')}Z",
        )
        made = line(content, revision=n // 300 + 1)
        yield made["topic"], made["key"], made["value"]


def publish(broker: str, records: list[SourceRecord]) -> None:
    publisher = Publisher(broker)
    for record in records:
        publisher.publish(*record)
    publisher.finish()


def struck(broker: str, faults: Faults, records: list[SourceRecord]) -> None:
    """A slice of the records flows at each strike."""
    for number, point in enumerate(POINTS):
        faults.arm(f"advisories:{point}")
        publish(broker, records[number :: len(POINTS)])
        faults.wait(f"advisories:{point}")


def test_the_open_warnings_are_those_of_the_facts(tmp_path: Path) -> None:
    given = Settings.load(home=tmp_path, broker=None, postgres_url=None, session_seconds=4.0, batch_records=25)
    with Stack.start(given) as stack:
        create_topics(AdminClient({"bootstrap.servers": stack.broker}), every_topic(given.partitions), 1)
        workers, faults = workers_at(stack.settings, ["advisories"])
        with workers:
            struck(stack.broker, faults, list(revisions(900)))
            wait_until_quiet(workers, stack.broker, seconds=120)
            assert workers.endings("advisories") == [-SIGKILL] * len(POINTS)
        books = Books.read(stack.broker)
    found = {(*where, str(each["code"])) for where, each in books.exceptions.items() if each["status"] == "open"}
    expected = advisories(fact for fact in books.facts.values() if isinstance(fact, TimeEntry))
    assert found == expected
    assert {code for _, _, code in expected} == {"OVERLAPPING_TIME", "PERSON_DAY_OVER_24H"}
    assert len(expected) > 50
    assert {each["severity"] for each in books.exceptions.values()} == {"warning"}
    assert not list(books.announced.faults(()))
