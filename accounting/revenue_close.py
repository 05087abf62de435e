"""Closes a month: posts the revenue entries that bring deferred and unbilled balances to those the ledger implies.

Closing a month again posts the changes since, and continues with the later months that were closed, because their
balances depend on it. Entries are postings of the journal (entry `revenue`), in its lines.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from psycopg import Cursor
from psycopg.rows import TupleRow

from accounting.accounting_periods import posting_periods
from accounting.revenue_recognition import Booked, EntryLine, balances, entry, standing
from common.errors import SinkError
from rating.model.days import month_bounds
from rating.model.ids import charge_id, posting_id
from rating.model.master_data import Engagement
from storage.postgres import Lock, Pool, transaction
from topics.catalogue import CHARGES_TOPIC


class NoMonth(SinkError):
    """A text that is no month."""


class RevenueAccount(NamedTuple):
    """The account of a revenue entry."""

    engagement_id: str
    client_id: str
    legal_entity: str
    currency: str


@dataclass(frozen=True, slots=True)
class PostedEntry:
    """An entry posted by a close; revenue above 0 means that more is earned than the earlier entries state."""

    period: str
    account: RevenueAccount
    revenue: Decimal
    deferred: Decimal
    unbilled: Decimal


@dataclass(frozen=True, slots=True)
class Closed:
    """The result of a close; engagements whose month is not closed are left as they are, and named."""

    periods: tuple[str, ...]
    posted: tuple[PostedEntry, ...]
    still_open: tuple[str, ...]


_BOOKED = """
SELECT engagement_id, client_id, legal_entity, currency, posting_period, kind, sum(amount),
       coalesce(sum(billable_minutes) FILTER (WHERE kind = 'time'), 0)::bigint,
       array_agg(subject) FILTER (WHERE kind = 'milestone' AND reverses IS NULL),
       array_agg(subject) FILTER (WHERE kind = 'milestone' AND reverses IS NOT NULL)
FROM hourstream.journal_postings WHERE system = %s AND status = 'posted' AND entry = 'charge'
GROUP BY engagement_id, client_id, legal_entity, currency, posting_period, kind
"""
_LINES = """
SELECT p.engagement_id, p.client_id, p.legal_entity, p.currency, p.posting_period, l.account,
       sum(l.debit), sum(l.credit)
FROM hourstream.journal_postings p JOIN hourstream.journal_lines l ON l.posting = p.number
WHERE p.system = %s AND p.entry = 'revenue'
GROUP BY p.engagement_id, p.client_id, p.legal_entity, p.currency, p.posting_period, l.account
"""
_POST = """
WITH posting AS (
    INSERT INTO hourstream.journal_postings
        (system, entry, posting_id, charge_id, status, subject, kind, engagement_id, client_id, legal_entity, work_date,
         period, posting_period, worked_minutes, billable_minutes, currency, amount, topic, partition, record_offset,
         posted_at)
    VALUES (%(system)s, 'revenue', %(posting_id)s, %(charge_id)s, 'posted', %(subject)s, 'revenue', %(engagement_id)s,
            %(client_id)s, %(legal_entity)s, %(day)s, %(period)s, %(period)s, 0, 0, %(currency)s, %(revenue)s,
            %(topic)s, -1, -1, %(at)s)
    RETURNING number
)
INSERT INTO hourstream.journal_lines
SELECT number, line, account, debit, credit
FROM posting CROSS JOIN
    unnest(%(lines)s::smallint[], %(accounts)s::text[], %(debits)s::numeric[], %(credits)s::numeric[])
    AS l (line, account, debit, credit)
