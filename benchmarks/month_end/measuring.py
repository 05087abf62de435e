"""Measures the cost of an entry: rows of a source through the whole stream, between two moments of rest.

CPU is each process's own, less what it takes at rest; bytes are what Kafka, the workers' state and PostgreSQL grew by.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.enrichment.generate import Generator
from benchmarks.harness.load import publish_at_once
from benchmarks.month_end.load import SOURCE, TOPIC, as_row, code_map
from benchmarks.settle.load import masters
from cli.worker import FOR_THE_CONSOLE, own_workers
from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from operations.jsonl_ingest import Publisher
from operations.quiescence import unsent, wait_until_quiet
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.admin import admin_client
from topics.create import create_topics

SEED, WARMUP, REST_SECONDS = 7, 4_000, 15.0
KAFKA, POSTGRES = "kafka", "postgresql"


@dataclass(frozen=True)
class Unit:
    """The cost of one entry: CPU microseconds of each process, bytes stored."""

    rows: int
    seconds: float
    microseconds: dict[str, float]
    bytes: dict[str, float]


class Meter:
    """CPU seconds and bytes so far, by process and by store."""

    def __init__(self, stack: Stack, workers: Workers, pool: Pool) -> None:
        self._home, self._workers, self._pool = stack.settings.home, workers, pool

    def cpu(self) -> dict[str, float]:
        """Of every worker, the broker and the database server, children included."""
        own = {self._workers.process(name).pid: name for name in self._workers.names}
        spent = dict.fromkeys((*own.values(), KAFKA, POSTGRES), 0.0)
        for process in psutil.Process().children(recursive=True):
            name = own.get(process.pid) or {"java": KAFKA, "postgres": POSTGRES}.get(process.name())
            if name is not None:
                times = process.cpu_times()
                spent[name] += times.user + times.system
        return spent

    def bytes(self) -> dict[str, float]:
        """In files of Kafka and of the workers' state, and in the database."""
        with self._pool.connection() as connection:
            (database,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
        return {
            KAFKA: _size(self._home / "kafka"), "state": _size(self._home / "state"), POSTGRES: float(database)
        }  # fmt: skip


def _size(folder: Path) -> float:
    """Blocks in use; reserved and unwritten space does not count."""
    return float(sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()))


def unit_costs(home: Path, count: int, console: Console) -> Unit:
    """Run it."""
    settings = Settings.load(home=home, sources=SOURCE)
    with Stack.start(settings) as stack, open_pool(stack.postgres_url) as pool:
        settings = stack.settings
        create_topics(admin_client(stack.broker), every_topic(settings.partitions), 1)
        migrate(pool)
        names = tuple(name for name in (*own_workers(settings), *FOR_THE_CONSOLE) if name != "intake")
        with Workers(settings, names, settings.environment()) as workers:
            publisher = Publisher(stack.broker)
            for topic, key, value in (*masters(SEED), *code_map()):
                publisher.publish(topic, key, value)
            publisher.finish()

            def at_rest() -> None:
                wait_until_quiet(workers, stack.broker, lambda: unsent(pool))

            meter = Meter(stack, workers, pool)
            generator = Generator(SEED, as_row)
            publish_at_once(stack.broker, TOPIC, generator.backlog(WARMUP, repeated=0).records, lambda: None)
            console.log("warming up")
            at_rest()
            idle = _at_rest(meter)
            load = generator.backlog(count, repeated=0).records
            console.log(f"{count:,} rows")
            began, cpu, stored = time.monotonic(), meter.cpu(), meter.bytes()
            publish_at_once(stack.broker, TOPIC, load, lambda: None)
            at_rest()
            seconds, spent, grown = time.monotonic() - began, meter.cpu(), meter.bytes()
            _check(pool, WARMUP + count)
    return Unit(
        count, seconds,
        {name: max(spent[name] - cpu[name] - idle[name] * seconds, 0.0) / count * 1e6 for name in spent},
        {name: (grown[name] - stored[name]) / count for name in grown},
    )  # fmt: skip


def _at_rest(meter: Meter) -> dict[str, float]:
    """CPU seconds a second of processes that have nothing to do."""
    before = meter.cpu()
    time.sleep(REST_SECONDS)
    return {name: (spent - before[name]) / REST_SECONDS for name, spent in meter.cpu().items()}


def _check(pool: Pool, wanted: int) -> None:
    """Every row must be a charge in the books, else the costs are of something else."""
    with pool.connection() as connection:
        (booked,) = connection.execute("SELECT count(*) FROM hourstream.journal_postings").fetchone() or (0,)
    if booked != wanted:
        raise SystemExit(f"{booked} charges are booked, not {wanted}: the figures would be of another job")
