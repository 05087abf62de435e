"""The PostgreSQL side of the sinks: one pool per process, one transaction per batch, and the advisory locks in use."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import LiteralString, TypeAlias

import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from common.errors import Health, Misconfigured, Unreachable
from storage.sql_errors import kind_of

Pool: TypeAlias = ConnectionPool[Connection[TupleRow]]


# A process that is frozen inside a transaction must not hold its locks, and so its partition, for good.
# In another zone than UTC the first and the last hours of the calendar could not be read.
_SESSION = {
    "application_name": "hourstream",
    "options": "-c idle_in_transaction_session_timeout=60s -c timezone=UTC",
}


# A refused connection has no SQLSTATE, only a text.
_SETUP = ("authentication failed", "does not exist", "pg_hba.conf", "no password supplied", "not permitted to log in")


class Lock(IntEnum):
    """The first key of each advisory lock: "HS" and a number, so that other applications' locks are not met."""

    MIGRATIONS = 0x48530001
    OUTBOX = 0x48530002
    INVOICES = 0x48530003
    DELIVERIES = 0x48530004
    REVENUE = 0x48530010
    PEOPLE = 0x48530070


def open_pool(url: str, max_size: int = 8, timeout_seconds: float = 30.0) -> Pool:
    """An open pool of connections to a database URL; use it as a context manager. Raises Unreachable, Misconfigured."""
    pool = ConnectionPool[Connection[TupleRow]](
        url,
        min_size=1,
        max_size=max_size,
        timeout=timeout_seconds,
        open=True,
        kwargs=_SESSION,
    )
    try:
        pool.wait(timeout_seconds)
    except PoolTimeout as error:
        pool.close()
        said = _refusal(url)
        if said is not None and any(words in said for words in _SETUP):
            raise Misconfigured(f"PostgreSQL: {said}; check the database URL") from error
        raise Unreachable(f"PostgreSQL did not answer in {timeout_seconds:g} s; check the database URL") from error
    return pool


def _refusal(url: str) -> str | None:
    """Why no connection is available, in the server's words; a pool only logs them."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return None


@contextmanager
def transaction(pool: Pool) -> Iterator[Cursor[TupleRow]]:
    """A cursor in one transaction: committed at the end, rolled back on any exception.

    Raises Unreachable for a temporary fault, Misconfigured for one that a person must repair; other errors are
    psycopg's.
    """
    try:
        with pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            yield cursor
    except (psycopg.Error, PoolTimeout) as error:
        said = f"PostgreSQL: {str(error).strip() or type(error).__name__}"
        match kind_of(error):
            case "transient":
                raise Unreachable(said) from error
            case "configuration":
                raise Misconfigured(f"{said}; check the database URL, its rights and its schema") from error
            case "content" | "unknown":
                raise


def scalar(cursor: Cursor[TupleRow], query: LiteralString, parameters: tuple[object, ...] = ()) -> object:
    """The one value a query yields, None for no row."""
    row = cursor.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def check(pool: Pool) -> Health:
    """Whether the database answers now."""
    try:
        with transaction(pool) as cursor:
            cursor.execute("SELECT 1")
    except (Unreachable, Misconfigured) as error:
        return Health(ok=False, detail=str(error))
    return Health(ok=True, detail="PostgreSQL answers")
