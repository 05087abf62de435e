"""Unbilled work by region and age, in the stages and age buckets of `rating.unbilled_work`."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import LiteralString

from psycopg import sql

from rating.unbilled_work import AGE_LIMITS
from warehouse.queries.sql import Asking, rows


@dataclass(frozen=True, slots=True)
class AgedWork:
    """Work of one stage and region in one currency and age bucket; age in days since it was done."""

    stage: str
    region: str
    currency: str
    bucket: int
    subjects: int
    minutes: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class OfClient:
    """A client's unbilled work; the oldest day of it."""

    client_id: str
    client: str | None
    region: str
    currency: str
    subjects: int
    minutes: int
    amount: Decimal
    oldest: date


_AGED: LiteralString = """
SELECT stage, region, currency, width_bucket(%(today)s - work_date, %(starts)s::integer[]) AS bucket,
       sum(subjects)::bigint AS subjects, sum(minutes)::bigint AS minutes, sum(amount) AS amount
FROM hourstream.unbilled GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
_STARTS = [most + 1 for most in AGE_LIMITS]  # the first day of each bucket but the first
_CLIENTS: LiteralString = """
SELECT u.client_id, (SELECT m.record ->> 'name' FROM hourstream.masters m
                     WHERE m.topic = 'master.clients' AND m.identity = u.client_id) AS client,
       region, currency, subjects, minutes, amount, oldest
FROM (SELECT client_id, region, currency, sum(subjects)::bigint AS subjects, sum(minutes)::bigint AS minutes,
             sum(amount) AS amount, min(work_date) AS oldest
      FROM hourstream.unbilled WHERE stage = %(stage)s
      GROUP BY client_id, region, currency ORDER BY {order} LIMIT %(limit)s) u
ORDER BY {order}
"""
_BY_WORK = sql.SQL("minutes DESC, subjects DESC, client_id, region, currency")
_BY_MONEY = sql.SQL("amount DESC, ") + _BY_WORK


def aged(cursor: Asking, today: date) -> list[AgedWork]:
    """Everything unbilled by stage, region, currency and age on that day."""
    return rows(cursor, AgedWork, _AGED, {"today": today, "starts": _STARTS})


def by_client(cursor: Asking, stage: str, *, by_money: bool, limit: int = 50) -> list[OfClient]:
    """The clients with the largest part of a stage: by amount, or by minutes for users who may not see amounts."""
    query = sql.SQL(_CLIENTS).format(order=_BY_MONEY if by_money else _BY_WORK)
    return rows(cursor, OfClient, query, {"stage": stage, "limit": limit})


def summed_at(cursor: Asking) -> datetime | None:
    """The time of the last computation of totals; None before the first."""
    found = cursor.execute("SELECT at FROM hourstream.summed").fetchone()
    return None if found is None else found[0]
