"""The whole benchmark: an embedded broker, the contenders in turn, the results written after every run."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.contenders.registry import CHECKOUT, ENRICHMENT, Contender
from benchmarks.contenders.surroundings import Surroundings
from benchmarks.enrichment.contract import decode_billed
from benchmarks.enrichment.generate import Backlog, Generator, write_masters
from benchmarks.harness.figures import Run
from benchmarks.harness.knobs import Knobs
from benchmarks.harness.measuring import Loads, measure
from benchmarks.harness.results import Results
from benchmarks.harness.session import Job
from benchmarks.harness.topics import PARTITIONS, topics
from benchmarks.harness.verify import Output
from benchmarks.settle import mixed
from benchmarks.settle import run as settling
from devstack.stack import Stack
from settings import Settings

SCALE = "settle_at_scale"
_NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"  # so that no PostgreSQL is started


def main() -> None:
    """Run the benchmark of the settings."""
    knobs = Knobs.load()
    wanted = knobs.wanted((*(each.name for each in ENRICHMENT), settling.NAME, SCALE, mixed.NAME))
    results = Results(CHECKOUT / "benchmarks" / "results", knobs)
    home = CHECKOUT / ".hourstream"
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=home))
    try:
        write_masters(folder / "masters.csv", knobs.seed)
        for number in range(1, knobs.rounds + 1):
            settings = Settings.load(home=folder / "stack", postgres_url=_NO_DATABASE)
            with Stack.start(settings) as stack:
                for contender in ENRICHMENT:
                    if contender.name in wanted:
                        results.add(enrich(contender, stack.broker, folder, knobs, number))
            if settling.NAME in wanted:
                results.add(settling.settle(folder, knobs, number, teller(settling.NAME, number, knobs)))
        if mixed.NAME in wanted:
            mixed.main()
        if SCALE in wanted and knobs.subjects:
            results.add_scale(settling.at_scale(folder, knobs, teller(SCALE, 1, knobs)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    results.report()


def teller(name: str, number: int, knobs: Knobs) -> Callable[[str], None]:
    """Progress, a line a phase."""
    return lambda what: print(f"round {number} of {knobs.rounds}  {name:18} {what}", flush=True)


def enrich(contender: Contender, broker: str, folder: Path, knobs: Knobs, number: int) -> Run:
    """One contender, once; latency and restore in the first round only."""
    run = f"{contender.name.replace('_', '-')}-{number}"
    tell = teller(contender.name, number, knobs)
    tell("making the load")
    generator = Generator(knobs.seed)
    share = contender.share
    rate = min(knobs.latency_rate, contender.most_a_second)
    loads = Loads(
        generator.backlog(int(knobs.warmup * share)),
        generator.backlog(int(knobs.records * share)),
        generator.backlog(rate * knobs.latency_seconds, repeated=0) if number == 1 else Backlog(),
        rate,
    )
    with topics(broker, run) as names:
        state = folder / run
        surroundings = Surroundings(
            broker, names.app, names.input, names.output, names.changelog, state, folder / "masters.csv"
        )
        job = Job(
            name=contender.name,
            guarantee=contender.guarantee,
            command=contender.command(),
            environment=surroundings.environment(),
            cwd=CHECKOUT,
            broker=broker,
            input=names.input,
            output=names.output,
            partitions=PARTITIONS,
            state=state,
            log=folder / f"{run}.log",
            read=_read,
            once=contender.once,
            restores=bool(knobs.restore) and contender.keeps_state and contender.tells_restore,
        )
        try:
            return measure(job, loads, number, tell)
        finally:
            shutil.rmtree(state, ignore_errors=True)


def _read(value: bytes) -> Output:
    record = decode_billed(value)
    return Output(record["entry_id"], record["amount"])
