"""Settle measured in the units of the enrichment job, and at the size of a firm: restore, restart, memory, cost."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

from benchmarks.contenders.registry import CHECKOUT
from benchmarks.enrichment.generate import Backlog, Generator
from benchmarks.harness.figures import Run
from benchmarks.harness.knobs import Knobs
from benchmarks.harness.measuring import Loads, measure
from benchmarks.harness.session import Job, Session
from benchmarks.harness.topics import PARTITIONS
from benchmarks.harness.verify import Output
from benchmarks.settle.load import encoded, masters
from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from operations.jsonl_ingest import Publisher
from operations.quiescence import wait_until_quiet
from schemas.codec import decode_for
from settings import Settings
from topics.create import create_topics

NAME, GUARANTEE = "settle", "exactly once"
_INPUT, _OUTPUT = "time.entries", "billing.ready"
_SMALL, _PROBE = 10_000, 20_000  # subjects before the first measurement of the cost, and records of each measurement
_SHARE = 0.25  # of the enrichment job's load
_NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Scale:
    """Settle with `subjects` settled subjects on its partitions. Seconds, bytes, CPU microseconds a record."""

    subjects: int
    fill_seconds: float
    fill_records_per_cpu_second: float
    microseconds_at_10_000: float
    microseconds_at_subjects: float
    cost_ratio: float
    peak_bytes: int
    warm_restart_seconds: float
    restored_rows: int
    restore_seconds: float
    restored_rows_per_second: float
    cold_restart_seconds: float
    checked: str

    def as_json(self) -> dict[str, object]:
        """The file's present content."""
        return asdict(self)


def settle(folder: Path, knobs: Knobs, number: int, tell: Tell) -> Run:
    """One run beside the contenders of the enrichment job."""
    tell("making the load")
    generator = Generator(knobs.seed, encoded)
    loads = Loads(
        generator.backlog(int(knobs.warmup * _SHARE)),
        generator.backlog(int(knobs.records * _SHARE)),
        generator.backlog(knobs.latency_rate * knobs.latency_seconds, repeated=0) if number == 1 else Backlog(),
        knobs.latency_rate,
    )
    with running(folder / f"settle-{number}", knobs.seed, tell, restores=bool(knobs.restore)) as (job, _):
        return measure(job, loads, number, tell)


def at_scale(folder: Path, knobs: Knobs, tell: Tell) -> Scale:
    """Fill with subjects; then its cost, memory, restart with its state on disk, and without."""
    tell("making the load")
    generator = Generator(knobs.seed, encoded)
    small, probe = generator.backlog(_SMALL, repeated=0), generator.backlog(_PROBE, repeated=0)
    rest = generator.backlog(max(knobs.subjects - _SMALL - _PROBE, _PROBE), repeated=0)
    late = generator.backlog(_PROBE, repeated=0)
    with running(folder / "settle-scale", knobs.seed, tell) as (job, _), Session(job) as session:
        tell(f"{_SMALL:,} subjects")
        session.feed(small)
        few = session.feed(probe)
        tell(f"{knobs.subjects:,} subjects")
        fill = session.feed(rest)
        many = session.feed(late)
        peak = session.peak_bytes()
        tell("restarting")
        warm = session.restart(wipe=False)
        tell("restoring")
        cold = session.restart(wipe=True)
        tell("checking")
        checked = session.check()
    early, later = few.cpu_seconds / _PROBE * 1e6, many.cpu_seconds / _PROBE * 1e6
    return Scale(
        subjects=knobs.subjects,
        fill_seconds=fill.seconds,
        fill_records_per_cpu_second=len(rest.records) / fill.cpu_seconds,
        microseconds_at_10_000=early,
        microseconds_at_subjects=later,
        cost_ratio=later / early,
        peak_bytes=peak,
        warm_restart_seconds=warm.ready_seconds,
        restored_rows=cold.rows,
        restore_seconds=cold.seconds,
        restored_rows_per_second=cold.rows / cold.seconds,
        cold_restart_seconds=cold.ready_seconds,
        checked=checked,
    )


@contextmanager
def running(
    home: Path, seed: int, tell: Tell, partitions: int = PARTITIONS, *, restores: bool = True
) -> Iterator[tuple[Job, Settings]]:
    """A stack of its own with every topic, and the masters of `seed` settled by the masters agent."""
    settings = Settings.load(home=home, postgres_url=_NO_DATABASE, partitions=partitions)
    with Stack.start(settings) as stack:
        settings = stack.settings
        create_topics(AdminClient({"bootstrap.servers": stack.broker}), every_topic(settings.partitions), 1)
        tell("publishing the masters")
        _publish_masters(stack.broker, seed)
        with Workers(settings, ("masters",), settings.environment()) as workers:
            wait_until_quiet(workers, stack.broker)
        page = str(home / "run" / "worker-settle.json")
        job = Job(
            name=NAME,
            guarantee=GUARANTEE,
            command=[sys.executable, "-m", "cli.main", "worker", NAME, "--status-file", page],
            environment=settings.environment(),
            cwd=CHECKOUT,
            broker=stack.broker,
            input=_INPUT,
            output=_OUTPUT,
            partitions=settings.partitions,
            state=settings.state_dir(NAME),
            log=home / "settle.log",
            read=_read,
            once=True,
            restores=restores,
        )
        yield job, settings
    shutil.rmtree(home, ignore_errors=True)


def _publish_masters(broker: str, seed: int) -> None:
    publisher = Publisher(broker)
    for topic, key, value in masters(seed):
        publisher.publish(topic, key, value)
    publisher.finish()


def _read(value: bytes) -> Output:
    record = decode_for(_OUTPUT, value)
    return Output(record["subject"].removeprefix("time:"), record["amount"])
