"""The PostgreSQL side of the sinks: one pool a process, one transaction a batch, and the advisory locks in use."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import LiteralString, TypeAlias

import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from common.errors import Health, Unreachable

Pool: TypeAlias = ConnectionPool[Connection[TupleRow]]


# A process that is frozen inside a transaction must not hold its locks, and so its partition, for good.
# In another zone than UTC the first and the last hours of the calendar could not be read.
_SESSION = {
    "application_name": "hourstream",
    "options": "-c idle_in_transaction_session_timeout=60s -c timezone=UTC",
}


class Lock(IntEnum):
    """The first key of each advisory lock: "HS" and a number, so that other applications' locks are not met."""

    MIGRATIONS = 0x48530001
    OUTBOX = 0x48530002
    INVOICES = 0x48530003
    DELIVERIES = 0x48530004
    REVENUE = 0x48530010
    PEOPLE = 0x48530070


def open_pool(url: str, max_size: int = 8, timeout_seconds: float = 30.0) -> Pool:
    """An open pool of connections to a database URL; use it as a context manager. Raises Unreachable."""
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
        raise Unreachable(f"PostgreSQL did not answer in {timeout_seconds:g} s; check the database URL") from error
    return pool


@contextmanager
def transaction(pool: Pool) -> Iterator[Cursor[TupleRow]]:
    """A cursor in one transaction: committed at the end, rolled back on any exception. Raises Unreachable."""
    try:
        with pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            yield cursor
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise Unreachable(f"PostgreSQL: {str(error).strip() or type(error).__name__}") from error


def scalar(cursor: Cursor[TupleRow], query: LiteralString, parameters: tuple[object, ...] = ()) -> object:
    """The one value a query yields, None for no row."""
    row = cursor.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def check(pool: Pool) -> Health:
    """Whether the database answers now."""
    try:
        with transaction(pool) as cursor:
            cursor.execute("SELECT 1")
    except Unreachable as error:
        return Health(ok=False, detail=str(error))
    return Health(ok=True, detail="PostgreSQL answers")
