"""Brings the database schema `hourstream` up to date: the files of `storage/sql` in order of name, each once."""

from hashlib import sha256
from pathlib import Path

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.errors import SinkError
from storage.postgres import Lock, Pool, transaction

SCRIPTS = Path(__file__).parent / "sql"


class MigrationChanged(SinkError):
    """A script that was applied before reads differently now; changes belong into a new script."""


def migrate(pool: Pool, folder: Path = SCRIPTS) -> tuple[str, ...]:
    """Apply what is missing, all in one transaction, one process at a time; gives the names of what was applied.

    Raises MigrationChanged, Unreachable. After an exception the database is as it was.
    """
    scripts = {path.name: path.read_bytes() for path in sorted(folder.glob("*.sql"))}
    with transaction(pool) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.MIGRATIONS,))
        done = _applied(cursor)
        for name, text in scripts.items():
            if name in done and done[name] != _digest(text):
                raise MigrationChanged(f"{name} was applied before and has changed since: write a new script instead")
        missing = tuple(name for name in scripts if name not in done)
        for name in missing:
            cursor.execute(scripts[name])
            cursor.execute("INSERT INTO hourstream.migrations VALUES (%s, %s)", (name, _digest(scripts[name])))
    return missing


def _applied(cursor: Cursor[TupleRow]) -> dict[str, str]:
    cursor.execute("SELECT to_regclass('hourstream.migrations') IS NULL")
    if cursor.fetchone() == (True,):
        cursor.execute("CREATE SCHEMA IF NOT EXISTS hourstream")
        cursor.execute(
            "CREATE TABLE hourstream.migrations"
            " (name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    return dict(cursor.execute("SELECT name, digest FROM hourstream.migrations").fetchall())


def _digest(text: bytes) -> str:
    # Line ends differ between checkouts of one script.
    return sha256(text.replace(b"\r\n", b"\n")).hexdigest()
