"""Writes a batch to PostgreSQL in one transaction and sets aside the rows that PostgreSQL refuses.

The batch is first written as a whole. If a row is refused, the batch is written again in parts, each in a savepoint,
and rows that are refused by themselves are handed to `set_aside` before the transaction commits.
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.errors import Misconfigured, SinkFenced, Unreachable
from common.isolation import ISOLATED, divide
from storage.postgres import Pool, transaction
from storage.sql_errors import kind_of

UNKNOWN_TRIES = 3
_PAUSE_SECONDS = 0.5

T = TypeVar("T")
SetAside = Callable[[Sequence[tuple[T, Exception]]], None]
"""Keeps rows, each with why it was refused, elsewhere; returns when they are safe."""


def write_isolated(
    pool: Pool,
    where: str,
    rows: Sequence[T],
    begin: Callable[[Cursor[TupleRow]], None],
    take: Callable[[Cursor[TupleRow], Sequence[T]], None],
    end: Callable[[Cursor[TupleRow]], None],
    set_aside: SetAside[T] | None,
) -> None:
    """`begin`, `take` of the rows, and `end`, in one transaction. `take` may be called for several parts, in order.

    An unknown error counts as a refused row when it has come three times. Raises Unreachable, Misconfigured, what
    `begin`, `end` and `set_aside` raise, and without `set_aside` also what `take` raises.
    """
    tried = 0
    while True:
        tried += 1
        try:
            with transaction(pool) as cursor:
                begin(cursor)
                take(cursor, rows)
                end(cursor)
            return
        except Exception as error:
            if passes_on(error) or set_aside is None or not rows:
                raise
            if kind_of(error) == "content" or tried == UNKNOWN_TRIES:
                ISOLATED.log(where, error)
                _write_parts(pool, rows, begin, take, end, set_aside)
                return
        time.sleep(_PAUSE_SECONDS)


def _write_parts(
    pool: Pool,
    rows: Sequence[T],
    begin: Callable[[Cursor[TupleRow]], None],
    take: Callable[[Cursor[TupleRow], Sequence[T]], None],
    end: Callable[[Cursor[TupleRow]], None],
    set_aside: SetAside[T],
) -> None:
    refused = list[tuple[T, Exception]]()
    with transaction(pool) as cursor:
        begin(cursor)

        def attempt(part: Sequence[T]) -> None:
            with cursor.connection.transaction():  # a savepoint
                take(cursor, part)

        divide(rows, attempt, lambda row, error: refused.append((row, error)), passes_on)
        end(cursor)
        if refused:
            set_aside(refused)
    ISOLATED.count("record", len(refused))


def passes_on(error: BaseException) -> bool:
    """Whether an error of a write is not caused by a single row."""
    if isinstance(error, SinkFenced | Unreachable | Misconfigured | OSError | MemoryError):
        return True
    return kind_of(error) in ("transient", "configuration")
