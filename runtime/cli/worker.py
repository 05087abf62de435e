"""`hourstream worker NAME`: one process of the stream, until it is told to stop."""

import importlib
import json
import os
from pathlib import Path

import click

from agents.figures import StateFigures, metrics, status
from runtime.cli.quiet import JOURNAL_WORKER
from runtime.plane.pages import serve_pages
from runtime.plane.process import BatchProcess
from runtime.settings import Settings

AGENTS = ("masters", "intake", "settle", "erp", "billing", "lifecycle")


def workers_of(settings: Settings) -> tuple[str, ...]:
    """The workers there are: the stream's own, and one for each further journal."""
    return (*AGENTS, *(JOURNAL_WORKER + name for name in settings.journals.split(",") if name))


def _process(name: str, settings: Settings) -> BatchProcess:
    names = workers_of(settings)
    if name not in names:
        raise click.UsageError(f"there is no worker {name}; there are {', '.join(names)}")
    if name.startswith(JOURNAL_WORKER):
        process: BatchProcess = importlib.import_module("agents.erp").process(
            settings, name.removeprefix(JOURNAL_WORKER)
        )
    else:
        process = importlib.import_module(f"agents.{name}").process(settings)
    return process


@click.command()
@click.argument("name")
@click.option("--status-file", type=click.Path(dir_okay=False, path_type=Path), help="Where to note pid and port.")
@click.option("--log-level", default="INFO", show_default=True)
def worker(name: str, status_file: Path | None, log_level: str) -> None:
    """Run one worker process: masters, intake, settle, erp, billing, lifecycle, or erp-NAME of HOURSTREAM_JOURNALS.

    It needs a broker: `hourstream up`, or HOURSTREAM_BROKER.
    """
    settings = Settings.load()
    process = _process(name, settings)
    figures = process.figures or StateFigures(process)
    port = serve_pages(
        settings.metrics_host,
        settings.metrics_port,
        lambda: metrics(process, figures),
        lambda: status(process, figures),
    )
    if status_file is not None:
        status_file.parent.mkdir(parents=True, exist_ok=True)
        part = status_file.with_suffix(".part")
        part.write_text(json.dumps({"pid": os.getpid(), "port": port}))
        part.replace(status_file)
    process.main(log_level)
