"""The stack a person starts: embedded Kafka and PostgreSQL, each only where the settings point to no other.

    with Stack.start(Settings.load()) as stack:
        stack.broker, stack.postgres_url
        stack.settings                     # the same settings with both addresses filled in

One stack a home folder; several homes side by side. However it ends, its servers end with it: in order on `stop`,
an exception, SIGINT or SIGTERM; by the kernel after a SIGKILL (Linux); at the latest by the next start on that home.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, NoReturn, Self

from devstack.errors import StackError
from devstack.kafka import Kafka
from devstack.postgres import Postgres
from settings import Settings


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Stack:
    """The running servers of one home folder. Made by `start`."""

    def __init__(self, settings: Settings, home: Path, progress: Callable[[str], None]) -> None:
        if settings.broker is None and settings.kafka_security != "PLAINTEXT":
            raise StackError(
                f"HOURSTREAM_KAFKA_SECURITY is {settings.kafka_security}, and the embedded Kafka is an open one on "
                "loopback: set HOURSTREAM_BROKER, or unset it"
            )
        self._home = home
        self._given = settings
        self._ports_file = home / "ports.json"
        self._lock: IO[str] | None = None
        self._handles_sigterm = False
        ports = self._last_ports()
        self._kafka = None if settings.broker else Kafka(home / "kafka", settings, progress, ports.get("kafka"))
        self._postgres = None if settings.postgres_url else Postgres(home / "postgres", settings, ports.get("postgres"))

    @classmethod
    def start(
        cls,
        settings: Settings,
        *,
        data_dir: Path | None = None,
        progress: Callable[[str], None] = _say,
        join: bool = False,
    ) -> Self:
        """Start what the settings point to nowhere else and wait until it answers.

        `data_dir` replaces the settings' home for the servers' data; `progress` gets a line when something takes long.
        With `join`, a stack that another process runs on this home is used as it is, and left running.
        Raises `StackError` telling what to do: another stack runs on this home, no Java, a server which cannot start.
        """
        stack = cls(settings, (data_dir or settings.home).expanduser().absolute(), progress)
        if stack._kafka is None and stack._postgres is None:
            return stack
        if not stack._take_home(or_join=join):
            stack._join()
            return stack
        try:
            stack._stop_on_sigterm()
            stack._start_servers()
        except BaseException:
            stack.stop()
            raise
        return stack

    @property
    def kafka(self) -> Kafka:
        """The embedded broker. Raises `StackError` where the settings point to another cluster."""
        if self._kafka is None:
            raise StackError("the broker is not of this stack: HOURSTREAM_BROKER points to it")
        return self._kafka

    @property
    def postgres(self) -> Postgres:
        """The embedded database server. Raises `StackError` where the settings point to another one."""
        if self._postgres is None:
            raise StackError("the database is not of this stack: HOURSTREAM_POSTGRES_URL points to it")
        return self._postgres

    @property
    def broker(self) -> str:
        """Brokers for clients, embedded or not."""
        return self._given.broker or self.kafka.broker

    @property
    def postgres_url(self) -> str:
        """Address of the database, embedded or not, password included: for a connection, never for a log."""
        return self._given.postgres_url or self.postgres.url

    @property
    def settings(self) -> Settings:
        """The settings with both addresses filled in, for the processes which work on this stack."""
        return self._given.model_copy(update={"broker": self.broker, "postgres_url": self.postgres_url})

    def stop(self) -> None:
        """Stop the servers this stack started, in order. A second call does nothing."""
        with contextlib.ExitStack() as steps:
            steps.callback(self._leave_home)
            for server in (self._postgres, self._kafka):
                if server is not None and self._lock is not None:
                    steps.callback(server.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_servers(self) -> None:
        for server in (self._kafka, self._postgres):
            if server is not None:
                server.end_leftover()
        if self._kafka is not None:
            self._kafka.begin()  # its JVM takes seconds: the database is made meanwhile
        if self._postgres is not None:
            self._postgres.start()
        if self._kafka is not None:
            self._kafka.wait_ready()
        servers = {"kafka": self._kafka, "postgres": self._postgres}
        ports = self._last_ports() | {name: server.port for name, server in servers.items() if server is not None}
        self._ports_file.write_text(json.dumps(ports), encoding="utf-8")

    def _last_ports(self) -> dict[str, int]:
        """Ports of the last run, taken again where they are free: addresses noted down stay right."""
        try:
            ports = json.loads(self._ports_file.read_text(encoding="utf-8"))
            return {str(name): int(port) for name, port in ports.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _join(self) -> None:
        """Use the servers of the stack that holds this home, at the ports it noted."""
        ports = self._last_ports()
        for name, server in (("kafka", self._kafka), ("postgres", self._postgres)):
            if server is not None:
                if name not in ports:
                    raise StackError(f"The stack on {self._home} is still starting; try again in some seconds.")
                server.adopt(ports[name])

    def _take_home(self, or_join: bool = False) -> bool:
        """Hold this home, or find with `or_join` that another process does (False)."""
        try:
            self._lock = _locked(self._home)
        except StackError:
            if or_join:
                return False
            raise
        return True

    def _leave_home(self) -> None:
        if self._handles_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._handles_sigterm = False
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def _stop_on_sigterm(self) -> None:
        """Let SIGTERM unwind the program, as Ctrl-C does, so that `stop` runs. A handler already set stays."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _unwind)
            self._handles_sigterm = True


@contextlib.contextmanager
def hold_home(home: Path) -> Iterator[None]:
    """Keep every stack from starting on `home`. Raises StackError where one runs."""
    lock = _locked(home)
    try:
        yield
    finally:
        lock.truncate(0)
        lock.close()


def _locked(home: Path) -> IO[str]:
    home.mkdir(parents=True, exist_ok=True)
    lock = (home / "stack.lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read().strip() or "?"
        lock.close()
        raise StackError(
            f"A stack already runs on {home} (process {holder}). Stop it, or set HOURSTREAM_HOME to another folder."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
