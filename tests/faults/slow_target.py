"""A target that may be asked five times a second, beside a stream at work: its rate, and what the others feel of it.

The same load goes through the stream in turns: without the target's worker, and with it and a burst in its queue.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import yaml
from confluent_kafka.admin import AdminClient

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
from tests.contract.sinks.receiving import SINGLE, receiving
from tests.unit.tables.contents import MASTERS, Content, consultant, entry, line
from topics.catalogue import CHARGES_TOPIC
from topics.create import create_topics

RATE = 5.0  # calls a second
_TARGET, _ENTRIES_A_SECOND, _CONSULTANTS = "slow", 100, 30


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds, from an entry's append to its charge's, and from there to the journal's posting."""

    settle: list[float] = field(default_factory=list)
    journal: list[float] = field(default_factory=list)

    def report(self) -> str:
        """Medians and 99th percentiles."""
        named = (("settle", self.settle), ("journal", self.journal))
        return ", ".join(f"{name} p50 {_at(each, 50):.0f} p99 {_at(each, 99):.0f} ms" for name, each in named)


@dataclass(frozen=True, slots=True)
class Compared:
    """The stream alone and beside the slow target, and when the target's calls began (seconds), a list a turn."""

    alone: Latency = field(default_factory=Latency)
    beside: Latency = field(default_factory=Latency)
    calls: list[list[float]] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Calls a second, of each turn."""
        return [(len(turn) - 1) / (turn[-1] - turn[0]) for turn in self.calls]

    @property
    def most(self) -> int:
        """The most calls of any one second."""
        return max(sum(begin <= at < begin + 1 for at in turn) for turn in self.calls for begin in turn)

    @property
    def held(self) -> bool:
        """Whether the rate was neither exceeded nor wasted. A call may be late on its way and the next one not."""
        return self.most <= RATE + 2 and all(RATE * 0.85 <= rate <= RATE * 1.02 for rate in self.rates)

    def report(self) -> str:
        """Both latencies, and the rate."""
        change = [_at(self.beside.settle, percent) - _at(self.alone.settle, percent) for percent in (50, 99)]
        rates = " and ".join(f"{rate:.2f}" for rate in self.rates)
        return (
            f"alone: {self.alone.report()}\nbeside a slow target: {self.beside.report()}\n"
            f"slow target: {sum(map(len, self.calls))} calls, {rates} a second (allowed {RATE:g}), at most {self.most}"
            f" in one second; settle median {change[0]:+.0f} ms, 99th percentile {change[1]:+.0f} ms"
        )


def beside(home: Path, seconds: float) -> Compared:
    """Run the load for so many seconds without and with the target, each twice, on a stack of its own."""
    given = Settings.load(home=home, broker=None, postgres_url=None)
    compared = Compared()
    with receiving(home) as receiver, Stack.start(given) as stack, open_pool(stack.postgres_url) as pool:
        (home / "single.yaml").write_text(SINGLE)
        options = receiver.options(mapping=home / "single.yaml", oauth=False)
        target = {"kind": "http", "http": options, "rate": {"per_second": str(RATE)}}
        (home / "targets.yaml").write_text(yaml.safe_dump({"targets": {_TARGET: target}}))
        settings = stack.settings.model_copy(update={"targets": home / "targets.yaml"})
        create_topics(AdminClient({"bootstrap.servers": stack.broker}), every_topic(settings.partitions), 1)
        migrate(pool)
        with Workers(settings, ("masters", "settle", "erp"), settings.environment()) as workers:
            at = _Site(stack, pool, workers, Publisher(stack.broker))
            for content in (*MASTERS, *(consultant(f"C{n}", "Engineer") for n in range(_CONSULTANTS))):
                at.publish(content)
            at.load(1, 5.0)  # to warm up
            for month in (2, 4):
                at.measure(month, seconds, compared.alone)
                began = len(receiver.state()["starts"])
                with _delivering(settings):
                    at.measure(month + 1, seconds, compared.beside)
                compared.calls.append(receiver.state()["starts"][began:])
    return compared


@contextmanager
def _delivering(settings: Settings) -> Iterator[None]:
    """The target's worker, with everything so far in its queue."""
    with Workers(settings, (f"delivery-{_TARGET}",), settings.environment()) as workers:
        deadline = time.monotonic() + 60
        while workers.status(f"delivery-{_TARGET}") is None:
            assert time.monotonic() < deadline, "the target's worker does not start"
            time.sleep(0.1)
        time.sleep(5)  # it has read the burst
        yield


@dataclass(frozen=True, slots=True)
class _Site:
    stack: Stack
    pool: Pool
    workers: Workers
    publisher: Publisher

    def publish(self, content: Content) -> None:
        each = line(content)
        self.publisher.publish(each["topic"], each["key"], each["value"])

    def load(self, month: int, seconds: float) -> None:
        """Entries of one month at an even pace, until they are settled and posted."""
        began = time.monotonic()
        for n in range(int(seconds * _ENTRIES_A_SECOND)):
            self.publish(
                entry(
                    "E4" if n % 2 else "E1",
                    f"{month}-{n}",
                    1,
                    f"2024-{month:02}-{1 + n % 28:02}",
                    consultant_id=f"C{n // 28 % _CONSULTANTS}",
                )
            )
            time.sleep(max(began + n / _ENTRIES_A_SECOND - time.monotonic(), 0.0))
        self.publisher.finish()
        wait_until_quiet(self.workers, self.stack.broker, lambda: unsent(self.pool), seconds=120)

    def measure(self, month: int, seconds: float, into: Latency) -> None:
        """What that month's load took."""
        self.load(month, seconds)
        appended: dict[str, float] = {}
        for record in read_all(self.stack.broker, [CHARGES_TOPIC]):
            charge = decode_for(CHARGES_TOPIC, record.value or b"")
            if charge["subject"].startswith(f"time:{month}-"):
                into.settle.append(record.timestamp_ms - charge["decided_at"].timestamp() * 1000)
                appended[charge["charge_id"]] = record.timestamp_ms
        with self.pool.connection() as connection:
            rows = connection.execute("SELECT charge_id, posted_at FROM hourstream.journal_postings").fetchall()
        into.journal.extend(at.timestamp() * 1000 - appended[key] for key, at in rows if key in appended)


def _at(values: list[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]
