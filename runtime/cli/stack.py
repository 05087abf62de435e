"""`hourstream up`: the whole stream on this machine, until it is told to stop."""

import time

import click

from runtime.admin import admin_client
from runtime.cli.context import console, errors
from runtime.cli.creation import every_topic
from runtime.cli.worker import names_of
from runtime.embedded.stack import Stack
from runtime.settings import Settings
from runtime.supervisor import Workers
from topics.create import create_topics


@click.command()
def up() -> None:
    """Start Kafka, PostgreSQL and every worker, and keep them running. Ctrl-C stops them."""
    settings = Settings.load()
    with Stack.start(settings, progress=lambda line: errors.print(f"[dim]{line}[/]")) as stack:
        made = create_topics(admin_client(stack.broker), every_topic(settings.partitions), settings.replication)
        with Workers(settings, names_of(settings), stack.settings.environment()) as workers:
            console.print(f"broker {stack.broker}, {len(made)} topics created, workers: {', '.join(workers.names)}")
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
