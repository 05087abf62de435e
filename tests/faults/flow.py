"""Tock through the whole stream on a stack of its own, struck where a test says, and what came of it."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from signal import Signals

import psycopg
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

from assurance.ledger_reader import Books
from assurance.statements import statements
from cli.invoice import issue
from cli.worker import AGENTS
from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from operations.jsonl_ingest import Publisher
from operations.quiescence import unsent, wait_until_quiet
from schemas.codec import decode_for
from settings import Settings
from sources.tock.records import MASTERS, read, topic_of
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.reader import reader_config
from streaming.topic_reader import partitions_of, read_all
from topics.create import create_topics

PATIENCE = 180.0  # seconds; a machine may be busy with other things
SourceRecord = tuple[str, str, dict[str, object]]  # topic, key, value
TockData = tuple[list[SourceRecord], list[SourceRecord]]  # reference data, lines

_JOURNAL = """
SELECT p.charge_id, p.posting_id, p.status, p.reason, p.reverses, p.subject, p.engagement_id, p.client_id,
       p.legal_entity, p.work_date, p.period, p.worked_minutes, p.billable_minutes, p.currency, p.amount,
       l.line, l.account, l.debit, l.credit
FROM hourstream.journal_postings p LEFT JOIN hourstream.journal_lines l ON l.posting = p.number
ORDER BY p.charge_id, l.line
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must not depend on what happened on the way."""

    ledger: bytes
    journal: tuple[tuple[object, ...], ...]  # a row a journal line, with its posting's fields
    invoiced: tuple[tuple[str, str, Decimal], ...]  # engagement, kind, payable


def tock(every: int) -> TockData:
    """Each `every`-th line of Tock's ten months, and all that those lines refer to."""
    records = list(read())
    lines = [record for record in records if record[0] == topic_of("lines")][::every]
    timecards = {str(value["timecard"]) for _, _, value in lines}
    others = [record for record in records if record[0] != topic_of("lines")]
    return [r for r in others if r[0] != topic_of("timecards") or r[1] in timecards], lines


