"""One contender through one run: warm-up, a measured backlog, a steady trickle, a restore, and the check of it all."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.enrichment.generate import Backlog
from benchmarks.harness.figures import Run, percentile
from benchmarks.harness.session import Job, Session


@dataclass(frozen=True)
class Loads:
    """The load of the job. Without `steady`, neither latency nor restore is measured."""

    warmup: Backlog
    measured: Backlog
    steady: Backlog
    steady_rate: int


def measure(job: Job, loads: Loads, number: int, tell: Callable[[str], None]) -> Run:
    """All phases that the loads ask for; `ContenderFailed` or `Wrong` where one does not go well."""
    with Session(job) as session:
        tell("warming up")
        session.feed(loads.warmup)
        tell(f"{len(loads.measured.records):,} records")
        fed = session.feed(loads.measured)
        run = Run(job.name, number, job.guarantee, len(loads.measured.records), *fed)
        if loads.steady.records:
            tell(f"{loads.steady_rate:,} records a second")
            waits = session.trickle(loads.steady, loads.steady_rate)
            run.latency_rate = loads.steady_rate
            run.latency_p50_ms, run.latency_p99_ms = percentile(waits, 0.50), percentile(waits, 0.99)
        run.peak_bytes = session.peak_bytes()
        if loads.steady.records and job.restores:
            tell("restoring")
            run.restored_rows, run.restore_seconds, _ = session.restart(wipe=True)
        run.checked = session.check()
    return run
