"""`hourstream receive`: a source's webhook, on loopback, behind whatever speaks HTTPS with the world.

Answers: 200 when the broker has the message (or had it before), 401 for what is not signed or not fresh, 413 for what
is too big, 503 when it could not be published and should be sent again.
"""

import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
from confluent_kafka import KafkaException

from cli.context import attached, console
from common.errors import Unreachable
from common.private import read_secret
from operations.all_topics import every_topic
from operations.file_ingest import AnotherTakes, FilePublisher
from operations.webhook_ingest import NotAccepted, Receiver
from privacy.errors import PeopleError
from privacy.open_vault import open_to_publish
from settings import Settings
from sources.mapping import catalogue
from streaming.admin import admin_client
from topics.create import create_topics

log = logging.getLogger(__name__)

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
@click.option("--window", default=300.0, show_default=True, help="Seconds a signed timestamp may be off.")
def receive(source: str, secret_file: Path, host: str, port: int, max_kib: int, window: float) -> None:
    """Take messages of a source's webhook at POST /SOURCE, until told to stop."""
    mapping, secrets, settings = catalogue.load(source), read_secrets(secret_file), Settings.load()
    with attached(settings) as stack, open_to_publish(settings, stack.postgres_url) as vault:
        create_topics(admin_client(stack.broker), every_topic(settings.partitions), settings.replication)
        try:
            publisher = FilePublisher(stack.broker, source, "receive", vault)
            receiver = Receiver(mapping, publisher, secrets, time.time, window)
        except ValueError as impossible:
            raise click.ClickException(str(impossible)) from None
        server = serve(receiver, f"/{source}", host, port, max_kib * 1024)
        console.print(f"listening on http://{host}:{server.server_address[1]}/{source}", soft_wrap=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("stopping")
        finally:
            server.server_close()


def read_secrets(path: Path) -> list[bytes]:
    """The secrets in a file. Raises ClickException where there is none, or one that could be guessed."""
    secrets = [line.strip() for line in read_secret(path).splitlines() if line.strip()]
    if not secrets or min(map(len, secrets)) < _SHORTEST_SECRET:
        raise click.ClickException(f"{path}: a secret a line is needed, each of {_SHORTEST_SECRET} bytes or more")
    return secrets


def serve(receiver: Receiver, path: str, host: str, port: int, max_bytes: int) -> ThreadingHTTPServer:
    """An HTTP server for a receiver, bound and not yet serving."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0  # seconds a sender may keep silent

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.path != path:
                self._answer(404, {"error": f"messages go to {path}"})
            elif not (length.isascii() and length.isdecimal()):
                self._answer(411, {"error": "Content-Length is needed"})
            elif len(length) > 12 or int(length) > max_bytes:
                self._answer(413, {"error": f"a message has at most {max_bytes} bytes"})
            else:
                self._take(self.rfile.read(int(length)))

        def _take(self, body: bytes) -> None:
            try:
                accepted = receiver.accept({name.lower(): value for name, value in self.headers.items()}, body)
            except NotAccepted as refusal:
                log.warning("a message from %s was refused: %s", self.client_address[0], refusal)
                self._answer(401, {"error": "not signed, or not of now"})
            except AnotherTakes as fenced:
                log.error("%s", fenced)
                self._answer(503, {"error": "not published; send it again"})
                # shutdown waits for serve_forever, which waits for nobody here
                threading.Thread(target=self.server.shutdown, daemon=True).start()
            except (KafkaException, Unreachable, PeopleError) as error:
                log.error("a message could not be published: %s", error)
                self._answer(503, {"error": "not published; send it again"})
            else:
                self._answer(200, {"records": accepted.records, "bad": accepted.bad, "repeated": accepted.repeated})

        def _answer(self, code: int, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            log.info(format, *args)

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    return server
