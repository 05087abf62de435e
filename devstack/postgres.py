"""PostgreSQL on loopback from the binaries of the `pgserver` wheel.

The wheel's own start-up listens on a unix socket with a limited path, trusts every local user, and as root makes a
system user and widens the modes of every folder above the data. So its binaries are started directly: TCP on loopback,
a generated password (SCRAM); as root the server runs as the system user `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkstemp
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from devstack.binaries import open_to_all, postgres_programs
from devstack.child import Child, RunAs
from devstack.errors import StackError, TryAgain
from devstack.ports import LOOPBACK, free_port, port_like
from devstack.server import EmbeddedServer
from settings import Settings

NAME = "hourstream"  # of the role and of the database
_ATTEMPTS = 5


def with_database(url: str, name: str) -> str:
    """The same server and user, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


class Postgres(EmbeddedServer):
    """The embedded database server. Data, password and log are under `folder`."""

    def __init__(self, folder: Path, settings: Settings, port: int | None) -> None:
        super().__init__(Child("PostgreSQL", folder / "postgres.pid", folder / "postgres.log"))
        self._folder = folder
        self._data = folder / "data"
        self._settings = settings
        self._preferred = port
        self._password_file = folder / "password"

    @property
    def url(self) -> str:
        """Address of the database with its password: for a connection, never for a log."""
        return self._url(NAME, self.port)

    def last_line(self) -> str:
        """The last line of its log."""
        return self._child.last_line()

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return self._child.pid

    def adopt(self, port: int) -> None:
        """Take the server that another process runs here, at `port`; it is not this one's to stop."""
        self._port = port

    def end_leftover(self) -> bool:
        """End the server a killed run left behind; true if there was one."""
        ended = self._child.end_leftover(signal.SIGINT, self._settings.stop_seconds)
        self._remove_misleading_pid()
        return ended

    def start(self) -> None:
        """Start the server and wait until it answers. Raises `StackError` with the end of its log.

        A process that runs already is waited for: after a crash it may need longer than a start is given.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        port = self._port or port_like(self._preferred)
        for attempt in range(_ATTEMPTS):
            if not self._child.alive:
                self._remove_misleading_pid()
                self._spawn(port)
            try:
                self._wait(port)
            except TryAgain:
                self._child.kill()
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.5 * attempt)
                port = self._port or free_port()
            else:
                self._port = port
                return

    def stop(self) -> None:
        """Stop the server in order, open connections closed; killed when it takes longer than `stop_seconds`."""
        self._child.stop(signal.SIGINT, self._settings.stop_seconds)

    def kill(self) -> None:
        """End the server as a power cut would; `start` brings it back on the same data."""
        self._child.kill()

    def _url(self, database: str, port: int) -> str:
        password = self._password_file.read_text(encoding="ascii")
        return f"postgresql://{NAME}:{password}@{LOOPBACK}:{port}/{database}"

    def _initialise(self) -> None:
        """Make the cluster beside its final place and move it there whole, so that a kill leaves no half of one."""
        fresh = self._folder / "data.new"
        maker = Child("initdb", self._folder / "initdb.pid", self._folder / "initdb.log")
        maker.end_leftover(signal.SIGKILL, self._settings.stop_seconds)
        if fresh.exists():
            shutil.rmtree(fresh)
        user = self._run_as()
        fresh.mkdir(mode=0o700)
        _write_private(self._password_file, secrets.token_urlsafe(24))
        if user is not None:
            os.chown(fresh, user.uid, user.gid)
        with self._password_for(user) as password:
            options = ["-U", NAME, "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C"]
            maker.spawn(
                [str(self._programs(user) / "initdb"), "-D", str(fresh), *options],
                cwd=Path("/"),
                mark=str(fresh),
                death_signal=signal.SIGKILL,
                run_as=user,
            )
            made = maker.finish(self._settings.start_seconds)
        if not made:
            raise StackError(f"PostgreSQL cannot prepare its data folder {fresh}:\n{maker.last_words()}")
        fresh.rename(self._data)

    @contextlib.contextmanager
    def _password_for(self, user: RunAs | None) -> Iterator[Path]:
        """A copy of the password initdb may read while it runs."""
        descriptor, name = mkstemp(dir=self._folder)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(self._password_file.read_text(encoding="ascii"))
            if user is not None:
                os.chown(name, user.uid, user.gid)
            yield Path(name)
        finally:
            Path(name).unlink()

    def _remove_misleading_pid(self) -> None:
        """Remove the server's own pid file where that pid is now another program's.

        PostgreSQL would take it for a server on these data and refuse to start. In every other case the file stays:
        with it PostgreSQL itself finds out whether anything of an earlier server still uses the data.
        """
        file = self._data / "postmaster.pid"
        try:
            process = psutil.Process(int(file.read_text(encoding="utf-8").split()[0]))
            ours = any(str(self._data) in argument for argument in process.cmdline())
        except (FileNotFoundError, psutil.NoSuchProcess, ValueError, IndexError):
            return
        if not ours:
            file.unlink()

    def _run_as(self) -> RunAs | None:
        if os.geteuid() != 0:
            return None
        nobody = pwd.getpwnam("nobody")
        return RunAs(nobody.pw_uid, nobody.pw_gid, reach=not open_to_all(self._folder))

    def _programs(self, user: RunAs | None) -> Path:
        return postgres_programs(for_others=user is not None)

    def _spawn(self, port: int) -> None:
        options = {
            "listen_addresses": LOOPBACK,
            "port": port,
            "unix_socket_directories": "",
            "shared_buffers": f"{self._settings.postgres_buffers_mb}MB",
            "max_connections": 100,
            "fsync": "on",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        chosen = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        user = self._run_as()
        self._child.spawn(
            [str(self._programs(user) / "postgres"), "-D", str(self._data), *chosen],
            cwd=Path("/"),
            mark=str(self._data),
            death_signal=signal.SIGINT,
            run_as=user,
        )

    def _wait(self, port: int) -> None:
        deadline = time.monotonic() + self._settings.start_seconds
        while time.monotonic() < deadline:
            if not self._child.alive:
                raise self._failure("ended while starting", port)
            try:
                _ensure_database(self._url("postgres", port))
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise self._failure(f"did not answer within {self._settings.start_seconds:g} s", port)

    def _failure(self, what: str, port: int) -> StackError:
        words = self._child.last_words()
        if "Address already in use" in words:
            return TryAgain(f"port {port} for the embedded PostgreSQL is taken by another program")
        if "shared memory block" in words and "still in use" in words:
            return TryAgain(f"processes of an earlier embedded PostgreSQL still use {self._data}")
        return StackError(f"The embedded PostgreSQL {what}:\n{words}")


def _ensure_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
