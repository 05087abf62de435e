"""Settle on more workers and more partitions: what each combination costs a record, in memory, and to start.

    python -m benchmarks.scale [PARTITIONS,... [WORKERS,...]]     4,16,64 and 1,2,4 unless given

Each combination has a Kafka of its own and workers of its own. A backlog becomes visible at one moment; its window ends
with its last charge. The broker and the workers share the machine's cores, so records a second stop growing where these
are used up; records a CPU-second, memory and threads say what a combination costs by itself. Prints a table and writes
`results/scale.json`.
"""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.contenders.registry import CHECKOUT
from benchmarks.enrichment.generate import Backlog, Generator
from benchmarks.harness.load import publish_at_once
from benchmarks.harness.machine import description
from benchmarks.harness.process import Worker
from benchmarks.harness.session import Job
from benchmarks.harness.verify import check
from benchmarks.harness.watch import Watcher
from benchmarks.settle.load import encoded
from benchmarks.settle.run import running
from settings import Settings

SEED, WARMUP, RECORDS = 7, 20_000, 60_000
PARTITIONS, WORKERS = (4, 16, 64), (1, 2, 4)
_QUIET_SECONDS, _START_SECONDS, _STEP = 120.0, 300.0, 0.05
_RESULTS = Path(__file__).parent / "results" / "scale.json"


@dataclass(frozen=True)
class Scaled:
    """One combination. Seconds, bytes and threads; the last two of the largest worker."""

    partitions: int
    workers: int
    start_seconds: float
    records_per_second: float
    records_per_cpu_second: float
    peak_bytes: int
    threads: int
    holding: tuple[int, ...]
    checked: str


class Fleet:
    """Workers of one job, each with a home and a name in the group of its own. Use as a context manager."""

    def __init__(self, job: Job, settings: Settings, count: int) -> None:
        self._job, self._homes = job, [settings.home / f"worker-{n}" for n in range(count)]
        self._settings = settings
        self.workers: list[Worker] = []

    def __enter__(self) -> "Fleet":
        for home in self._homes:
            home.mkdir(parents=True)
            environment = self._settings.model_copy(update={"home": home}).environment()
            self.workers.append(Worker(self._job.command, environment, self._job.cwd, home / "settle.log"))
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.stop()

    def check(self) -> None:
        """`ContenderFailed` where one has ended."""
        for worker in self.workers:
            worker.check()

    def cpu_seconds(self) -> float:
        """Of all."""
        return sum(worker.cpu_seconds() for worker in self.workers)

    def until_all_is_held(self) -> float:
        """Wait until every partition has been taken up by a worker -> seconds."""
        began = time.monotonic()
        while sum(self.holding()) < self._job.partitions:
            self.check()
            if time.monotonic() - began > _START_SECONDS:
                raise self.workers[0].fail(f"only {self.holding()} of {self._job.partitions} partitions are held")
            time.sleep(_STEP)
        return time.monotonic() - began

    def holding(self) -> tuple[int, ...]:
        """Partitions that each has restored since it started; one that moved on is counted where it was too."""
        return tuple(worker.restored().partitions for worker in self.workers)


def combination(folder: Path, partitions: int, count: int, console: Console) -> Scaled:
    """Run one."""
    generator = Generator(SEED, encoded)
    warmup, measured = generator.backlog(WARMUP), generator.backlog(RECORDS)
    with running(folder / f"scale-{partitions}-{count}", SEED, console.log, partitions) as (job, settings):
        watcher = Watcher(job.broker, job.output, partitions)
        with Fleet(job, settings, count) as fleet:
            start = fleet.until_all_is_held()
            _feed(job, fleet, watcher, warmup, warmup.expected.unique)
            seconds, cpu = _feed(job, fleet, watcher, measured, (warmup.expected + measured.expected).unique)
            checked = check(watcher.values, job.read, warmup.expected + measured.expected, once=True)
            watcher.close()
            return Scaled(
                partitions, count, start, RECORDS / seconds, RECORDS / cpu,
                max(worker.peak_bytes() for worker in fleet.workers), max(worker.threads() for worker in fleet.workers),
                fleet.holding(), checked,
            )  # fmt: skip


def _feed(job: Job, fleet: Fleet, watcher: Watcher, backlog: Backlog, wanted: int) -> tuple[float, float]:
    """Publish it and wait until `wanted` charges are there in all -> seconds, CPU seconds."""
    marks: list[float] = []
    publish_at_once(
        job.broker, job.input, backlog.records, lambda: marks.extend((time.monotonic(), fleet.cpu_seconds()))
    )
    if not watcher.until(wanted, fleet.check, _QUIET_SECONDS):
        raise fleet.workers[0].fail(f"{len(watcher.values)} of {wanted} charges, and none for {_QUIET_SECONDS:g} s")
    return time.monotonic() - marks[0], fleet.cpu_seconds() - marks[1]


def shown(found: Sequence[Scaled]) -> Table:
    """A row a combination."""
    table = Table("partitions", "workers", "start s", "records/s", "records/CPU-s", "peak MB", "threads", "taken up")
    for each in found:
        table.add_row(
            str(each.partitions), str(each.workers), f"{each.start_seconds:.1f}", f"{each.records_per_second:,.0f}",
            f"{each.records_per_cpu_second:,.0f}", f"{each.peak_bytes / 1e6:.0f}", str(each.threads),
            "+".join(map(str, each.holding)),
        )  # fmt: skip
    return table


def main() -> None:
    """Every combination, one after the other."""
    console = Console()
    partitions, workers = (
        tuple(map(int, given.split(","))) if given else default
        for given, default in zip([*sys.argv[1:3], "", ""], (PARTITIONS, WORKERS), strict=False)
    )
    found: list[Scaled] = []
    with tempfile.TemporaryDirectory(prefix="hourstream-scale-") as folder:
        for each in partitions:
            for count in workers:
                console.log(f"{each} partitions, {count} workers")
                found.append(combination(Path(folder), each, count, console))
                console.log(found[-1].checked)
    console.print(shown(found))
    _RESULTS.write_text(
        json.dumps({"machine": description(), "runs": [asdict(each) for each in found]}, indent=1) + "\n"
    )
    console.print(f"written to {_RESULTS.relative_to(CHECKOUT)}")


if __name__ == "__main__":
    main()
