"""`hourstream worker NAME`: runs one process of the stream until it is stopped."""

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import click

from agents import intake
from metrics.http_endpoints import serve_pages
from metrics.worker_metrics import StateFigures, metrics, status
from operations.quiescence import DELIVERY, JOURNAL_WORKER
from settings import Settings
from sinks.delivery.config import Declared, declared
from streaming.process import BatchProcess
from streaming.stopping import STOP_SIGNALS

AGENTS = ("masters", "intake", "settle", "erp", "billing", "lifecycle", "metrics")
FOR_THE_CONSOLE = ("warehouse",)
# Names of processes in running installations stay; their modules carry the field's names.
_MODULES = {"erp": "journal", "billing": "invoicing", "lifecycle": "charge_status", "warehouse": "read_models"}
INTAKE = "intake-"  # followed by the name of a source


def own_workers(settings: Settings) -> tuple[str, ...]:
    """The stream's own workers, an intake for each further source, and a worker for each further journal."""
    intakes = (intake.name_of(source) for source in settings.source_names)
    journals = (JOURNAL_WORKER + name for name in settings.journals.split(",") if name)
    return (*AGENTS, *(name for name in intakes if name not in AGENTS), *journals)


def workers_of_a_run(settings: Settings) -> tuple[str, ...]:
    """The stream's own workers except the one whose figures a run does not need."""
    return tuple(name for name in own_workers(settings) if name != "metrics")


def workers_of(settings: Settings) -> tuple[str, ...]:
    """All workers: those of the stream, and one per target of HOURSTREAM_TARGETS. Raises TargetsError."""
    return (*own_workers(settings), *(DELIVERY + name for name in declared(settings.targets)))


def _process(name: str, settings: Settings) -> BatchProcess:
    if name in (*AGENTS, *FOR_THE_CONSOLE):
        make: Callable[[Settings], BatchProcess] = importlib.import_module(f"agents.{_MODULES.get(name, name)}").process
        return make(settings)
    if name.startswith(INTAKE):
        return intake.process_of(settings, name.removeprefix(INTAKE))
    if name in own_workers(settings):
        post: Callable[[Settings, str], BatchProcess] = importlib.import_module("agents.journal").process
        return post(settings, name.removeprefix(JOURNAL_WORKER))
    names = workers_of(settings)
    if name not in names:
        raise click.UsageError(f"there is no worker {name}; there are {', '.join((*names, *FOR_THE_CONSOLE))}")
    deliver: Callable[[Settings, Declared], BatchProcess] = importlib.import_module("agents.delivery").process
    return deliver(settings, declared(settings.targets)[name.removeprefix(DELIVERY)])


@click.command()
@click.argument("name")
@click.option("--status-file", type=click.Path(dir_okay=False, path_type=Path), help="Where to note pid and port.")
@click.option("--log-level", default="INFO", show_default=True)
def worker(name: str, status_file: Path | None, log_level: str) -> None:
    """Run one worker process: one of the stream's own, intake-SOURCE of `sources list`, erp-NAME of
    HOURSTREAM_JOURNALS, or delivery-TARGET of HOURSTREAM_TARGETS.

    It needs a broker: `hourstream up`, or HOURSTREAM_BROKER.
    """
    STOP_SIGNALS.listen()
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
