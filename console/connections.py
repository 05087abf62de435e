"""Connections of the console's pool: one per request, awaited without holding a thread, and for a bounded time.

A thread that waits for a connection keeps the holders of connections from finishing, so requests wait as coroutines, in
order of arrival. Commands also talk to Kafka meanwhile; they may hold at most half of the connections.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from fastapi import HTTPException, Request
from fastapi.concurrency import contextmanager_in_threadpool
from psycopg import Cursor
from psycopg.rows import TupleRow

from storage.postgres import Pool, transaction

RETRY_AFTER = {"Retry-After": "5"}
# Instants of the years 1 and 9999 exist in UTC only.
_BOUNDS = "SET LOCAL statement_timeout = 15000; SET LOCAL TimeZone = 'UTC'"
_READ_ONLY = "; SET TRANSACTION READ ONLY"


class Connections:
    """The pool's connections, given to one request at a time each."""

    def __init__(self, pool: Pool, wait_seconds: float) -> None:
        self._pool, self._wait_seconds = pool, wait_seconds
        self._free = asyncio.Semaphore(pool.max_size)
        self._free_to_change = asyncio.Semaphore(max(pool.max_size // 2, 1))

    @asynccontextmanager
    async def transaction(self, *, changes: bool = False, read_only: bool = False) -> AsyncIterator[Cursor[TupleRow]]:
        """A cursor in one transaction: committed at the end, rolled back on any exception.

        Raises the 503 of a wait that took too long; Unreachable. `changes` is for what holds it while Kafka answers.
        """
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._wait_seconds):
                    if changes:
                        await held.enter_async_context(self._free_to_change)
                    await held.enter_async_context(self._free)
            except TimeoutError:
                raise HTTPException(503, "Too many requests at once. Try again in a moment.", RETRY_AFTER) from None
            cursor = await held.enter_async_context(contextmanager_in_threadpool(_bounded(self._pool, read_only)))
            yield cursor


def connections_of(request: Request) -> Connections:
    """The connections of the console that received the request."""
    found: Connections = request.app.state.connections
    return found


@contextmanager
def _bounded(pool: Pool, read_only: bool) -> Iterator[Cursor[TupleRow]]:
    with transaction(pool) as cursor:
        cursor.execute(_BOUNDS + _READ_ONLY if read_only else _BOUNDS)
        yield cursor
