"""Fault cycles over the whole pipeline: `hourstream up --console`, a continuous load, one fault a cycle, and the books.

A cycle is one fault and the wait until everything runs again, every worker has read what was there when the fault
ended, and each partition has posted since. At the end the books, the journal and the workers' state are held to
`settle` over the acknowledged inputs. A *hand* is a cycle after which a person would have had to do something.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from signal import SIGKILL
from statistics import median
from typing import Any

from confluent_kafka import KafkaException

from devstack.ports import free_port
from devstack.stack import Stack
from operations.quiescence import inputs_of, unsent, wait_until_quiet
from settings import Settings
from storage.postgres import open_pool
from streaming.topic_reader import topic_ends
from tests.faults.load import Load
from tests.faults.plant import small_disk
from tests.faults.progress import Progress
from tests.faults.up import NotUp, Up
from tests.faults.verdict import Findings, verdict
from tests.faults.whole_pipeline_verdict import journal_verdict

PATIENCE = 240.0  # seconds after a fault within which everything must be at work again
POSTINGS = "erp.postings"  # the end of the way: settled, charged, posted and announced
DISK_MB = 12_288  # as much as a long run may come to need, in memory
FULL_DISK = "disk full and freed"  # needs a disk of its own
SHOWN = 40
Ends = Mapping[tuple[str, int], int]


@dataclass(slots=True)
class Pipeline:
    """What the kinds of fault work on. `disk_refused`: why the home has no small disk of its own."""

    up: Up
    progress: Progress
    disk_refused: str | None
    hands: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """The home of everything."""
        return self.up.settings.home

    def recover(self) -> None:
        """Wait until everything is at work. Raises NotUp."""
        deadline = time.monotonic() + PATIENCE
        self.up.await_that(self.up.all_well, "not everything runs again", PATIENCE)
        since, ends = time.monotonic(), self._ends(deadline)
        left = max(deadline - time.monotonic(), 10.0)
        self.up.await_that(
            lambda: not self.progress.still(since) and not self._behind(ends), "something stands still", left
        )

    def _ends(self, deadline: float) -> Ends:
        topics = sorted({topic for name in self.up.names for topic in inputs_of(name)})
        while True:
            try:
                return topic_ends(self.up.stack.broker, topics)
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _behind(self, ends: Ends) -> list[str]:
        """Workers that have not read to where their inputs ended."""
        return [name for name in self.up.names if not _has_read(name, self.up.status(name), ends)]

    def heal_by_hand(self, kind: str, why: NotUp) -> None:
        """Note that a person had to do something, and do it: start everything anew."""
        print(f"HAND needed after {kind}: {why}", flush=True)
        self.hands.append(kind)
        if self.up.alive():
            self.up.end(SIGKILL)
        self.up.start(PATIENCE)


def _has_read(name: str, status: Mapping[str, Any] | None, ends: Ends) -> bool:
    if status is None:
        return False
    wanted = [(topic, number, end) for (topic, number), end in ends.items() if topic in inputs_of(name)]
    for topic, number, end in wanted:
        partition = status["partitions"].get(str(number), {"reached": {topic: -1}})
        declared_only = end  # nothing here reads it, so there is nothing to wait for
        if status["follows"].get(topic, partition["reached"].get(topic, declared_only)) < end:
            return False
    return True


Kind = Callable[[Pipeline, Random], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a run is. `once`: kinds that take minutes and come once; `keep`: what a small disk held stays."""

    session_seconds: float = 6.0
    partitions: int = 2
    per_second: int = 30  # records of the load
    once: Sequence[str] = ()
    keep: bool = True
    seconds: float = float("inf")  # no fault begins later than this after the first


