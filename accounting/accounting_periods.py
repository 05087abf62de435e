"""Closing and opening the accounting periods of a legal entity; each act is kept for good, with who and why.

A journal posts with a shared lock on the acts and an act is added with an exclusive one: so an act knows exactly what
each journal had posted, and nothing is posted between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson
from psycopg import Cursor
from psycopg.rows import TupleRow

from accounting.posting_periods import PeriodAct, PostingPeriods, is_month
from common.errors import SinkError
from storage.postgres import Lock, Pool, transaction

Status = Literal["open", "closed"]


class PeriodRefused(SinkError):
    """An act that cannot be done; the message says why and what helps."""


class JournalBehind(SinkError):
    """A journal has not posted yet what was published before the act."""


@dataclass(frozen=True, slots=True)
class AccountingPeriod:
    """A month of a legal entity as it stands; the last act on it is None where there was none."""

    legal_entity: str
    period: str
    status: Status
    postings: int
    acted_at: datetime | None
    acted_by: str | None
    reason: str | None


_ACTS = "SELECT legal_entity, period, status, acted_at, ends FROM hourstream.accounting_periods ORDER BY number"
_POSITIONS = """
SELECT sink, partition, next_offset FROM hourstream.positions
WHERE topic = 'billing.ready' AND sink = ANY(SELECT DISTINCT system FROM hourstream.journal_postings)
"""
_LISTED = """
WITH posted AS (
    SELECT legal_entity, posting_period AS period, count(*) AS postings
    FROM hourstream.journal_postings WHERE status = 'posted' GROUP BY 1, 2
), acts AS (
    SELECT DISTINCT ON (legal_entity, period) legal_entity, period, acted_at, acted_by, reason
    FROM hourstream.accounting_periods ORDER BY legal_entity, period, number DESC
)
SELECT legal_entity, period, coalesce(postings, 0), acted_at, acted_by, reason
FROM posted FULL JOIN acts USING (legal_entity, period) WHERE legal_entity <> '' ORDER BY legal_entity, period
"""


def posting_periods(cursor: Cursor[TupleRow]) -> PostingPeriods:
    """The acts, which stay as they are until this transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", (Lock.PERIODS,))
    return _read(cursor)


def _read(cursor: Cursor[TupleRow]) -> PostingPeriods:
    return PostingPeriods(
        PeriodAct(entity, period, status == "closed", at, _ends(ends))
        for entity, period, status, at, ends in cursor.execute(_ACTS).fetchall()
    )


def _ends(ends: Mapping[str, Mapping[str, int]]) -> dict[str, dict[int, int]]:
    return {system: {int(partition): at for partition, at in of_it.items()} for system, of_it in ends.items()}


def act(
    pool: Pool,
    status: Status,
    legal_entity: str,
    period: str,
    *,
    reason: str,
    by: str,
    at: datetime,
    published: Mapping[int, int],
) -> None:
    """Close or open a month. `published`: the ends of `billing.ready` by partition, which every journal must have read.

    Raises PeriodRefused, JournalBehind (nothing is done then; ask again), Unreachable.
    """
    if not is_month(period):
        raise PeriodRefused(f"{period} is no month: write YYYY-MM")
    if not reason.strip() or not legal_entity.strip():
        raise PeriodRefused("name the legal entity, and say why: the reason is kept for good")
    if period > f"{at:%Y-%m}":
        raise PeriodRefused(f"{period} is to come: the last month that can be closed is {at:%Y-%m}")
    with transaction(pool) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.PERIODS,))
        closed = _read(cursor).is_closed(legal_entity, period)
        if closed == (status == "closed"):
            raise PeriodRefused(f"{period} of {legal_entity} is {status} already")
        ends: dict[str, dict[str, int]] = {}
        for system, partition, offset in cursor.execute(_POSITIONS).fetchall():
            ends.setdefault(system, {})[str(partition)] = offset
        _hold_to(published, ends)
        cursor.execute(
            "INSERT INTO hourstream.accounting_periods"
            " (legal_entity, period, status, ends, reason, acted_by, acted_at) VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (legal_entity, period, status, orjson.dumps(ends).decode(), reason, by, at),
        )


def _hold_to(published: Mapping[int, int], ends: Mapping[str, Mapping[str, int]]) -> None:
    if not ends and any(published.values()):
        raise JournalBehind("no journal has posted anything yet, and there are charges: start the worker erp")
    for system, read in ends.items():
        behind = sum(max(end - read.get(str(partition), 0), 0) for partition, end in published.items())
        if behind:
            raise JournalBehind(f"journal {system} has {behind:,} records of billing.ready to post: ask again later")


def listed(pool: Pool, legal_entity: str | None = None) -> list[AccountingPeriod]:
    """Every month that has postings or was closed or opened by name. Raises Unreachable."""
    with transaction(pool) as cursor:
        acts = _read(cursor)
        return [
            AccountingPeriod(entity, period, "closed" if acts.is_closed(entity, period) else "open", *rest)
            for entity, period, *rest in cursor.execute(_LISTED).fetchall()
            if legal_entity in (None, entity)
        ]
