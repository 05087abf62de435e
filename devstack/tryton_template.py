"""An empty Tryton database with its modules activated, made once and copied afterwards.

Activating the modules takes Tryton half a minute. So the prepared database is kept as a template of the server (a copy
takes a fraction of a second) and as a dump in the cache folder (a new server, as of tests and demos, restores it in
seconds). Both are named by a digest of everything they are made of, and hold no secret.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from devstack.binaries import postgres_programs
from devstack.errors import StackError
from devstack.tryton_environment import LOCK, MODULE, program

_PACKAGE = MODULE / "hourstream_tryton"
_MODULE_NAME = "hourstream"
_SECONDS = 900.0


def digest() -> str:
    """The digest of a template's inputs: the pinned packages and our module's files."""
    files = sorted(path for path in _PACKAGE.iterdir() if path.suffix in (".py", ".cfg", ".xml"))
    parts = [LOCK.read_bytes(), *(file.read_bytes() for file in files if file.name != "prepare.py")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def dump_in(cache: Path) -> Path:
    """The file of the kept template."""
    return cache / "tryton" / f"{digest()}.dump"


class TemplateDatabase:
    """The template database of a server; `owner_url` is the address of the role that will own its content."""

    def __init__(self, server_url: str, owner_url: str, cache: Path, progress: Callable[[str], None]) -> None:
        self._server, self._owner, self._progress = server_url, owner_url, progress
        self.name = f"{self._role}_template_{digest()}"
        self._dump = dump_in(cache)

    def ensure(self, config: Path) -> None:
        """See that it is there: `config` is a trytond.conf for this server. Raises `StackError`."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            if has_database(connection, self.name):
                return
            fresh = f"{self.name}_new"
            drop_database(connection, fresh)
            create_database(connection, fresh, owner=self._role)
            if self._dump.exists():
                self._restore(fresh)
            else:
                self._progress("Activating Tryton's modules (this once, half a minute or more) ...")
                self._activate(config, fresh)
                self._keep(fresh)
            rename_database(connection, fresh, self.name)

    @property
    def _role(self) -> str:
        return unquote(urlsplit(self._owner).username or "")

    def _activate(self, config: Path, database: str) -> None:
        """As `trytond-admin` does; its administrator's password is thrown away, every copy gets its own."""
        activate(config, database, secrets.token_urlsafe(24))

    def _keep(self, database: str) -> None:
        self._dump.parent.mkdir(parents=True, exist_ok=True)
        part = self._dump.with_suffix(f".{os.getpid()}")
        self._run("pg_dump", "--format=custom", "--no-owner", f"--file={part}", database=database)
        part.replace(self._dump)

    def _restore(self, database: str) -> None:
        self._run("pg_restore", "--no-owner", "--single-transaction", str(self._dump), database=database)

    def _run(self, name: str, *options: str, database: str) -> None:
        """A program of PostgreSQL as the owner; the password goes by the environment, never on a command line."""
        parts = urlsplit(self._owner)
        address = {
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port or 5432),
            "PGUSER": self._role,
            "PGPASSWORD": unquote(parts.password or ""),
            "PGDATABASE": database,
        }
        target = [f"--dbname={database}"] if name == "pg_restore" else []
        command = [str(postgres_programs(for_others=False) / name), *target, *options]
        done = subprocess.run(command, env={**os.environ, **address}, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"{name} of Tryton's template failed:\n{done.stderr[-2000:]}")


def activate(config: Path, database: str, admin_password: str | None) -> None:
    """Activate our module and all it needs, or bring them up to date. Raises `StackError`."""
    password_file = config.with_name("first-password")
    command = [program("python"), program("trytond-admin"), "-c", str(config), "-d", database]
    command += ["-u", _MODULE_NAME, "--activate-dependencies"]
    try:
        if admin_password is not None:
            write_private(password_file, admin_password)
        environment = {**_plain_environment(), "TRYTONPASSFILE": str(password_file)}
        done = subprocess.run(
            command, env=environment, input="\n", capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise StackError(f"Tryton did not activate its modules within {_SECONDS:g} s") from None
    finally:
        password_file.unlink(missing_ok=True)
    if done.returncode:
        raise StackError(f"Tryton cannot activate its modules:\n{done.stderr[-2000:]}")


def _plain_environment() -> dict[str, str]:
    """Without what would change Tryton's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TRYTON")}


def write_private(path: Path, text: str) -> None:
    """A file for its owner's eyes alone."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def has_database(connection: psycopg.Connection[tuple[object, ...]], name: str) -> bool:
    """Whether the server has a database of that name."""
    return connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def create_database(
    connection: psycopg.Connection[tuple[object, ...]], name: str, owner: str, template: str = "template0"
) -> None:
    """A database that its owner alone may enter, as a copy of `template`."""
    names = (sql.Identifier(name), sql.Identifier(owner), sql.Identifier(template))
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(*names))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def drop_database(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    """Remove a database, if it exists, and end its sessions."""
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def rename_database(connection: psycopg.Connection[tuple[object, ...]], old: str, new: str) -> None:
    """Give a database its final name, so that one that is made by halves never has it."""
    names = (sql.Identifier(old), sql.Identifier(new))
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
