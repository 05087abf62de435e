"""`hourstream console`: the web console over a running stack, and its part in `up` and `demo`."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
import uvicorn

from cli.context import attached, errors
from cli.context import console as terminal
from console.access.settings import AccessSettings, is_loopback
from console.access.user import ROLES, User
from console.app import create_app
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool

HOST, PORT = "127.0.0.1", 8600
ANYBODY = User("anybody", frozenset(ROLES), sees_rates=True, via="open")
_START_SECONDS = 30.0


@click.command()
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, help="Port to listen on; 0: any free one.")
@click.option("--without-login", is_flag=True, help="For a demo on this machine: whoever opens it may do everything.")
def console(host: str, port: int, without_login: bool) -> None:
    """Serve the console over the running stack, until Ctrl-C. `hourstream worker warehouse` feeds it."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        with serving(stack.settings, pool, host=host, port=port, everybody=anybody(without_login)) as address:
            terminal.print(f"console: {address}; Ctrl-C stops it")
            stand_by()


def anybody(without_login: bool) -> User | None:
    """Who whoever opens the console is, where the flag or HOURSTREAM_CONSOLE_OPEN says so; None where people log in."""
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
    """The console in a thread; yields its address. Raises UsageError where everybody on a network could come in."""
    access = access or AccessSettings.load()
    if everybody is not None and not is_loopback(host):
        raise click.UsageError("--without-login is for this machine only: leave --host as it is")
    if access.console_url is None and not is_loopback(host):
        raise click.UsageError(
            "--host is not this machine's own: HOURSTREAM_CONSOLE_URL says what people open, https://..."
        )
    listening = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}"
    app = create_app(settings, pool, everybody=everybody, access=access, address=address)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False))
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


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise click.ClickException(f"{host}:{port} cannot be listened on ({error.strerror}); try --port 0") from error
    return listening
