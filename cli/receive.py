"""`hourstream receive`: receives a source's webhook on loopback, behind an HTTPS proxy."""

import contextlib
import time
from pathlib import Path

import click
import uvicorn

from cli.context import attached, console
from cli.http_server import address_of, listening_on, server_config
from cli.webhook_app import WebhookApp
from common.private import read_secret
from operations.all_topics import every_topic
from operations.file_ingest import FilePublisher
from operations.webhook_ingest import Receiver
from privacy.open_vault import open_to_publish
from settings import Settings
from sources.mapping import catalogue
from streaming.admin import admin_client
from topics.create import create_topics

_SHORTEST_SECRET = 16  # bytes


@click.command()
@click.option("--source", required=True, help="Whose webhook: `hourstream sources list`.")
@click.option(
    "--secret-file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A secret a line: the one messages are signed with; two while it is being changed.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default="any free one", help="Port to listen on.")
@click.option("--max-kib", default=1024, show_default=True, help="Largest message.")
@click.option("--seconds", default=30.0, show_default=True, help="How long a message may take to arrive.")
@click.option("--window", default=300.0, show_default=True, help="Seconds a signed timestamp may be off.")
def receive(source: str, secret_file: Path, host: str, port: int, max_kib: int, seconds: float, window: float) -> None:
    """Accept messages of a source's webhook at POST /SOURCE, until stopped."""
    mapping, secrets, settings = catalogue.load(source), read_secrets(secret_file), Settings.load()
    with attached(settings) as stack, open_to_publish(settings, stack.postgres_url) as vault:
        create_topics(admin_client(stack.broker), every_topic(settings.partitions), settings.replication)
        try:
            publisher = FilePublisher(stack.broker, source, "receive", vault)
            receiver = Receiver(mapping, publisher, secrets, time.time, window)
        except ValueError as impossible:
            raise click.ClickException(str(impossible)) from None
        app = WebhookApp(receiver, f"/{source}", max_kib * 1024, seconds)
        server = uvicorn.Server(server_config(app, request_seconds=seconds + 5))
        app.on_fenced = lambda: setattr(server, "should_exit", True)
        with listening_on(host, port) as listening:
            console.print(f"listening on {address_of(listening)}/{source}", soft_wrap=True)
            with contextlib.suppress(KeyboardInterrupt):
                server.run(sockets=[listening])
        console.print("stopping")


def read_secrets(path: Path) -> list[bytes]:
    """The secrets in a file. Raises ClickException where there is none, or one that could be guessed."""
    secrets = [line.strip() for line in read_secret(path).splitlines() if line.strip()]
    if not secrets or min(map(len, secrets)) < _SHORTEST_SECRET:
        raise click.ClickException(f"{path}: a secret a line is needed, each of {_SHORTEST_SECRET} bytes or more")
    return secrets
