"""Fault cycles over a continuous load, and at their end the books: `lost 0, doubled 0, cycles N, records M`.

A cycle is one fault, and the wait until the settle workers share the partitions and each partition has committed again.
Kinds come in random order, every kind once before any comes again.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median

from tests.faults.kinds import KINDS, fill_disk
from tests.faults.load import Load
from tests.faults.plant import Plant, plant
from tests.faults.verdict import Findings, verdict

SHOWN = 40  # findings told of each sort


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of the cycles. `pauses`: of each cycle, the longest time in seconds that a partition stood still."""

    pauses: list[tuple[str, float]]
    records: int
    findings: Findings

    @property
    def clean(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return not self.findings.lost and not self.findings.doubled

    def report(self) -> str:
        """The findings, the pauses, and the line that sums up."""
        lost, doubled = self.findings.lost, self.findings.doubled
        lines = [f"LOST {each}" for each in lost[:SHOWN]] + [f"DOUBLED {each}" for each in doubled[:SHOWN]]
        lines.append(f"{'fault':32}{'times':>6}{'median pause':>15}{'max pause':>12}")
        for kind in KINDS:
            if seconds := [pause for name, pause in self.pauses if name == kind]:
                lines.append(f"{kind:32}{len(seconds):6}{median(seconds):13.1f} s{max(seconds):10.1f} s")
        lines.append(f"lost {len(lost)}, doubled {len(doubled)}, cycles {len(self.pauses)}, records {self.records}")
        return "\n".join(lines)


def soak(home: Path, cycles: int, seed: int, session_seconds: float) -> Soaked:
    """Start everything in `home`, strike `cycles` times, heal, and hold what came of it to the acknowledged inputs."""
    random = Random(seed)
    with plant(home, session_seconds) as at:
        if at.disk_refused is not None:
            print(f"no disk to fill: {at.disk_refused}")
        kinds = [name for name, kind in KINDS.items() if kind is not fill_disk or at.disk_refused is None]
        load = Load(at.broker, Random(seed + 1))
        load.start()
        at.recover()
        order = _order(kinds, random)
        pauses = [(kind, _cycle(at, number, kind, random)) for number, kind in enumerate(islice(order, cycles), 1)]
        load.finish()
        at.come_to_rest()
        live = at.totals()
        homes = [home / name for name in ("masters", "first", "second", "third") if (home / name).exists()]
        for workers in (at.masters, *(member.workers for member in at.members)):
            workers.stop()
        findings = verdict(at.broker, load, live, homes)
    return Soaked(pauses, len(load.acknowledged), findings)


def _order(kinds: list[str], random: Random) -> Iterator[str]:
    while True:
        yield from random.sample(kinds, len(kinds))


def _cycle(at: Plant, number: int, kind: str, random: Random) -> float:
    began = time.monotonic()
    at.progress.mark()
    KINDS[kind](at, random)
    struck = time.monotonic()
    at.recover()
    pause = at.progress.longest()
    print(
        f"cycle {number}: {kind}: {struck - began:.1f} s, at work {time.monotonic() - struck:.1f} s later, "
        f"longest pause {pause:.1f} s",
        flush=True,
    )
    return pause
