"""`hourstream worker NAME`: one process of the stream, until it is told to stop."""

import importlib
import json
import os
from pathlib import Path

import click

from agents.figures import StateFigures, metrics, status
from runtime.cli.quiet import DELIVERY
from runtime.plane.pages import serve_pages
from runtime.plane.process import BatchProcess
from runtime.settings import Settings
from sinks.delivery.targets import declared

AGENTS = ("masters", "intake", "settle", "erp", "billing", "lifecycle", "metrics")
OF_A_RUN = tuple(name for name in AGENTS if name != "metrics")  # nobody looks at the figures of a run


def workers_of(settings: Settings) -> tuple[str, ...]:
    """The workers there are: the stream's own, and one a target of HOURSTREAM_TARGETS. Raises TargetsError."""
    return (*AGENTS, *(DELIVERY + name for name in declared(settings.targets)))


def _process(name: str, settings: Settings) -> BatchProcess:
    process: BatchProcess
    if name in AGENTS:
        process = importlib.import_module(f"agents.{name}").process(settings)
        return process
    targets = {DELIVERY + target: each for target, each in declared(settings.targets).items()}
    if name not in targets:
        raise click.UsageError(f"there is no worker {name}; there are {', '.join((*AGENTS, *targets))}")
    process = importlib.import_module("agents.delivery").process(settings, declared=targets[name])
    return process


@click.command()
@click.argument("name")
@click.option("--status-file", type=click.Path(dir_okay=False, path_type=Path), help="Where to note pid and port.")
@click.option("--log-level", default="INFO", show_default=True)
def worker(name: str, status_file: Path | None, log_level: str) -> None:
    """Run one worker: masters, intake, settle, erp, billing, lifecycle, metrics, or delivery-TARGET.

    The targets are those of HOURSTREAM_TARGETS. It needs a broker: `hourstream up`, or HOURSTREAM_BROKER.
    """
    settings = Settings.load()
    process = _process(name, settings)
    figures = process.figures or StateFigures(process)
    port = serve_pages(
        settings.metrics_host,
        settings.metrics_port,
        lambda: metrics(process, figures, state_dir=settings.state_dir(process.name)),
        lambda: status(process, figures),
    )
    if status_file is not None:
        status_file.parent.mkdir(parents=True, exist_ok=True)
        part = status_file.with_suffix(".part")
        part.write_text(json.dumps({"pid": os.getpid(), "port": port}))
        part.replace(status_file)
    process.main(log_level)
