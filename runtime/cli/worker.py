"""`hourstream worker NAME`: one process of the stream, until it is told to stop."""

import importlib
import json
import os
from pathlib import Path

import click

from agents import intake
from agents.figures import StateFigures, metrics, status
from runtime.plane.pages import serve_pages
from runtime.plane.process import BatchProcess
from runtime.settings import Settings
from sources import known

AGENTS = ("masters", "intake", "settle", "erp", "billing", "lifecycle")


def names_of(settings: Settings) -> tuple[str, ...]:
    """Every worker of an installation: the agents, with an intake for each source in use."""
    more = (intake.name_of(source) for source in settings.source_names)
    return (*AGENTS, *(name for name in more if name not in AGENTS))


def process_of(name: str, settings: Settings) -> BatchProcess:
    """The process of a worker's name."""
    if name.startswith(f"{intake.NAME}-"):
        return intake.process_of(settings, name.removeprefix(f"{intake.NAME}-"))
    process: BatchProcess = importlib.import_module(f"agents.{name}").process(settings)
    return process


class _Name(click.ParamType):
    """An agent, or the intake of a source."""

    name = "worker"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        source = value.removeprefix(f"{intake.NAME}-")
        if value in AGENTS or (source != value and source in known.names()):
            return value
        more = f"{intake.NAME}-SOURCE with a source of `hourstream sources list`"
        return self.fail(f"{value!r} is none of {', '.join(AGENTS)}, nor {more}", param, ctx)


@click.command()
@click.argument("name", type=_Name())
@click.option("--status-file", type=click.Path(dir_okay=False, path_type=Path), help="Where to note pid and port.")
@click.option("--log-level", default="INFO", show_default=True)
def worker(name: str, status_file: Path | None, log_level: str) -> None:
    """Run one worker process. It needs a broker: `hourstream up`, or HOURSTREAM_BROKER."""
    settings = Settings.load()
    process = process_of(name, settings)
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
