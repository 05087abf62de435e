"""`hourstream console`: the web console over a running stack; also used by `up` and `demo`."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import click
import uvicorn

from cli.context import attached, errors
from cli.context import console as terminal
from cli.http_server import listening_on, server_config
from console.access.settings import AccessSettings, is_loopback
from console.access.user import ROLES, User
from console.app import create_app
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool

HOST, PORT = "127.0.0.1", 8600
ANYBODY = User("anybody", frozenset(ROLES), sees_rates=True, via="open", sees_names=True)
_START_SECONDS = 30.0


@click.command()
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, help="Port to listen on; 0: any free one.")
@click.option("--without-login", is_flag=True, help="For a demo on this machine: every visitor may do everything.")
def console(host: str, port: int, without_login: bool) -> None:
    """Serve the console over the running stack, until Ctrl-C. `hourstream worker warehouse` feeds it."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        with serving(stack.settings, pool, host=host, port=port, everybody=anybody(without_login)) as address:
            terminal.print(f"console: {address}; Ctrl-C stops it")
            stand_by()


def anybody(without_login: bool) -> User | None:
    """The anonymous user when login is off, by the flag or HOURSTREAM_CONSOLE_OPEN; None when people log in."""
    return ANYBODY if without_login or AccessSettings.load().console_open else None


def stand_by() -> None:
    """Wait until Ctrl-C."""
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        errors.print("stopping")


@contextmanager
def serving(
    settings: Settings,
    pool: Pool,
    *,
    host: str = HOST,
    port: int = PORT,
    everybody: User | None = None,
    access: AccessSettings | None = None,
) -> Iterator[str]:
    """The console in a thread; yields its address. Raises UsageError if everybody on a network would have access."""
    access = access or AccessSettings.load()
    if everybody is not None and not is_loopback(host):
        raise click.UsageError("--without-login is for this machine only: leave --host as it is")
    if everybody is not None and not is_loopback(urlsplit(access.console_url or "//127.0.0.1").hostname or ""):
        raise click.UsageError("--without-login is for this machine only: unset HOURSTREAM_CONSOLE_URL")
    if access.console_url is None and not is_loopback(host):
        raise click.UsageError(
            "--host is not this machine's own: HOURSTREAM_CONSOLE_URL says what people open, https://..."
        )
    with listening_on(host, port) as listening:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        app = create_app(settings, pool, everybody=everybody, access=access, address=address)
        server = uvicorn.Server(server_config(app, access.console_trusted_proxies))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="console", daemon=True)
        thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the console did not start; see its messages above")
            time.sleep(0.05)
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join(10)
