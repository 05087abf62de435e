"""What an entry costs every process from the source's row to the books, and so what a firm's month end needs.

    python -m benchmarks.month_end [ROWS]

Rows of Harvest's export go through the whole stream on this machine: intake, settle, journal, the store of invoices,
lifecycle, metrics, and the console's warehouse. CPU is each process's own between two moments of rest, less what it
takes at rest; bytes are what Kafka, the workers' state and PostgreSQL grew by. `FIRMS` then says what that comes to for
a firm. Writes `results/month_end.json`; docs/scale.md tells what to make of it.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.enrichment.generate import CONSULTANTS, PROJECTS, Entry, Generator, consultant_id, project_id
from benchmarks.harness.load import publish_at_once
from benchmarks.harness.machine import description
from benchmarks.settle.load import masters
from runtime.admin import admin_client
from runtime.cli.creation import ONE_PARTITION_AGENTS, every_topic
from runtime.cli.publishing import Publisher
from runtime.cli.quiet import wait_until_quiet
from runtime.cli.run import unsent
from runtime.cli.worker import FOR_THE_CONSOLE, own_workers
from runtime.embedded.stack import Stack
from runtime.settings import Settings
from runtime.supervisor import Workers
from schemas.codec import encode
from sinks.database import Pool, open_pool
from sinks.migrations import migrate
from topics.create import create_topics

SEED, WARMUP, ROWS, REST_SECONDS = 7, 4_000, 60_000, 15.0
SOURCE, TOPIC = "harvest", "source.harvest.entries"
KAFKA, POSTGRES = "kafka", "postgresql"
_RESULTS = Path(__file__).parent / "results" / "month_end.json"


@dataclass(frozen=True)
class Unit:
    """What one entry costs: CPU microseconds of each process, bytes that stay in each store."""

    rows: int
    seconds: float
    microseconds: dict[str, float]
    bytes: dict[str, float]


@dataclass(frozen=True)
class Firm:
    """A firm, and how its month ends: `burst_share` of the month's entries are approved within `burst_hours`."""

    consultants: int
    entries_a_day: int = 3
    days: int = 21
    burst_share: float = 0.3
    burst_hours: float = 4.0

    @property
    def entries(self) -> int:
        """A month."""
        return self.consultants * self.entries_a_day * self.days

    @property
    def burst(self) -> float:
        """Entries a second while it lasts."""
        return self.entries * self.burst_share / (self.burst_hours * 3600)


FIRMS = (Firm(10_000), Firm(400_000))


def as_row(entry: Entry) -> tuple[bytes, bytes]:
    """(key, framed value) of a row of the export."""
    return entry.entry_id.encode(), encode(TOPIC, _row(entry))


def _row(entry: Entry) -> dict[str, object]:
    client, project, task, (first, last) = _codes(entry.project, entry.consultant)
    return {
        "id": entry.entry_id, "date": entry.work_date.isoformat(), "client": client, "project": project,
        "project_code": None, "task": task, "notes": entry.note, "hours": f"{entry.minutes / 60:.2f}",
        "billable": "Yes", "approved": "Yes", "first_name": first, "last_name": last, "roles": None, "currency": None,
    }  # fmt: skip


def _codes(project: int, consultant: int) -> tuple[str, str, str, tuple[str, str]]:
    return "Client", f"Project {project}", "Work", ("Person", f"No {consultant}")


def code_map() -> Iterator[tuple[str, str, dict[str, object]]]:
    """What people map once: every project, task and person of the rows."""
    for project in range(PROJECTS):
        client, name, task, _ = _codes(project, 0)
        yield _mapped("engagement", f"{client} / {name}", project_id(project))
        yield _mapped("task", f"{client} / {name} / {task}", f"T-{project:05d}")
    for consultant in range(CONSULTANTS):
        yield _mapped("consultant", " ".join(_codes(0, consultant)[3]), consultant_id(consultant))


def _mapped(kind: str, code: str, canonical: str) -> tuple[str, str, dict[str, object]]:
    return "master.code-map", f"{SOURCE}:{kind}:{code}", {
        "system": SOURCE, "kind": kind, "code": code, "canonical_id": canonical, "source": "bench", "revision": 1,
        "occurred_at": "2020-01-01T00:00:00.000Z",
    }  # fmt: skip


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
    """Blocks in use: what is set aside but not written is none."""
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


def needs(unit: Unit, firm: Firm) -> dict[str, object]:
    """What the firm's month end takes: cores in use by process, who is behind, and what a year leaves."""
    cores = {name: firm.burst * each / 1e6 for name, each in unit.microseconds.items()}
    alone = {name for name in cores if name.startswith(ONE_PARTITION_AGENTS)}
    return {
        **asdict(firm),
        "entries": firm.entries,
        "burst_per_second": firm.burst,
        "cores": cores,
        "cores_in_all": sum(cores.values()),
        "behind": {name: _behind(firm, cores[name]) for name in alone if cores[name] > 1},
        "gigabytes_a_year": {name: firm.entries * 12 * each / 1e9 for name, each in unit.bytes.items()},
    }


def _behind(firm: Firm, cores: float) -> float:
    """Hours a process of one partition, and so of one core, is behind at the end of the burst."""
    return firm.burst_hours * (cores - 1)


def shown(unit: Unit, firms: list[dict[str, object]]) -> Table:
    """A row a process."""
    table = Table("process", "us a row", *(f"cores, {firm['consultants']:,} consultants" for firm in firms))
    for name, each in sorted(unit.microseconds.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{each:.0f}", *(f"{firm['cores'][name]:.2f}" for firm in firms))  # type: ignore[index]
    table.add_row(
        "in all", f"{sum(unit.microseconds.values()):.0f}", *(f"{firm['cores_in_all']:.1f}" for firm in firms)
    )
    return table


def main() -> None:
    """Measure, and work out the firms."""
    console, count = Console(), int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory(prefix="hourstream-month-end-") as folder:
        unit = unit_costs(Path(folder), count, console)
    firms = [needs(unit, firm) for firm in FIRMS]
    console.print(shown(unit, firms))
    for firm in firms:
        console.print_json(
            json.dumps({name: firm[name] for name in ("entries", "burst_per_second", "behind", "gigabytes_a_year")})
        )
    _RESULTS.write_text(json.dumps({"machine": description(), "unit": asdict(unit), "firms": firms}, indent=1) + "\n")


if __name__ == "__main__":
    main()
