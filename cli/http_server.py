"""Settings of uvicorn: trusted proxies, number of connections, and the time limit for a request to arrive.

uvicorn itself waits for the rest of a request without limit: a client that sends a byte a minute would keep its
connection.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import click
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 30.0
CONNECTIONS = 1_000


class TimedProtocol(H11Protocol):
    """HTTP/1.1 where a request, head and body, has to be there `seconds` after its connection is free for it."""

    seconds = REQUEST_SECONDS
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self._late = self.loop.call_later(self.seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if not answering:
            self.transport.close()


@contextmanager
def listening_on(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens. Raises ClickException where the address cannot be had."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen()  # a reader of the address may connect before the server takes the socket over
        except OSError as error:
            refused = f"{host}:{port} cannot be listened on ({error.strerror}); try --port 0"
            raise click.ClickException(refused) from error
        yield listening


def address_of(listening: socket.socket) -> str:
    """The HTTP address of a bound socket."""
    host, port, *_ = listening.getsockname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def server_config(app: ASGIApp, trusted_proxies: str = "", request_seconds: float = REQUEST_SECONDS) -> uvicorn.Config:
    """uvicorn's settings. X-Forwarded-For and -Proto count only from `trusted_proxies`."""
    protocol = type("Timed", (TimedProtocol,), {"seconds": request_seconds})
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies.strip()),
        forwarded_allow_ips=[each.strip() for each in trusted_proxies.split(",") if each.strip()],
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
