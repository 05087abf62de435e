"""The whole stream, running: every worker as a process of its own over a Kafka and a PostgreSQL of their own."""

import json
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from assurance.ledger_reader import Books
from cli.main import main
from cli.worker import workers_of
from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from operations.jsonl_ingest import Publisher
from operations.quiescence import unsent, wait_until_quiet
from schemas.codec import decode_for
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.topic_reader import read_all
from streaming.transactions import producer_config
from tests.unit.tables.contents import Content, line
from tests.unit.tables.stream import Line
from topics.create import create_topics


def answered(result: Result) -> Any:  # noqa: ANN401 - JSON of any shape
    """What a command answered as JSON."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@dataclass(slots=True)
class Running:
    """A running stream and what a test does with it."""

    settings: Settings
    workers: Workers
    pool: Pool
    _revisions: dict[str, int] = field(default_factory=dict)

    @property
    def broker(self) -> str:
        """Where Kafka is."""
        return self.settings.bootstrap

    def next_revision(self, content: Content) -> Line:
        """The content as the next revision of its master."""
        topic, value = content
        name = line(content)["key"]
        revision = self._revisions[topic + name] = self._revisions.get(topic + name, 0) + 1
        return line((topic, value), revision)

    def takes(self, *lines: Line) -> None:
        """Publish, and wait until nothing is left to do."""
        self.publish(*lines)
        self.rest()

    def publish(self, *lines: Line) -> None:
        """Publish, and wait until the broker has it."""
        publisher = Publisher(self.broker)
        for each in lines:
            publisher.publish(each["topic"], each["key"], each["value"])
        publisher.finish()

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> None:
        """One record just as it is."""
        producer = Producer(producer_config(self.broker))
        producer.produce(topic, value, key, headers=list(headers))
        assert producer.flush(30) == 0

    def rest(self) -> None:
        """Wait until every worker has done all there is."""
        wait_until_quiet(self.workers, self.broker, lambda: unsent(self.pool), seconds=120)

    def books(self) -> Books:
        """Everything on the topics, read again."""
        return Books.read(self.broker)

    def told(self, subject: str) -> list[tuple[str, str]]:
        """(status, code) of each record on `billing.exceptions` about a subject of E1."""
        records = (decode_for(r.topic, r.value or b"") for r in read_all(self.broker, ["billing.exceptions"]))
        return [(r["status"], r["code"]) for r in records if (r["engagement_id"], r["subject"]) == ("E1", subject)]

    def state(self, subject: str) -> str:
        """The state of a subject of E1 on the ledger."""
        found = [one for one in self.books().ledger() if (one["engagement_id"], one["subject"]) == ("E1", subject)]
        return str(found[0]["state"])

    def charge_states(self, engagement_id: str = "E1") -> dict[str, str]:
        """{charge id: the state told last} of an engagement."""
        records = (decode_for(r.topic, r.value or b"") for r in read_all(self.broker, ["charge.states"]))
        return {r["charge_id"]: r["state"] for r in records if r["engagement_id"] == engagement_id}

    def letters(self) -> list[dict[str, Any]]:
        """Every dead letter so far."""
        return [decode_for(r.topic, r.value or b"") for r in read_all(self.broker, ["dead.letters"])]

    def hourstream(self, *arguments: str) -> Result:
        """The command line on this stream."""
        return CliRunner().invoke(main, arguments, env=self.settings.environment())

    def metrics(self, name: str) -> str:
        """A worker's metrics page."""
        with urllib.request.urlopen(self.workers.metrics_url(name), timeout=10) as page:  # noqa: S310 - on loopback
            text: str = page.read().decode()
        return text

    def figures(self, name: str, minutes: int = 60) -> dict[str, float]:
        """{outcome: records in the last minutes} of a worker's metrics page."""
        families = text_string_to_metric_families(self.metrics(name))
        return {
            sample.labels["outcome"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == "hourstream_window_records" and sample.labels["minutes"] == str(minutes)
        }

    def totals(self, name: str) -> object:
        """The running totals of a worker."""
        status = self.workers.status(name)
        assert status is not None
        return status["totals"]

    def ended(self) -> dict[str, list[int]]:
        """Exit codes of the workers that ended (negative: the signal)."""
        return {name: codes for name in self.workers.names if (codes := self.workers.endings(name))}

    def is_right(self) -> None:
        """Hold it at rest to the audit, and its ledger to what `settle` says of the facts read again."""
        self.rest()
        found = answered(self.hourstream("audit", "--json"))
        assert found["all_true"]
        assert [one["holds"] for one in found["statements"]] == [True] * 8
        shown = self.hourstream("audit")
        assert (shown.exit_code, "FALSE" in shown.output) == (0, False)
        read_again = self.books()
        assert read_again.ledger() == list(read_again.expected())

    def kill(self, name: str) -> None:
        """End a worker with SIGKILL, and wait until another one has taken its place and is done."""
        process = self.workers.process(name)
        process.kill()
        while self.workers.process(name) is process:
            time.sleep(0.05)
        self.rest()


@contextmanager
def running(home: Path, without: Sequence[str] = (), **given: object) -> Iterator[Running]:
    """Start everything in `home`, two partitions wide, with settings `given`; stop it at the end."""
    with Stack.start(Settings.load(home=home, partitions=2, **given)) as stack:
        settings = stack.settings
        create_topics(AdminClient({"bootstrap.servers": stack.broker}), every_topic(settings.partitions), 1)
        with open_pool(stack.postgres_url) as pool:
            migrate(pool)
            names = [name for name in workers_of(settings) if name not in without]
            with Workers(settings, names, settings.environment()) as workers:
                yield Running(settings, workers, pool)