@contextmanager
def pipeline(home: Path, plan: Plan) -> Iterator[Pipeline]:
    """Everything started in `home`, and ended with the block."""
    given = {"session_seconds": plan.session_seconds, "partitions": plan.partitions}
    settings = Settings.load(home=home / "home", broker=None, postgres_url=None, **given)
    arguments = ("--console", "--without-login", "--console-port", str(free_port()), "--seal-every", "5")
    with small_disk(settings.home, DISK_MB, plan.keep) as refused, Up(settings, arguments) as up:
        up.start(PATIENCE)
        progress = Progress(up.stack.broker, POSTINGS, plan.partitions)
        try:
            yield Pipeline(up, progress, refused)
        finally:
            progress.stop()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the cycles. `pauses`: of each, the longest time in seconds that a partition posted nothing."""

    pauses: list[tuple[str, float]]
    hands: list[str]
    records: int
    findings: Findings

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, nothing doubled, and no person was needed."""
        return not (self.findings.lost or self.findings.doubled or self.hands)

    def report(self) -> str:
        """The findings, the pauses by kind, and the line that sums up."""
        lost, doubled = self.findings.lost, self.findings.doubled
        lines = [f"LOST {each}" for each in lost[:SHOWN]] + [f"DOUBLED {each}" for each in doubled[:SHOWN]]
        lines.append(f"{'fault':40}{'times':>6}{'median pause':>15}{'longest pause':>15}")
        for kind in sorted({kind for kind, _ in self.pauses}):
            seconds = [pause for name, pause in self.pauses if name == kind]
            lines.append(f"{kind:40}{len(seconds):6}{median(seconds):13.1f} s{max(seconds):13.1f} s")
        lines.append(f"cycles {len(self.pauses)}, records {self.records}")
        lines.append(f"lost {len(lost)}, doubled {len(doubled)}, hands {len(self.hands)}")
        return "\n".join(lines)


def soak(home: Path, kinds: Mapping[str, Kind], cycles: int, seed: int, plan: Plan) -> Outcome:
    """Start everything in `home`, strike `cycles` times, and hold what came of it to the acknowledged inputs."""
    random = Random(seed)
    with pipeline(home, plan) as at:
        if at.disk_refused is not None and FULL_DISK in kinds:
            print(f"no disk to fill: {at.disk_refused}", flush=True)
            kinds = {name: kind for name, kind in kinds.items() if name != FULL_DISK}
        order = islice(in_turn(kinds, plan.once, random), cycles)
        load = Load(at.up.stack.broker, Random(seed + 1), plan.per_second)
        load.start()
        at.recover()
        until, pauses = time.monotonic() + plan.seconds, list[tuple[str, float]]()
        for number, (name, kind) in enumerate(order, 1):
            if time.monotonic() > until:
                break
            pauses.append((name, _cycle(at, number, name, kind, random)))
        load.finish()
        live = _rest(at)
        at.up.end()
        findings = _findings(at.up.settings, load, live)
        return Outcome(pauses, at.hands, len(load.acknowledged), findings)


def _cycle(at: Pipeline, number: int, name: str, kind: Kind, random: Random) -> float:
    began = time.monotonic()
    at.progress.mark()
    kind(at, random)
    struck = time.monotonic()
    try:
        at.recover()
    except NotUp as why:
        at.heal_by_hand(name, why)
    pause = at.progress.longest()
    took = time.monotonic() - struck
    print(
        f"cycle {number}: {name}: {struck - began:.1f} s, at work {took:.1f} s later, pause {pause:.1f} s", flush=True
    )
    return pause


def _rest(at: Pipeline) -> dict[tuple[str, ...], int]:
    """Wait until everything is settled, posted and announced; the running totals of settle."""
    stack = at.up.stack
    with open_pool(stack.postgres_url, max_size=2) as pool:
        wait_until_quiet(at.up, stack.broker, lambda: unsent(pool), seconds=PATIENCE)  # type: ignore[arg-type]
    status = at.up.status("settle")
    assert status is not None, "settle does not answer at rest"
    return {tuple(labels): total for *labels, total in status["totals"]}


def _findings(settings: Settings, load: Load, live: dict[tuple[str, ...], int]) -> Findings:
    """Both servers alone, for nothing may write while the books and the workers' state are read."""
    with Stack.start(settings) as stack:
        findings = verdict(stack.broker, load, live, [settings.home])
        journal_verdict(findings, stack.broker, stack.postgres_url)
    return findings


def in_turn(kinds: Mapping[str, Kind], once: Sequence[str], random: Random) -> Iterator[tuple[str, Kind]]:
    """Kinds in random order for ever, each once before any comes again; those of `once` in the first turn only."""
    turn = list(kinds)
    while True:
        yield from ((name, kinds[name]) for name in random.sample(turn, len(turn)))
        turn = [name for name in kinds if name not in once]
