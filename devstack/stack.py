"""The stack of a command: embedded Kafka and PostgreSQL, each only if the settings name no other server.

    with Stack.start(Settings.load()) as stack:
        stack.broker, stack.postgres_url
        stack.settings                     # the same settings with both addresses filled in

There is one stack per home folder, even where all servers are elsewhere; several homes may run side by side. Its
servers always end with it: in order on `stop`, an exception, SIGINT or SIGTERM; by the kernel after a SIGKILL (Linux);
at the latest by the next start on that home.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn, Self

from devstack.errors import StackError
from devstack.home import HomeTaken, is_ready, is_taken, leave_home, mark_ready, take_home
from devstack.kafka import Kafka
from devstack.keeper import Keeper, Server
from devstack.leftover import end_orphans
from devstack.postgres import Postgres
from devstack.record import ProcessRecord
from devstack.server import StoppedAtExit
from settings import Settings

_ORPHAN_SECONDS = 5.0  # that a worker of a killed run has for an orderly end; killed, it loses nothing


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Stack(StoppedAtExit):
    """The running servers of one home folder. Made by `start`."""

    def __init__(self, settings: Settings, home: Path, progress: Callable[[str], None]) -> None:
        if settings.broker is None and settings.kafka_security != "PLAINTEXT":
            raise StackError(
                f"HOURSTREAM_KAFKA_SECURITY is {settings.kafka_security}, and the embedded Kafka is an open one on "
                "loopback: set HOURSTREAM_BROKER, or unset it"
            )
        self._home = home
        self._given = settings
        self._progress = progress
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
        """Start the servers that the settings do not name, and wait until they answer.

        `data_dir` replaces the settings' home for the servers' data; `progress` gets a line during long steps. With
        `join`, a stack that another process runs on this home is used as it is, and left running. Raises `StackError`
        with the remedy: another stack runs on this home, no Java, a server that cannot start.
        """
        stack = cls(settings, (data_dir or settings.home).expanduser().absolute(), progress)
        if join and stack._kafka is None and stack._postgres is None:
            return stack
        if not stack._take_home(or_join=join):
            stack._join(settings.start_seconds)
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
    def holds_home(self) -> bool:
        """Whether this process supervises the home, and did not join another one."""
        return self._lock is not None

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

    @contextlib.contextmanager
    def kept(self, command: str) -> Iterator[ProcessRecord]:
        """During the block, restarts servers of this stack that end; yields the record of running processes.

        `command` is the command that a person typed, for `hourstream status`.
        """
        record = ProcessRecord(self._home, command)
        servers: dict[str, Server | None] = {"kafka": self._kafka, "postgres": self._postgres}
        keepers = [Keeper(name, server, record) for name, server in servers.items() if server is not None]
        with contextlib.ExitStack() as steps:
            steps.callback(record.close)
            for keeper in keepers:
                keeper.start()
                steps.callback(keeper.stop)
            record.write()
            yield record

    @classmethod
    def joined(cls, settings: Settings) -> Self:
        """The stack that runs on the settings' home, to read its status. Raises StackError if it is not up yet."""
        stack = cls(settings, settings.home, _say)
        stack._join()
        return stack

    def _start_servers(self) -> None:
        for name in end_orphans(self._home / "run", _ORPHAN_SECONDS):
            self._progress(f"{name} of a killed run was ended")
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
        part = self._ports_file.with_suffix(".part")
        part.write_text(json.dumps(ports), encoding="utf-8")
        part.replace(self._ports_file)
        if self._lock is not None:
            mark_ready(self._lock)

    def _last_ports(self) -> dict[str, int]:
        """Ports of the last run, taken again where they are free: addresses noted down stay right."""
        try:
            ports = json.loads(self._ports_file.read_text(encoding="utf-8"))
            return {str(name): int(port) for name, port in ports.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _join(self, seconds: float = 0.0) -> None:
        """Use the servers of the stack that holds this home, at the ports it noted; waits so long for its start."""
        deadline = time.monotonic() + seconds
        while not is_ready(self._home):
            if time.monotonic() > deadline or not is_taken(self._home):
                raise StackError(f"The stack on {self._home} is still starting; try again in some seconds.")
            time.sleep(0.1)
        ports = self._last_ports()
        for name, server in (("kafka", self._kafka), ("postgres", self._postgres)):
            if server is not None:
                if name not in ports:
                    raise StackError(f"The stack on {self._home} is still starting; try again in some seconds.")
                server.adopt(ports[name])

    def _take_home(self, or_join: bool = False) -> bool:
        """Hold this home, or find with `or_join` that another process does (False)."""
        try:
            self._lock = take_home(self._home)
        except HomeTaken:
            if or_join:
                return False
            raise
        return True

    def _leave_home(self) -> None:
        if self._handles_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._handles_sigterm = False
        if self._lock is not None:
            leave_home(self._lock)
            self._lock = None

    def _stop_on_sigterm(self) -> None:
        """Let SIGTERM unwind the program, as Ctrl-C does, so that `stop` runs. A handler already set stays."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _unwind)
            self._handles_sigterm = True


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
