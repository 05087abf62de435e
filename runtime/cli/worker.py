"""`hourstream worker NAME`: one process of the stream, until it is told to stop."""

import importlib
import json
import os
from pathlib import Path

import click

from agents.figures import StateFigures, metrics, status
from runtime.plane.pages import serve_pages
from runtime.plane.process import BatchProcess
from runtime.settings import Settings

AGENTS = ("masters", "intake", "settle", "erp", "billing")
FOR_THE_CONSOLE = ("warehouse",)


@click.command()
@click.argument("name", type=click.Choice((*AGENTS, *FOR_THE_CONSOLE)))
@click.option("--status-file", type=click.Path(dir_okay=False, path_type=Path), help="Where to note pid and port.")
@click.option("--log-level", default="INFO", show_default=True)
def worker(name: str, status_file: Path | None, log_level: str) -> None:
    """Run one worker process. It needs a broker: `hourstream up`, or HOURSTREAM_BROKER."""
    settings = Settings.load()
    process: BatchProcess = importlib.import_module(f"agents.{name}").process(settings)
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
