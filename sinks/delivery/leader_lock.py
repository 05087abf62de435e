"""Lets one process deliver to a target at a time: an advisory lock per session, and an epoch against suspended
processes.

The lock ends with its connection, so the holder may be killed at any moment and another process takes over. The server
drops a frozen holder after a minute. When it wakes up, the epoch has moved on and it records nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from common.errors import Unreachable
from storage.postgres import Lock, Pool, transaction

_SILENCE = "60s"  # the server ends a session that says nothing for so long


class Leadership:
    """The right to deliver to a target. Only `keep` says whether it still holds."""

    def __init__(self, connection: Connection[TupleRow], epoch: int, paused_for: float) -> None:
        self._connection = connection
        self.epoch = epoch
        self.paused_for = paused_for  # seconds that are left of the pause the target asked for

    def keep(self) -> None:
        """Say that this process is alive; every few seconds. Raises Unreachable when the lead is lost."""
        try:
            self._connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            raise Unreachable(f"PostgreSQL: {error}") from error


@contextmanager
def leading(pool: Pool, target: str, wait: Callable[[float], bool]) -> Iterator[Leadership | None]:
    """The lead, once no other process has it; None when `wait(seconds)` ends the wait. Raises Unreachable."""
    connection = _connected(pool)
    with connection:
        lead = None
        try:
            connection.execute("SELECT set_config('idle_session_timeout', %s, false)", (_SILENCE,))
            while not _locked(connection, target):
                if wait(1.0):
                    break
            else:
                lead = Leadership(connection, *_taken_over(pool, target))
        except psycopg.OperationalError as error:
            raise Unreachable(f"PostgreSQL: {error}") from error
        yield lead


def _connected(pool: Pool) -> Connection[TupleRow]:
    address = pool.conninfo if isinstance(pool.conninfo, str) else pool.conninfo()
    try:
        return psycopg.connect(
            address,
            autocommit=True,
            application_name="hourstream",
            connect_timeout=10,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )
    except psycopg.OperationalError as error:
        raise Unreachable(f"PostgreSQL: {error}") from error


def _locked(connection: Connection[TupleRow], target: str) -> bool:
    query = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
    return connection.execute(query, (Lock.DELIVERIES, target)).fetchone() == (True,)


def _taken_over(pool: Pool, target: str) -> tuple[int, float]:
    """(epoch, seconds left of the target's pause). The breaker of a new process is closed."""
    query = (
        "INSERT INTO hourstream.delivery_targets AS t (target, epoch) VALUES (%s, 1)"
        " ON CONFLICT (target) DO UPDATE SET epoch = t.epoch + 1, breaker_until = NULL"
        " RETURNING epoch, coalesce(extract(epoch FROM paused_until - now()), 0)::float8"
    )
    with transaction(pool) as cursor:
        row = cursor.execute(query, (target,)).fetchone()
    if row is None:
        raise Unreachable(f"no row of {target} to take over")
    return int(row[0]), max(float(row[1]), 0.0)
