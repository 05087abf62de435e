"""`hourstream run INPUT_DIR --out DIR`: publishes facts from files and writes the resulting ledger (DESIGN §7).

It also tries a proposed rate card on last month's facts.
"""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from assurance.ledger_reader import Books, Line
from cli import audit
from cli.context import console, errors
from cli.plain_console import styled
from cli.progress import progress_bars
from cli.worker import workers_of, workers_of_a_run
from devstack.record import Record
from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from operations.jsonl_ingest import Publisher
from operations.quiescence import wait_until_quiet
from privacy.encrypt import sealing
from privacy.open_vault import publishing_vault
from schemas.json_codec import to_json
from settings import Settings
from sinks.outbox import Outbox
from sinks.routing_file import load_routes
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.admin import admin_client
from topics.create import create_topics


@click.command()
@click.argument("input_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", "out_dir", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--deliver", is_flag=True, help="Deliver the charges to the systems of HOURSTREAM_TARGETS too.")
@click.option("--seconds", default=3600.0, show_default=True, help="How long the stream may take to come to rest.")
def run(input_dir: Path, out_dir: Path, deliver: bool, seconds: float) -> None:
    """Publish every *.jsonl of INPUT_DIR, process until quiet, and write the ledger and its audit to DIR.

    Works on an embedded stack of its own, made for the run and removed after it, unless HOURSTREAM_BROKER names one.
    """
    files = sorted(input_dir.glob("*.jsonl"))
    if not files:
        raise click.ClickException(f"no *.jsonl file in {input_dir}: give the folder that holds the facts")
    with (
        isolated(Settings.load()) as settings,
        Stack.start(settings, progress=_tell) as stack,
        stack.kept("run") as record,
    ):
        names = workers_of(stack.settings) if deliver else workers_of_a_run(stack.settings)
        summary = process(files, out_dir, stack.settings, seconds, names, record)
    console.print_json(json.dumps(summary, default=str))
    if not summary["audit_all_true"]:
        raise click.ClickException(f"the audit is not all true: see {out_dir / 'audit.json'}")


def process(
    files: list[Path],
    out_dir: Path,
    settings: Settings,
    seconds: float,
    names: Sequence[str] | None = None,
    record: Record | None = None,
) -> dict[str, object]:
    """The run itself, on a stack that is up; returns the content of summary.json."""
    admin = admin_client(settings.bootstrap)
    create_topics(admin, every_topic(settings.partitions), settings.replication)
    with open_pool(settings.database_url) as pool:
        migrate(pool)
        vault = publishing_vault(settings, pool)
        started = names or workers_of_a_run(settings)
        with Workers(settings, started, settings.environment(), record=record) as workers:
            publisher = Publisher(settings.bootstrap, sealing(vault))
            for file in files:
                publisher.publish_file(file)
            publisher.finish()
            with progress_bars(workers) as show:
                wait_until_quiet(workers, settings.bootstrap, lambda: unsent(pool), seconds=seconds, progress=show)
        with console.status("reading every topic again"):
            books = Books.read(settings.bootstrap)
            found = audit.statements(books, pool, load_routes(settings.routes))
    return _write(out_dir, books, found, publisher)


def unsent(pool: Pool) -> int:
    """Announcements of the sinks that are not with the broker yet."""
    return sum(Outbox(pool, topic).unsent() for topic in ("erp.postings", "invoice.status", "billing.exceptions"))


def isolated(settings: Settings) -> "_Isolated":
    """The settings with a home of their own for one run, removed at its end; unchanged where a broker is named."""
    return _Isolated(settings)


class _Isolated:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home: Path | None = None

    def __enter__(self) -> Settings:
        if self._settings.broker is not None:
            return self._settings
        self._settings.home.mkdir(parents=True, exist_ok=True)
        self._home = Path(tempfile.mkdtemp(prefix="run-", dir=self._settings.home))
        return self._settings.model_copy(update={"home": self._home})

    def __exit__(self, *_: object) -> None:
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)


def _tell(line: str) -> None:
    errors.print(styled(line, "dim"))


def _write(out_dir: Path, books: Books, found: list[audit.Statement], publisher: Publisher) -> dict[str, object]:
    out_dir.mkdir(parents=True, exist_ok=True)
    ledger = books.ledger()
    _lines(out_dir / "ledger.jsonl", iter(ledger))
    _lines(out_dir / "charges.jsonl", _sorted(books, "billing.ready"))
    _lines(out_dir / "exceptions.jsonl", _sorted(books, "billing.exceptions"))
    _document(out_dir / "audit.json", audit.as_json(found))
    summary: dict[str, object] = {
        "published": publisher.published,
        "rejected_lines": [str(line) for line in publisher.rejected],
        "unreadable_records": books.unreadable,
        "subjects": len(ledger),
        "states": dict(sorted(Counter(str(line["state"]) for line in ledger).items())),
        "codes": dict(sorted(Counter(str(line["code"]) for line in ledger if line["code"]).items())),
        "amounts": _amounts(ledger),
        "audit_all_true": all(statement.holds for statement in found),
    }
    _document(out_dir / "summary.json", summary)
    return summary


def _sorted(books: Books, topic: str) -> Iterator[Line]:
    if topic == "billing.ready":
        records = [record for _, each in sorted(books.charges.items()) for record in each]
    else:
        records = [record for _, record in sorted(books.exceptions.items())]
    return (to_json(topic, record) for record in records)


def _amounts(ledger: list[Line]) -> dict[str, str]:
    from decimal import Decimal

    totals: dict[str, Decimal] = {}
    for line in ledger:
        if line["currency"] is not None:
            currency = str(line["currency"])
            totals[currency] = totals.get(currency, Decimal(0)) + Decimal(str(line["amount"]))
    return {currency: str(total) for currency, total in sorted(totals.items())}


def _lines(path: Path, values: Iterator[Line]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for value in values:
            file.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def _document(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
