"""Queries of exceptions: by cause, one by one, and their value.

An exception has an amount if settle could compute one. The amount of others is estimated: minutes at the average amount
per hour of that engagement (else of all work in that currency), a source record at the average of an entry. If the
engagement, and so the currency, is not known, the whole estimate is in the currency used most. Estimates are kept apart
from stated amounts and marked wherever they are shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from typing import LiteralString

from psycopg import sql

from warehouse.queries.sql import Asking, one, rows, streamed, where

PAGE = 50
_MOST_ENGAGEMENTS = 300


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters; None or '' matches everything. `missing_kind` and `missing_id` go with `code`: together a cause."""

    status: str = "open"
    code: str | None = None
    missing_kind: str | None = None
    missing_id: str | None = None
    region: str | None = None
    client: str | None = None
    engagement: str | None = None
    owner: str | None = None
    severity: str | None = None

    def conditions(self, table: str) -> list[LiteralString]:
        """Conditions on `t` (exception_totals) or `e` (exceptions), which have these columns alike."""
        found: list[LiteralString] = []
        prefix: LiteralString = "t." if table == "t" else "e."
        names: tuple[LiteralString, ...] = ("status", "code", "region", "owner", "severity")
        for name in names:
            if getattr(self, name):
                found.append(prefix + name + " = %(" + name + ")s")
        if self.missing_kind is not None:
            found.append(prefix + "missing_kind = %(missing_kind)s")
        if self.missing_id is not None:
            found.append(prefix + "missing_id = %(missing_id)s")
        if self.engagement:
            found.append(prefix + "engagement_id = %(engagement)s")
        if self.client:
            found.append(
                prefix + "engagement_id IN (SELECT engagement_id FROM hourstream.accounts WHERE client_id = %(client)s)"  # noqa: S608 - the prefix is t. or e.
            )
        return found

    def values(self) -> dict[str, object]:
        """The values of the conditions."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class CurrencyStake:
    """The amount at stake in one currency: stated by settle, and estimated by us."""

    currency: str
    told: Decimal
    estimated: Decimal

    @property
    def total(self) -> Decimal:
        """Both together."""
        return self.told + self.estimated


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    code: str
    missing_kind: str
    missing_id: str
    status: str
    subjects: int
    minutes: int
    engagements: int
    first_seen: datetime | None
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseRow(_Cause):
    """Exceptions of one code that wait for one missing fact."""

    stakes: tuple[CurrencyStake, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CauseRow(_Cause):
    currencies: list[str]
    told: list[Decimal]
    estimated: list[Decimal]


@dataclass(frozen=True, slots=True)
class Totals:
    """All that the filters find."""

    subjects: int
    minutes: int
    stakes: tuple[CurrencyStake, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """One exception; if settle states no amount, `amount` is None and `estimate` is our estimate."""

    exception_id: str
    engagement_id: str
    subject: str
    revision: int
    code: str
    message: str
    missing_kind: str
    missing_id: str
    missing_day: date | None
    amount: Decimal | None
    estimate: Decimal | None
    currency: str | None
    minutes: int
    status: str
    first_seen: datetime
    changed_at: datetime
    attempts: int
    owner: str
    region: str
    engagement: str | None
    client_id: str | None
    client: str | None
    severity: str


_RATED: LiteralString = """
WITH best AS (
    SELECT currency, hourly, entry FROM hourstream.typical_rates
    WHERE engagement_id = '' ORDER BY entries DESC, currency LIMIT 1
), rated AS (
    SELECT t.code, t.missing_kind, t.missing_id, t.status, t.subjects, t.minutes, t.engagement_id,
           coalesce(a.currency, best.currency, '') AS currency,
           CASE WHEN a.currency IS NULL THEN 0 ELSE t.amount END AS amount,
           CASE WHEN a.currency IS NULL THEN t.amount ELSE 0 END
           + (t.minutes - t.priced_minutes) * coalesce(r.hourly, f.hourly, best.hourly, 0) / 60
           + CASE WHEN t.subject_kind = 'source' THEN t.subjects * coalesce(best.entry, 0) ELSE 0 END AS estimated
    FROM hourstream.exception_totals t
    LEFT JOIN hourstream.accounts a ON a.engagement_id = t.engagement_id
    LEFT JOIN hourstream.typical_rates r ON r.engagement_id = t.engagement_id AND r.currency = a.currency
    LEFT JOIN hourstream.typical_rates f ON f.engagement_id = '' AND f.currency = a.currency
    LEFT JOIN best ON a.currency IS NULL
    {where}
)
"""

_CAUSES: LiteralString = """
, in_currency AS (
    SELECT code, missing_kind, missing_id, status, currency, sum(subjects) AS subjects, sum(minutes) AS minutes,
           count(*) AS engagements, sum(told) AS told, sum(estimated) AS estimated
    FROM (SELECT code, missing_kind, missing_id, status, currency, engagement_id, sum(subjects) AS subjects,
                 sum(minutes) AS minutes, sum(amount) AS told, sum(estimated) AS estimated
          FROM rated GROUP BY code, missing_kind, missing_id, status, currency, engagement_id) of_engagement
    GROUP BY code, missing_kind, missing_id, status, currency
), causes AS (
    SELECT code, missing_kind, missing_id, status, sum(subjects)::bigint AS subjects, sum(minutes)::bigint AS minutes,
           sum(engagements)::bigint AS engagements,
           array_agg(currency ORDER BY told + estimated DESC, currency) AS currencies,
           array_agg(told ORDER BY told + estimated DESC, currency) AS told,
           array_agg(estimated ORDER BY told + estimated DESC, currency) AS estimated,
           max(told + estimated) AS most
    FROM in_currency GROUP BY code, missing_kind, missing_id, status
    ORDER BY {order}, code, missing_kind, missing_id LIMIT %(limit)s OFFSET %(offset)s
)
SELECT c.code, c.missing_kind, c.missing_id, c.status, subjects, minutes, engagements, currencies, told, estimated,
       (SELECT e.first_seen FROM hourstream.exceptions e
        WHERE e.code = c.code AND e.missing_kind = c.missing_kind AND e.missing_id = c.missing_id
          AND e.status = c.status ORDER BY e.first_seen LIMIT 1) AS first_seen,
       hourstream.severity_of(c.code) AS severity
