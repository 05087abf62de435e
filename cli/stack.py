"""`hourstream up`: the whole stream on this machine, until it is told to stop."""

import contextlib
import time

import click

from cli.context import console, errors
from cli.schemas import registered
from cli.seal import sealing
from cli.worker import FOR_THE_CONSOLE, workers_of
from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from settings import Settings
from storage.migrations import migrate
from storage.postgres import open_pool
from streaming.admin import admin_client
from topics.create import create_topics


@click.command()
@click.option("--console", "with_console", is_flag=True, help="Serve the console too, and the worker that feeds it.")
@click.option("--without-login", is_flag=True, help="For a demo on this machine: whoever opens it may do everything.")
@click.option("--seal-every", default=60.0, show_default=True, type=click.FloatRange(min=1), help="Seconds.")
def up(with_console: bool, without_login: bool, seal_every: float) -> None:
    """Start Kafka, PostgreSQL and every worker, keep them running, and seal what they do. Ctrl-C stops all of it.

    Where HOURSTREAM_SCHEMA_REGISTRY_URL names a registry, every released schema is registered there first.
    """
    settings = registered(Settings.load())
    names = workers_of(settings)
    if with_console:
        names += FOR_THE_CONSOLE
    with Stack.start(settings, progress=lambda line: errors.print(f"[dim]{line}[/]")) as stack:
        made = create_topics(admin_client(stack.broker), every_topic(settings.partitions), settings.replication)
        with contextlib.ExitStack() as running, Workers(settings, names, stack.settings.environment()) as workers:
            console.print(f"broker {stack.broker}, {len(made)} topics created, workers: {', '.join(workers.names)}")
            pool = running.enter_context(open_pool(stack.postgres_url))
            migrate(pool)
            running.enter_context(sealing(stack.settings, stack.broker, pool, seal_every))
            if with_console:
                from cli.console import anybody, serving  # with its libraries only where it is wanted

                address = running.enter_context(serving(stack.settings, pool, everybody=anybody(without_login)))
                console.print(f"console: {address}")
            console.print(f"logs in {settings.home / 'logs'}; Ctrl-C stops everything")
            try:
                _stand_by(workers)
            except KeyboardInterrupt:
                console.print("stopping")


def _stand_by(workers: Workers) -> None:
    told: set[str] = set()
    while True:
        for name in workers.names:
            if name not in told and workers.status(name) is not None:
                told.add(name)
                console.print(f"{name}: {workers.metrics_url(name)}")
        workers.check()
        time.sleep(1)
