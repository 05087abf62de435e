"""Tryton on loopback: a real ERP server beside the stack, in its own environment and database.

    with Tryton.start(folder, settings, stack.postgres_url, books) as tryton:
        tryton.url, tryton.secret("delivery-key")

`python -m devstack.tryton` prepares the first start (`make tryton`).

Its role in PostgreSQL owns its database and has no rights in any other. Passwords and keys are generated, one per file
that only its owner may read, in `folder/secrets`. The next start on that folder ends a killed run's server.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from devstack.child import Child
from devstack.errors import StackError
from devstack.ports import LOOPBACK, free_port, port_like
from devstack.postgres import Postgres
from devstack.server import StoppedAtExit
from devstack.tryton_environment import make, program
from devstack.tryton_template import (
    TemplateDatabase,
    activate,
    create_database,
    digest,
    drop_database,
    dump_in,
    has_database,
    rename_database,
    write_private,
)
from settings import Settings

_SECRETS = ("database-password", "admin-password", "payment-password", "delivery-key")
_ATTEMPTS = 5
_CONFIG = """\
[database]
uri = {uri}
path = {files}
[web]
listen = {host}:{port}
[session]
max_attempt = 100
"""


@dataclass(frozen=True, slots=True)
class Company:
    """A legal entity that has books in Tryton; currency in ISO 4217, country in ISO 3166-1 alpha-2."""

    legal_entity: str
    name: str
    currency: str
    country: str


@dataclass(frozen=True, slots=True)
class TrytonCurrency:
    """A currency, the digits of its minor unit, and units of it for one of the currency whose rate is 1."""

    code: str
    digits: int = 2
    rate: str = "1"


@dataclass(frozen=True, slots=True)
class TrytonBooks:
    """The data that prepares a new database of Tryton: `taxes` are (category, percent), `years` calendar years."""

    companies: Sequence[Company]
    currencies: Sequence[TrytonCurrency]
    taxes: Sequence[tuple[str, str]]
    years: Sequence[int]


class TrytonServer(StoppedAtExit):
    """A running Tryton. Made by `start`; `database` is its database's name on the PostgreSQL server."""

    def __init__(
        self, folder: Path, settings: Settings, server_url: str, progress: Callable[[str], None], database: str
    ) -> None:
        self._folder, self._settings, self._progress = folder, settings, progress
        self._server, self.database = server_url, database
        self._config = folder / "trytond.conf"
        self._child = Child("Tryton", folder / "tryton.pid", folder / "tryton.log")
        self._port: int | None = None

    @classmethod
    def start(
        cls,
        folder: Path,
        settings: Settings,
        server_url: str,
        books: TrytonBooks,
        progress: Callable[[str], None] = lambda _: None,
        database: str = "tryton",
    ) -> Self:
        """Start a server on the PostgreSQL of `server_url`, whose user may create roles and databases.

        A database that is not there yet is made and prepared with `books`. Raises `StackError`.
        """
        tryton = cls(folder, settings, server_url, progress, database)
        tryton._begin()
        tryton._prepare(books)
        try:
            tryton.run()
        except BaseException:
            tryton.stop()
            raise
        return tryton

    @classmethod
    def prebuild(cls, settings: Settings, progress: Callable[[str], None]) -> None:
        """Make the environment and the kept template, on a PostgreSQL that is thrown away. Raises `StackError`."""
        make(progress)
        if dump_in(settings.cache_dir).exists():
            return
        with TemporaryDirectory() as place:
            postgres = Postgres(Path(place) / "postgres", settings, None)
            postgres.start()
            try:
                tryton = cls(Path(place) / "tryton", settings, postgres.url, progress, "tryton")
                tryton._begin()
                with psycopg.connect(postgres.url, autocommit=True) as connection:
                    tryton._ensure_role(connection)
                tryton._template().ensure(tryton._config)
            finally:
                postgres.stop()

    @property
    def url(self) -> str:
        """Address of the database's interfaces, without any secret."""
        if self._port is None:
            raise StackError("the embedded Tryton was not started")
        return f"http://{LOOPBACK}:{self._port}/{self.database}"

    @property
    def database_url(self) -> str:
        """Address of Tryton's own database with its password: for a connection, never for a log."""
        return self._owner_url(self.database)

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return self._child.pid

    def secret(self, name: str) -> Path:
        """The file of `delivery-key`, `payment-password`, `admin-password` or `database-password`."""
        return self._folder / "secrets" / name

    def run(self) -> None:
        """Start the server's process and wait until it answers; it keeps its port. Raises `StackError`."""
        port = self._port or port_like(None)
        for attempt in range(_ATTEMPTS):
            self._write_config(port)
            command = [program("python"), program("trytond"), "-c", str(self._config), "-d", self.database]
            self._child.spawn(
                command, cwd=self._folder, mark=str(self._config), death_signal=signal.SIGTERM, env=_environment()
            )
            if self._answers(port):
                self._port = port
                return
            self._child.kill()
            if "Address already in use" not in self._child.last_words() or attempt == _ATTEMPTS - 1:
                raise StackError(f"The embedded Tryton did not start:\n{self._child.last_words()}")
            port = self._port or free_port()

    def stop(self) -> None:
        """Stop the server; killed when it takes longer than `stop_seconds`."""
        self._child.stop(signal.SIGTERM, self._settings.stop_seconds)

    def kill(self) -> None:
        """End the server as a power cut would; `run` brings it back on the same port and data."""
        self._child.kill()

    def _begin(self) -> None:
        """Environment, folder, secrets and settings; a server that a killed run left is ended."""
        make(self._progress)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._child.end_leftover(signal.SIGTERM, self._settings.stop_seconds)
        self._write_secrets()
        self._write_config(port_like(None))

    def _template(self) -> TemplateDatabase:
        return TemplateDatabase(self._server, self._owner_url(""), self._settings.cache_dir, self._progress)

    def _write_secrets(self) -> None:
        (self._folder / "secrets").mkdir(mode=0o700, exist_ok=True)
        for name in _SECRETS:
            if not self.secret(name).exists():
                write_private(self.secret(name), secrets.token_urlsafe(32))

    def _read(self, name: str) -> str:
        return self.secret(name).read_text(encoding="utf-8")

    @property
    def _role(self) -> str:
        return self.database

    def _owner_url(self, database: str) -> str:
        server = urlsplit(self._server)
        place = f"{self._role}:{quote(self._read('database-password'))}@{server.hostname}:{server.port or 5432}"
        return urlunsplit(("postgresql", place, f"/{database}", "", ""))

    def _write_config(self, port: int) -> None:
        text = _CONFIG.format(uri=self._owner_url(""), files=self._folder / "files", host=LOOPBACK, port=port)
        write_private(self._config, text)

    def _prepare(self, books: TrytonBooks) -> None:
        """See that role and database are there; a database gets its name only when all is in it."""
        made_of, now = self._folder / "made-of", digest()
        with psycopg.connect(self._server, autocommit=True) as connection:
            self._ensure_role(connection)
            if not has_database(connection, self.database):
                template = self._template()
                template.ensure(self._config)
                fresh = f"{self.database}_new"
                drop_database(connection, fresh)
                create_database(connection, fresh, self._role, template.name)
                self._fill(fresh, books)
                rename_database(connection, fresh, self.database)
            elif not made_of.exists() or made_of.read_text(encoding="ascii") != now:
                self._progress("Bringing Tryton's database up to date ...")
                activate(self._config, self.database, None)
        made_of.write_text(now, encoding="ascii")

    def _ensure_role(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        role, password = sql.Identifier(self._role), sql.Literal(self._read("database-password"))
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (self._role,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, password))
        # A lock that is not given makes Tryton try again, then answer 503, instead of keeping its caller waiting.
        connection.execute(sql.SQL("ALTER ROLE {} SET lock_timeout = '1s'").format(role))

    def _fill(self, database: str, books: TrytonBooks) -> None:
        keys = ("admin-password", "payment-password", "delivery-key")
        description = {**asdict(books), **{name.replace("-", "_"): self._read(name) for name in keys}}
        command = [program("python"), "-m", "hourstream_tryton.prepare", str(self._config), database]
        done = subprocess.run(
            command, env=_environment(), input=json.dumps(description), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StackError(f"Tryton's database cannot be prepared:\n{done.stderr[-2000:]}")

    def _answers(self, port: int) -> bool:
        deadline = time.monotonic() + self._settings.start_seconds
        while time.monotonic() < deadline and self._child.alive:
            if _says_its_version(port):
                return True
            time.sleep(0.1)
        return False


def _environment() -> dict[str, str]:
    """The environment that a Python needs, without our own settings, which hold secrets."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONUNBUFFERED": "1"}


def _says_its_version(port: int) -> bool:
    body = json.dumps({"id": 0, "method": "common.server.version", "params": []}).encode()
    request = urllib.request.Request(f"http://{LOOPBACK}:{port}/rpc/", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
            return "result" in json.load(answer)
    except (TimeoutError, OSError, ValueError, urllib.error.URLError):
        return False


if __name__ == "__main__":
    TrytonServer.prebuild(Settings.load(), lambda line: print(line, file=sys.stderr, flush=True))