FROM causes c ORDER BY {order}, code, missing_kind, missing_id
"""
_BY_MONEY, _BY_WORK = sql.SQL("most DESC, subjects DESC"), sql.SQL("minutes DESC, subjects DESC")

_TOTALS: LiteralString = """
SELECT currency, sum(subjects)::bigint AS subjects, sum(minutes)::bigint AS minutes, sum(amount) AS told,
       sum(estimated) AS estimated
FROM rated GROUP BY currency ORDER BY sum(amount) + sum(estimated) DESC, currency
"""

_ROWS: LiteralString = """
SELECT e.exception_id, e.engagement_id, e.subject, e.revision, e.code, e.message, e.missing_kind, e.missing_id,
       e.missing_day, e.amount,
       CASE WHEN e.amount IS NULL AND e.minutes > 0 THEN e.minutes * coalesce(r.hourly, f.hourly) / 60 END AS estimate,
       a.currency, e.minutes, e.status, e.first_seen, e.changed_at, e.attempts, e.owner, e.region, a.engagement,
       a.client_id, a.client, e.severity
FROM picked e
LEFT JOIN hourstream.accounts a ON a.engagement_id = e.engagement_id
LEFT JOIN hourstream.typical_rates r ON r.engagement_id = e.engagement_id AND r.currency = a.currency
LEFT JOIN hourstream.typical_rates f ON f.engagement_id = '' AND f.currency = a.currency
"""


def _stakes(currencies: list[str], told: list[Decimal], estimated: list[Decimal]) -> tuple[CurrencyStake, ...]:
    found = (CurrencyStake(*each) for each in zip(currencies, told, estimated, strict=True))
    return tuple(stake for stake in found if stake.total)


def causes(cursor: Asking, filters: Filters, page: int = 1, *, by_money: bool, limit: int = PAGE) -> list[CauseRow]:
    """Exceptions by cause; one more than `limit` if there is a next page.

    The largest stake is first, or the most minutes: an order by money would reveal amounts to users who may not see
    them.
    """
    ordered = sql.SQL(_CAUSES).format(order=_BY_MONEY if by_money else _BY_WORK)
    rated = sql.SQL(_RATED).format(where=where(["t.subjects > 0", *filters.conditions("t")]))
    values = {**filters.values(), "limit": limit + 1, "offset": (page - 1) * limit}
    return [
        CauseRow(
            stakes=_stakes(row.currencies, row.told, row.estimated),
            **{each.name: getattr(row, each.name) for each in fields(_Cause)},
        )
        for row in rows(cursor, _CauseRow, rated + ordered, values)
    ]


@dataclass(frozen=True, slots=True)
class _TotalsRow:
    currency: str
    subjects: int
    minutes: int
    told: Decimal
    estimated: Decimal


def totals(cursor: Asking, filters: Filters) -> Totals:
    """The number of subjects that the filters find, and their totals."""
    rated = sql.SQL(_RATED).format(where=where(["t.subjects > 0", *filters.conditions("t")]))
    found = rows(cursor, _TotalsRow, rated + sql.SQL(_TOTALS), filters.values())
    stakes = _stakes([r.currency for r in found], [r.told for r in found], [r.estimated for r in found])
    return Totals(sum(r.subjects for r in found), sum(r.minutes for r in found), stakes)


@dataclass(frozen=True, slots=True)
class Place:
    """The start of a page of a list: behind this row. `value` is the sort value, as text."""

    value: str
    exception_id: str


def listed(
    cursor: Asking, filters: Filters, *, by: str = "age", after: Place | None = None, limit: int = PAGE
) -> list[ExceptionRow]:
    """One by one, the oldest first or by minutes the largest first; at most `limit` + 1, so that an end is seen."""
    return rows(cursor, ExceptionRow, *_listing(cursor, filters, by, after, limit + 1))


def all_listed(cursor: Asking, filters: Filters, limit: int) -> Iterator[ExceptionRow]:
    """The oldest `limit` of them, some at a time."""
    return streamed(cursor, ExceptionRow, *_listing(cursor, filters, "age", None, limit))


def _listing(
    cursor: Asking, filters: Filters, by: str, after: Place | None, limit: int
) -> tuple[sql.Composed, Mapping[str, object]]:
    conditions = filters.conditions("e")
    values = {**filters.values(), "limit": limit}
    if after is not None:
        values |= {"value": after.value, "after": after.exception_id}
    if by == "minutes":
        if after is not None:
            conditions.append("(e.minutes, e.exception_id) < (%(value)s::bigint, %(after)s)")
        order: LiteralString = "e.minutes DESC, e.exception_id DESC"
    else:
        if after is not None:
            conditions.append("(e.first_seen, e.exception_id) > (%(value)s::timestamptz, %(after)s)")
        order = "e.first_seen, e.exception_id"
    ending = sql.SQL(" ORDER BY " + order + " LIMIT %(limit)s")
    engagements = _engagements(cursor, filters)
    if engagements is None:
        picked = sql.SQL("SELECT * FROM hourstream.exceptions e") + where(conditions) + ending
    else:
        values["engagements"] = engagements
        conditions.append("e.engagement_id = asked.engagement_id")
        of_each = sql.SQL("SELECT * FROM hourstream.exceptions e") + where(conditions) + ending
        picked = (
            sql.SQL("SELECT e.* FROM unnest(%(engagements)s::text[]) AS asked (engagement_id) CROSS JOIN LATERAL (")
            + of_each
            + sql.SQL(") e")
            + ending
        )
    return sql.SQL("WITH picked AS (") + picked + sql.SQL(") " + _ROWS + " ORDER BY " + order), values


def _engagements(cursor: Asking, filters: Filters) -> list[str] | None:
    """The engagements that match the filters, where looking into each is faster than a scan of all."""
    if filters.missing_id is not None or not (filters.client or filters.owner or filters.region or filters.code):
        return None
    query = sql.SQL("SELECT DISTINCT t.engagement_id FROM hourstream.exception_totals t{} LIMIT %(most)s").format(
        where(["t.subjects > 0", *filters.conditions("t")])
    )
    found = cursor.execute(query, {**filters.values(), "most": _MOST_ENGAGEMENTS + 1}).fetchall()
    return None if len(found) > _MOST_ENGAGEMENTS else [str(engagement_id) for (engagement_id,) in found]


def exception(cursor: Asking, exception_id: str) -> ExceptionRow | None:
    """One exception, whatever its status."""
    picked = "WITH picked AS (SELECT * FROM hourstream.exceptions e WHERE e.exception_id = %(id)s) "
    return one(cursor, ExceptionRow, sql.SQL(picked) + sql.SQL(_ROWS), {"id": exception_id})


def exceptions_of(cursor: Asking, exception_ids: list[str]) -> list[ExceptionRow]:
    """The exceptions of these ids; unknown ids have none."""
    picked = "WITH picked AS (SELECT * FROM hourstream.exceptions e WHERE e.exception_id = ANY(%(ids)s)) "
    return rows(cursor, ExceptionRow, sql.SQL(picked) + sql.SQL(_ROWS), {"ids": exception_ids})


@dataclass(frozen=True, slots=True)
class Choices:
    """The possible values of the filters."""

    codes: list[str]
    regions: list[str]
    owners: list[str]


def choices(cursor: Asking) -> Choices:
    """Codes, regions and owners of open exceptions."""
    query = "SELECT DISTINCT code, region, owner FROM hourstream.exception_totals WHERE subjects > 0"
    found = cursor.execute(query).fetchall()
    codes, regions, owners = (sorted({str(row[n]) for row in found if row[n]}) for n in range(3))
    return Choices(codes, regions, owners)
