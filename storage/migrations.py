"""Brings the database schema `hourstream` up to date: the files of `storage/sql` in order of name, each once.

A released script is never edited: a change is a new script. Four were edited in early versions. For a database that was
made with the earlier text, `sql/amended/NAME.DIGEST.sql` makes up the difference (DIGEST: of the old text).
"""

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
    """Apply missing migrations, all in one transaction, one process at a time; returns their names.

    Raises MigrationChanged, Unreachable. After an exception the database is unchanged.
    """
    scripts = {path.name: path.read_bytes() for path in sorted(folder.glob("*.sql"))}
    with transaction(pool) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.MIGRATIONS,))
        done = _applied(cursor)
        for name, text in scripts.items():
            if name in done and done[name] != digest_of(text):
                _amend(cursor, folder / "amended", name, done[name], digest_of(text))
        missing = tuple(name for name in scripts if name not in done)
        for name in missing:
            cursor.execute(scripts[name])
            cursor.execute("INSERT INTO hourstream.migrations VALUES (%s, %s)", (name, digest_of(scripts[name])))
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


def _amend(cursor: Cursor[TupleRow], folder: Path, name: str, was: str, now: str) -> None:
    """Make up the difference to the text that a script had when it was applied. Raises MigrationChanged."""
    difference = folder / f"{name.removesuffix('.sql')}.{was[:12]}.sql"
    if not difference.is_file():
        raise MigrationChanged(f"{name} was applied before and has changed since: write a new script instead")
    cursor.execute(difference.read_bytes())
    cursor.execute("UPDATE hourstream.migrations SET digest = %s WHERE name = %s", (now, name))


def digest_of(text: bytes) -> str:
    """The digest that identifies an applied script."""
    # Line ends differ between checkouts of one script.
    return sha256(text.replace(b"\r\n", b"\n")).hexdigest()
