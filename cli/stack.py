"""`hourstream up`: runs the whole stream on this machine until it is stopped."""

import contextlib
import time
import urllib.error
import urllib.request

import click

from cli.context import errors
from cli.plain_console import styled
from devstack.ports import is_free
from devstack.record import ProcessRecord
from devstack.stack import Stack
from devstack.supervisor import Workers
from settings import Settings

CONSOLE, SEAL = "console", "seal"
_PORTS_TRIED = 50


@click.command()
@click.option("--console", "with_console", is_flag=True, help="Serve the console too, and the worker that feeds it.")
@click.option(
    "--port",
    "--console-port",
    "console_port",
    default=8600,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="The console's port; where it is taken, the next free one.",
)
@click.option("--without-login", is_flag=True, help="For a demo on this machine: every visitor may do everything.")
@click.option("--seal-every", default=60.0, show_default=True, type=click.FloatRange(min=1), help="Seconds.")
def up(with_console: bool, console_port: int, without_login: bool, seal_every: float) -> None:
    """Start Kafka, PostgreSQL and every worker, keep them running, and seal their records. Ctrl-C stops all of it.

    Every process that ends is restarted, on the same port and data, without limit: `hourstream status` shows the
    processes and their restarts with reasons. Where HOURSTREAM_SCHEMA_REGISTRY_URL names a registry, every released
    schema is registered there first.
    """
    with Stack.start(Settings.load(), progress=lambda line: errors.print(styled(line, "dim"))) as stack:
        # Loaded only now: whether this home is taken is answered at once.
        from cli.schemas import registered
        from cli.worker import FOR_THE_CONSOLE, workers_of

        settings = registered(stack.settings)
        names = workers_of(settings)
        others: dict[str, tuple[str, ...]] = {SEAL: ("seal", "--every", f"{seal_every:g}")}
        if with_console:
            console_port = free_from(console_port)
            names += FOR_THE_CONSOLE
            others[CONSOLE] = _console_command(console_port, without_login)
        made = _prepare(settings)
        with (
            stack.kept("up") as record,
            Workers(settings, names, settings.environment(), others=others, record=record) as workers,
        ):
            _say(f"broker {stack.broker}, {made} topics created, workers: {', '.join(workers.names)}")
            _say(f"logs in {settings.home / 'logs'}; Ctrl-C stops everything")
            try:
                _stand_by(workers, record, console_port if with_console else None)
            except KeyboardInterrupt:
                _say("stopping")


def _prepare(settings: Settings) -> int:
    """See that topics and tables are there; how many topics were made."""
    from operations.all_topics import every_topic
    from storage.migrations import migrate
    from storage.postgres import open_pool
    from streaming.admin import admin_client
    from topics.create import create_topics

    made = create_topics(admin_client(settings.bootstrap), every_topic(settings.partitions), settings.replication)
    with open_pool(settings.database_url) as pool:
        migrate(pool)
    return len(made)


def free_from(port: int) -> int:
    """The port, or the next one that is free: one that another program has must not keep the console from running."""
    found = next((each for each in range(port, min(port + _PORTS_TRIED, 65_536)) if is_free(each)), port)
    if found != port:
        _say(f"port {port} is taken: the console gets port {found}")
    return found


def _console_command(port: int, without_login: bool) -> tuple[str, ...]:
    from console.access.settings import AccessSettings  # with its libraries only where it is wanted

    AccessSettings.load()  # a fault is reported now, not in a log
    return ("console", "--port", str(port), *(("--without-login",) if without_login else ()))


def _stand_by(workers: Workers, record: ProcessRecord, console_port: int | None) -> None:
    """Report starts and restarts, without end."""
    told: set[str] = set()
    seen: dict[str, str] = {}
    while True:
        for name in workers.names:
            if name not in told and workers.status(name) is not None:
                told.add(name)
                _say(f"{name}: {workers.metrics_url(name)}")
        if console_port is not None and CONSOLE not in told and _answers(console_port):
            told.add(CONSOLE)
            record.listens(CONSOLE, console_port)
            _say(f"console: http://127.0.0.1:{console_port}")
        for name in record.names():
            endings = record.endings(name)
            if endings and seen.get(name) != endings[-1].what + endings[-1].last_line:
                seen[name] = endings[-1].what + endings[-1].last_line
                _say(f"{name} {endings[-1].what} and is started again: {endings[-1].last_line}")
        time.sleep(1)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
            return True
    except urllib.error.HTTPError:  # it asks to log in
        return True
    except OSError:
        return False


def _say(line: str) -> None:
    """Tell the person; a closed terminal or a full disk under its log is no reason to stop the stream."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(line)