class Faults:
    """The points of some processes at which a signal will strike; see `common.fault_injection`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str, signal: Signals = Signals.SIGKILL) -> None:
        """The next passing of `point` is struck, once."""
        part = self.folder / "arming"
        part.write_text(signal.name, encoding="ascii")
        part.rename(self.folder / point)

    def wait(self, point: str) -> int:
        """The process that was struck at `point`, once it was; its proof goes, so that the point can be armed again."""
        await_that(lambda: any(self.folder.glob(f"{point}.*")), f"nothing passed {point}")
        (struck,) = self.folder.glob(f"{point}.*")
        struck.unlink()
        return int(struck.suffix[1:])


class Flow:
    """A running stack with all its workers."""

    def __init__(self, stack: Stack, workers: Workers, pool: Pool, faults: Faults) -> None:
        self.stack, self.workers, self.faults, self._pool = stack, workers, faults, pool

    def publish(self, records: Sequence[SourceRecord]) -> None:
        """Acknowledged when this returns."""
        publisher = Publisher(self.stack.broker)
        for topic, key, value in records:
            publisher.publish(topic, key, value)
        publisher.finish()

    def feed(self, records: Sequence[SourceRecord], strikes: Sequence[Sequence[str]] = ()) -> None:
        """Publish in slices until all is settled; each group of `strikes` lands while a slice of its own flows."""
        slices = len(strikes) + 2
        self.publish(records[0::slices])
        for number, points in enumerate(strikes, 1):
            for point in points:
                self.faults.arm(point)
            self.publish(records[number::slices])
            for point in points:
                self.faults.wait(point)
        self.publish(records[slices - 1 :: slices])
        self.come_to_rest()

    def feed_masters(self) -> None:
        """The firm's own master data: rates, taxes, the legal entity."""
        publisher = Publisher(self.stack.broker)
        publisher.publish_file(MASTERS)
        publisher.finish()

    def invoice(self, *strikes: str) -> None:
        """An invoice run over everything; `strikes` land while it is announced."""
        for point in strikes:
            self.faults.arm(point)
        issue(self._pool, self.stack.broker, date(2015, 7, 31), date(2015, 8, 3))
        for point in strikes:
            self.faults.wait(point)
        self.come_to_rest()

    def come_to_rest(self) -> None:
        """Until everything published is settled, posted and announced."""
        wait_until_quiet(self.workers, self.stack.broker, lambda: unsent(self._pool), seconds=PATIENCE)

    def endings(self) -> dict[str, list[int]]:
        """Exit codes of every worker that ended."""
        return {name: codes for name in self.workers.names if (codes := self.workers.endings(name))}

    def outcome(self) -> Outcome:
        """The books at rest, after holding them to what is always true."""
        books = Books.read(self.stack.broker)
        false = [statement for statement in statements(books, self._pool) if not statement.holds]
        assert not false, false
        charges = Counter(record["charge_id"] for records in books.charges.values() for record in records)
        assert set(charges.values()) == {1}, "a read_committed reader saw a charge twice"
        postings = [decode_for(r.topic, r.value or b"") for r in read_all(self.stack.broker, ["erp.postings"])]
        announced = {posting["posting_id"]: posting["charge_id"] for posting in postings}
        assert Counter(announced.values()) == charges
        ledger = "".join(json.dumps(line, ensure_ascii=False, default=str) + "\n" for line in books.ledger())
        with psycopg.connect(self.stack.postgres_url) as connection:
            journal = connection.execute(_JOURNAL).fetchall()
            invoiced = connection.execute(
                "SELECT engagement_id, kind, payable FROM hourstream.invoices ORDER BY 1, 2, 3"
            ).fetchall()
        return Outcome(ledger.encode(), tuple(journal), tuple(invoiced))

    def uncommitted(self, *topics: str) -> int:
        """Records of transactions that were not committed: what was inside one when its process was killed."""
        return self._count(topics, "read_uncommitted") - self._count(topics, "read_committed")

    def repeated(self, topic: str) -> int:
        """How many records of `topic` say what another one says, byte for byte."""
        values = [record.value for record in read_all(self.stack.broker, [topic])]
        return len(values) - len(set(values))

    def _count(self, topics: Sequence[str], isolation: str) -> int:
        consumer = Consumer({**reader_config(self.stack.broker, "faults-count"), "isolation.level": isolation})
        open_ends = set(partitions_of(self.stack.broker, topics))
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in open_ends])
        count = 0
        while open_ends:
            for message in consumer.consume(5000, 1.0):
                error = message.error()
                count += error is None
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    open_ends.discard((message.topic(), message.partition()))
        consumer.close()
        return count


def await_that(happened: Callable[[], bool], otherwise: str) -> None:
    """Wait until something is so; fails with the text `otherwise` after `PATIENCE`."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


def workers_at(settings: Settings, names: Sequence[str]) -> tuple[Workers, Faults]:
    """Workers under the home of `settings`, and the faults of these workers alone."""
    faults = Faults(settings.home / "faults")
    return Workers(settings, names, {**settings.environment(), "HOURSTREAM_FAULTS": str(faults.folder)}), faults


@contextmanager
def flowing(home: Path) -> Iterator[Flow]:
    """A fresh stack under `home` with every worker whose outcome is judged; small batches, so commits are many."""
    given = Settings.load(
        home=home, broker=None, postgres_url=None, session_seconds=4.0, batch_records=25, batch_seconds=0.05
    )
    with Stack.start(given) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        create_topics(AdminClient({"bootstrap.servers": stack.broker}), every_topic(given.partitions), 1)
        workers, faults = workers_at(stack.settings, [name for name in AGENTS if name != "metrics"])
        with workers:
            yield Flow(stack, workers, pool, faults)