"""


def close(
    pool: Pool,
    period: str,
    *,
    engagements: Mapping[str, Engagement],
    closed: Collection[tuple[str, str]],
    at: datetime,
    system: str,
) -> Closed:
    """Close a month of a journal, and again every later one closed before.

    `closed` are (engagement, month) as `billing.periods` says. Closes of one journal follow each other; each is one
    transaction. Raises NoMonth, Unreachable.
    """
    if month_bounds(period) is None:
        raise NoMonth(f"{period} is no month: write YYYY-MM")
    with transaction(pool) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (Lock.REVENUE, system))
        books, accounting = _Books(cursor, system), posting_periods(cursor)
        for engagement_id in {engagement_id for engagement_id, _ in closed} & engagements.keys():
            books.months.setdefault(_account_of(engagements[engagement_id]), {})  # charged or not
        later = [one for one in books.runs if one > period]
        posted, still_open = list[PostedEntry](), set[str]()
        for month in (period, *later):
            entries = 0
            for account in sorted(books.months):
                if (account.engagement_id, month) not in closed:
                    if month == period and books.concerns(account, month):
                        still_open.add(account.engagement_id)
                    continue
                if accounting.is_closed(account.legal_entity, month):
                    continue  # what has changed is in the entry of the next open one: balances are of all months so far
                done = books.close(cursor, account, month, engagements.get(account.engagement_id), at)
                posted += done
                entries += len(done)
            cursor.execute(
                "INSERT INTO hourstream.revenue_runs (system, period, entries, run_at) VALUES (%s, %s, %s, %s)",
                (system, month, entries, at),
            )
    return Closed((period, *later), tuple(posted), tuple(sorted(still_open)))


def _account_of(engagement: Engagement) -> RevenueAccount:
    return RevenueAccount(engagement.engagement_id, engagement.client_id, engagement.legal_entity, engagement.currency)


class _Books:
    """A journal's content during a close."""

    def __init__(self, cursor: Cursor[TupleRow], system: str) -> None:
        self._system = system
        self.months = _booked(cursor, system)
        self._entries: dict[RevenueAccount, dict[str, list[EntryLine]]] = defaultdict(lambda: defaultdict(list))
        for *names, period, account, debit, credit in cursor.execute(_LINES, (system,)).fetchall():
            self._entries[RevenueAccount(*names)][period].append(EntryLine(account, debit, credit))
        plans = cursor.execute("SELECT engagement_id, planned_minutes FROM hourstream.revenue_plans ORDER BY number")
        self._plans: dict[str, int | None] = dict(plans.fetchall())
        runs = cursor.execute(
            "SELECT DISTINCT period FROM hourstream.revenue_runs WHERE system = %s ORDER BY period", (system,)
        )
        self.runs = [str(period) for (period,) in runs.fetchall()]
        counts = cursor.execute(
            "SELECT engagement_id, subject, count(*) FROM hourstream.journal_postings"
            " WHERE system = %s AND entry = 'revenue' GROUP BY engagement_id, subject",
            (system,),
        )
        self._n: dict[tuple[str, str], int] = {(str(e), str(s)): int(n) for e, s, n in counts.fetchall()}

    def concerns(self, account: RevenueAccount, period: str) -> bool:
        """Whether the account has any booking by the end of the month."""
        return any(month <= period for month in self.months[account])

    def close(
        self,
        cursor: Cursor[TupleRow],
        account: RevenueAccount,
        period: str,
        engagement: Engagement | None,
        at: datetime,
    ) -> list[PostedEntry]:
        """Bring the account's balances at the end of a month to their target; post nothing if they are there."""
        entries = self._entries[account]
        before = standing(line for month, lines in entries.items() if month <= period for line in lines)
        planned = self._plans.get(account.engagement_id)
        contract = engagement if engagement and account == _account_of(engagement) else None
        after = balances(contract, planned, self.months[account], period)
        lines = entry(before, after)
        if not lines:
            return []
        entries[period] += lines
        self._post(cursor, account, period, lines, after.adjustment - before.adjustment, at)
        return [PostedEntry(period, account, after.adjustment - before.adjustment, after.deferred, after.unbilled)]

    def _post(
        self,
        cursor: Cursor[TupleRow],
        account: RevenueAccount,
        period: str,
        lines: Iterable[EntryLine],
        revenue: Decimal,
        at: datetime,
    ) -> None:
        # Legal entity, client and currency are in the subject, so that each account has entries of its own.
        subject = f"revenue:{period}:{account.legal_entity}:{account.client_id}:{account.currency}"
        n = self._n[account.engagement_id, subject] = self._n.get((account.engagement_id, subject), 0) + 1
        name = charge_id(account.engagement_id, subject, n, "revenue")
        bounds = month_bounds(period)
        numbered = list(enumerate(lines, 1))
        parameters = {
            **account._asdict(),
            "system": self._system,
            "posting_id": posting_id(name, self._system),
            "charge_id": name,
            "subject": subject,
            "day": bounds[1] if bounds else None,
            "period": period,
            "revenue": revenue,
            "topic": CHARGES_TOPIC,
            "at": at,
            "lines": [number for number, _ in numbered],
            "accounts": [line.account for _, line in numbered],
            "debits": [line.debit for _, line in numbered],
            "credits": [line.credit for _, line in numbered],
        }
        cursor.execute(_POST, parameters)


def _booked(cursor: Cursor[TupleRow], system: str) -> dict[RevenueAccount, dict[str, Booked]]:
    """{account: {month: booked amounts}} of a journal."""
    amounts: dict[RevenueAccount, dict[str, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    minutes: dict[tuple[RevenueAccount, str], int] = defaultdict(int)
    milestones: dict[tuple[RevenueAccount, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for *names, period, kind, amount, worked, made, undone in cursor.execute(_BOOKED, (system,)).fetchall():
        account = RevenueAccount(*names)
        amounts[account][period][kind] = amount
        minutes[account, period] += worked
        for subjects, by in ((made, 1), (undone, -1)):
            for subject in subjects or ():
                milestones[account, period][subject.removeprefix("milestone:")] += by
    return {
        account: {
            period: Booked(by_kind, minutes[account, period], dict(milestones[account, period]))
            for period, by_kind in months.items()
        }
        for account, months in amounts.items()
    }
