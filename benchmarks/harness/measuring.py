"""One contender through one run: warm-up, a measured backlog, a steady trickle, a restore, and the check of it all.

The measured window begins at the moment the backlog becomes visible and ends when its last output is seen by a reader
of committed records. CPU time is the worker's alone.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.enrichment.generate import Backlog
from benchmarks.harness.figures import Run, percentile
from benchmarks.harness.load import publish_at_once, publish_steadily
from benchmarks.harness.process import Worker
from benchmarks.harness.verify import Output, check
from benchmarks.harness.watch import Watcher

_START_SECONDS, _QUIET_SECONDS, _RESTORE_SECONDS = 120.0, 60.0, 600.0
_SETTLED_SECONDS = 1.0  # after the last output, for what is written behind it
_GLANCE = 0.002


@dataclass(frozen=True)
class Job:
    """A contender at work on its topics: how it is started, what goes in, how its output is read."""

    name: str
    guarantee: str
    command: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    broker: str
    input: str
    output: str
    partitions: int
    state: Path
    log: Path
    read: Callable[[bytes], Output]
    once: bool
    restores: bool


@dataclass(frozen=True)
class Loads:
    """What the job is given; `steady` may be empty."""

    warmup: Backlog
    measured: Backlog
    steady: Backlog
    steady_rate: int


class Measuring:
    """Runs one job; every phase raises `ContenderFailed` where the outputs do not come."""

    def __init__(self, job: Job, tell: Callable[[str], None]) -> None:
        self._job, self._tell = job, tell
        self._watcher = Watcher(job.broker, job.output, job.partitions)
        self._wanted = 0
        self._worker: Worker

    def run(self, loads: Loads, round_number: int) -> Run:
        """All phases that the loads ask for."""
        job = self._job
        publish_at_once(job.broker, job.input, loads.warmup.records, lambda: None)
        self._worker = self._start()
        try:
            self._tell("warming up")
            self._expect(loads.warmup, _START_SECONDS)
            self._tell(f"{len(loads.measured.records):,} records")
            run = self._backlog(loads.measured, round_number)
            if loads.steady.records:
                self._tell(f"{loads.steady_rate:,} records a second")
                self._steady(run, loads)
            run.peak_bytes = self._worker.peak_bytes()
            if job.restores and loads.steady.records:
                self._tell("restoring")
                self._restore(run)
        finally:
            self._worker.stop()
            self._watcher.close()
        expected = loads.warmup.expected + loads.measured.expected + loads.steady.expected
        run.checked = check(self._watcher.values, job.read, expected, once=job.once)
        return run

    def _start(self) -> Worker:
        return Worker(self._job.command, self._job.environment, self._job.cwd, self._job.log)

    def _expect(self, backlog: Backlog, quiet_seconds: float, patience: float = 0.05) -> None:
        self._wanted += backlog.expected.unique if self._job.once else backlog.expected.records
        if not self._watcher.until(self._wanted, self._worker.check, quiet_seconds, patience):
            raise self._worker.fail(
                f"{len(self._watcher.values)} of {self._wanted} outputs, and none for {quiet_seconds:g} s"
            )

    def _backlog(self, backlog: Backlog, round_number: int) -> Run:
        marks = dict[str, float]()

        def begin() -> None:
            time.sleep(_SETTLED_SECONDS)
            marks.update(cpu=self._worker.cpu_seconds(), at=time.monotonic())

        before = self._wanted
        publish_at_once(self._job.broker, self._job.input, backlog.records, begin)
        self._expect(backlog, _QUIET_SECONDS)
        seconds, cpu = time.monotonic() - marks["at"], self._worker.cpu_seconds() - marks["cpu"]
        return Run(
            contender=self._job.name,
            round=round_number,
            guarantee=self._job.guarantee,
            records=len(backlog.records),
            outputs=self._wanted - before,
            seconds=seconds,
            cpu_seconds=cpu,
            peak_bytes=0,
            checked="",
        )

    def _steady(self, run: Run, loads: Loads) -> None:
        import threading

        appended: dict[str, int] = {}
        read, job = self._job.read, self._job
        input_id = _input_id

        def publish() -> None:
            appended.update(
                publish_steadily(job.broker, job.input, loads.steady.records, loads.steady_rate, input_id)
            )

        start = len(self._watcher.values)
        thread = threading.Thread(target=publish, name="steady")
        thread.start()
        self._expect(loads.steady, _QUIET_SECONDS, _GLANCE)
        thread.join()
        waits = [
            at * 1000 - appended[read(value).id] for value, at in self._watcher.arrivals(start)
        ]
        run.latency_rate = loads.steady_rate
        run.latency_p50_ms, run.latency_p99_ms = percentile(waits, 0.50), percentile(waits, 0.99)

    def _restore(self, run: Run) -> None:
        self._worker.stop()
        shutil.rmtree(self._job.state)
        self._worker = self._start()
        deadline = time.monotonic() + _RESTORE_SECONDS
        rows, seconds, quiet_since = 0, 0.0, time.monotonic()
        while time.monotonic() < deadline:
            self._worker.check()
            time.sleep(0.2)
            now = self._worker.restored()
            if now != (rows, seconds):
                (rows, seconds), quiet_since = now, time.monotonic()
            elif rows >= self._wanted and time.monotonic() - quiet_since > 1.0:
                run.restored_rows, run.restore_seconds = rows, seconds
                return
        raise self._worker.fail(f"{rows} rows restored in {_RESTORE_SECONDS:g} s")


def _input_id(value: bytes) -> str:
    """The entry's id: the first field of both contracts, after the header."""
    length = value[5] >> 1
    return value[6 : 6 + length].decode()
