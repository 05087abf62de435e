"""A job's worker and what comes out of it, from start to check: fed backlogs, trickled on, restarted.

The measured window of a backlog begins at the moment it becomes visible and ends when its last output is seen by a
reader of committed records. CPU time is the worker's alone.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from benchmarks.enrichment.generate import Backlog, Expected
from benchmarks.harness.load import publish_at_once, publish_steadily
from benchmarks.harness.process import Worker
from benchmarks.harness.verify import Output, check
from benchmarks.harness.watch import Watcher

_QUIET_SECONDS, _RESTORE_SECONDS = 120.0, 900.0
_SETTLED_SECONDS = 1.0  # between what came before and a measured window
_GLANCE = 0.002


@dataclass(frozen=True)
class Job:
    """A contender at work on its topics: its start, its input, the reader of its output."""

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


class Fed(NamedTuple):
    """The measurements of a backlog."""

    outputs: int
    seconds: float
    cpu_seconds: float


class Restarted(NamedTuple):
    """The measurements of a restart: rows restored, seconds of the restore, seconds from the start of the process."""

    rows: int
    seconds: float
    ready_seconds: float


class Session:
    """Use as a context manager: the worker is started at the first `feed` and stopped at the end."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._watcher = Watcher(job.broker, job.output, job.partitions)
        self._wanted, self._expected = 0, Expected()
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.stop()
        self._watcher.close()

    @property
    def worker(self) -> Worker:
        """The running worker, started where there is none."""
        if self._worker is None:
            job = self._job
            self._worker = Worker(job.command, job.environment, job.cwd, job.log)
        return self._worker

    def feed(self, backlog: Backlog) -> Fed:
        """Publish it in one moment and wait for its last output; `ContenderFailed` when outputs cease to come."""
        worker, before = self.worker, self._wanted
        marks = dict[str, float]()

        def begin() -> None:
            time.sleep(_SETTLED_SECONDS)
            marks.update(cpu=worker.cpu_seconds(), at=time.monotonic())

        publish_at_once(self._job.broker, self._job.input, backlog.records, begin)
        self._expect(backlog)
        seconds = time.monotonic() - marks["at"]
        return Fed(self._wanted - before, seconds, worker.cpu_seconds() - marks["cpu"])

    def trickle(self, backlog: Backlog, a_second: int) -> list[float]:
        """Publish it at an even pace -> milliseconds from each append to the moment its output could be read."""
        job, start = self._job, len(self._watcher.values)
        with ThreadPoolExecutor(1, thread_name_prefix="steady") as pool:
            publishing = pool.submit(publish_steadily, job.broker, job.input, backlog.records, a_second, _first_field)
            self._expect(backlog, _GLANCE)
            appended = publishing.result()
        return [at * 1000 - appended[job.read(value).id] for value, at in self._watcher.arrivals(start)]

    def peak_bytes(self) -> int:
        """The most memory the worker has had resident."""
        return self.worker.peak_bytes()

    def restart(self, *, wipe: bool) -> Restarted:
        """Stop the worker, with `wipe` delete its state, and start it again until every partition is restored."""
        self.worker.stop()
        if wipe:
            shutil.rmtree(self._job.state)
        self._worker = None
        deadline = time.monotonic() + _RESTORE_SECONDS
        while (done := self.worker.restored()).partitions < self._job.partitions:
            self.worker.check()
            if time.monotonic() > deadline:
                raise self.worker.fail(f"only {done.partitions} partitions restored in {_RESTORE_SECONDS:g} s")
            time.sleep(0.05)
        return Restarted(done.rows, done.seconds, time.monotonic() - self.worker.started)

    def check(self) -> str:
        """Hold everything that came out to everything that went in."""
        return check(self._watcher.values, self._job.read, self._expected, once=self._job.once)

    def _expect(self, backlog: Backlog, patience: float = 0.05) -> None:
        self._expected += backlog.expected
        self._wanted += backlog.expected.unique if self._job.once else backlog.expected.records
        if not self._watcher.until(self._wanted, self.worker.check, _QUIET_SECONDS, patience):
            seen = len(self._watcher.values)
            raise self.worker.fail(f"{seen} of {self._wanted} outputs, and none for {_QUIET_SECONDS:g} s")


def _first_field(value: bytes) -> str:
    """The entry's id: the first field of every contract here, after the header of five bytes."""
    length = value[5] >> 1
    return value[6 : 6 + length].decode()
