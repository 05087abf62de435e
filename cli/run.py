"""`hourstream run INPUT_DIR --out DIR`: publishes facts from files and writes the resulting ledger (DESIGN §7).

It also tries a proposed rate card on last month's facts.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from assurance.ledger_reader import Books
from assurance.statements import statements
from cli.context import console, errors
from cli.plain_console import styled
from cli.progress import progress_bars
from cli.worker import workers_of, workers_of_a_run
from devstack.record import ProcessRecord
from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from operations.jsonl_ingest import Publisher
from operations.quiescence import unsent, wait_until_quiet
from operations.run_output import isolated, write_run
from privacy.encrypt import sealing
from privacy.open_vault import publishing_vault
from settings import Settings
from sinks.routing_file import load_routes
from storage.migrations import migrate
from storage.postgres import open_pool
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
    Exit status 1 when a line was rejected or a statement of the audit is false; the output is written all the same.
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
    _refuse(summary, out_dir)


def _refuse(summary: dict[str, Any], out_dir: Path) -> None:
    """End with exit status 1 where a line was rejected or a statement is false; the output is written all the same."""
    faults = []
    if rejected := len(summary["rejected_lines"]):
        faults.append(f"{rejected:,} lines were rejected and are not billed: see rejected_lines above")
    if unreadable := summary["unreadable_records"]:
        faults.append(f"{unreadable:,} records could not be read: see dead.letters")
    if not summary["audit_all_true"]:
        faults.append(f"the audit is not all true: see {out_dir / 'audit.json'}")
    if faults:
        raise click.ClickException("; ".join(faults))


def process(
    files: list[Path],
    out_dir: Path,
    settings: Settings,
    seconds: float,
    names: Sequence[str] | None = None,
    record: ProcessRecord | None = None,
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
            found = statements(books, pool, load_routes(settings.routes))
    return write_run(out_dir, books, found, publisher)


def _tell(line: str) -> None:
    errors.print(styled(line, "dim"))
