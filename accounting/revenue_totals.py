"""Totals of a journal: charged, earned, deferred and unbilled; and the plans by which fixed fees are earned."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from storage.postgres import Pool, transaction


@dataclass(frozen=True, slots=True)
class RevenueTotals:
    """A client's ledger in one currency up to a month: charged and earned amounts."""

    client_id: str
    currency: str
    charged: Decimal
    revenue: Decimal
    deferred: Decimal
    unbilled: Decimal

    @property
    def ties(self) -> bool:
        """Whether deferred revenue, unbilled receivables and revenue sum to the ledger."""
        return self.revenue + self.deferred - self.unbilled == self.charged


_TOTALS = """
SELECT p.client_id, p.currency,
       coalesce(sum(l.debit - l.credit) FILTER (WHERE l.account = '1210'), 0),
       coalesce(sum(l.credit - l.debit) FILTER (WHERE l.account = '4000'), 0),
       coalesce(sum(l.credit - l.debit) FILTER (WHERE l.account = '2400'), 0),
       coalesce(sum(l.debit - l.credit) FILTER (WHERE l.account = '1220'), 0)
FROM hourstream.journal_postings p JOIN hourstream.journal_lines l ON l.posting = p.number
WHERE p.system = %s AND p.status = 'posted' AND p.period <= %s
GROUP BY p.client_id, p.currency ORDER BY p.client_id, p.currency
"""


def revenue_totals(pool: Pool, system: str, period: str) -> list[RevenueTotals]:
    """The ledger of a journal up to and including a month, per client and currency. Raises Unreachable."""
    with transaction(pool) as cursor:
        return [RevenueTotals(*row) for row in cursor.execute(_TOTALS, (system, period)).fetchall()]


def plan(pool: Pool, engagement_id: str, minutes: int | None, *, reason: str, by: str, at: datetime) -> None:
    """Note the minutes planned for a fixed fee (None: none any more). Raises Unreachable."""
    with transaction(pool) as cursor:
        cursor.execute(
            "INSERT INTO hourstream.revenue_plans (engagement_id, planned_minutes, reason, planned_by, planned_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            (engagement_id, minutes, reason, by, at),
        )
