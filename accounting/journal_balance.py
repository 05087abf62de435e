"""The balance of a journal in each currency (DOMAIN.md §5)."""

from dataclasses import dataclass
from decimal import Decimal

from psycopg.rows import class_row

from accounting.chart_of_accounts import REVENUE
from storage.postgres import Pool, transaction


@dataclass(frozen=True, slots=True)
class JournalBalance:
    """The journal in one currency; it balances when debit equals credit. `revenue` is credits less debits of revenue.

    Minutes are statistics of the postings, reversals netted.
    """

    currency: str
    postings: int
    debit: Decimal
    credit: Decimal
    balance: Decimal
    revenue: Decimal
    worked_minutes: int
    billable_minutes: int


_BALANCE = """
WITH totals AS (
    SELECT p.number, p.currency, p.worked_minutes, p.billable_minutes, sum(l.debit) AS debit, sum(l.credit) AS credit,
           sum(l.credit - l.debit) FILTER (WHERE l.account = %(revenue)s) AS revenue
    FROM hourstream.journal_postings p JOIN hourstream.journal_lines l ON l.posting = p.number
    WHERE p.status = 'posted' AND p.system = %(system)s GROUP BY p.number
)
SELECT currency, count(*) AS postings, sum(debit) AS debit, sum(credit) AS credit, sum(debit - credit) AS balance,
       sum(revenue) AS revenue, sum(worked_minutes) AS worked_minutes, sum(billable_minutes) AS billable_minutes
FROM totals GROUP BY currency ORDER BY currency
"""


def journal_balance(pool: Pool, system: str) -> list[JournalBalance]:
    """A journal by currency. Raises Unreachable."""
    with transaction(pool) as cursor, cursor.connection.cursor(row_factory=class_row(JournalBalance)) as reader:
        return reader.execute(_BALANCE, {"system": system, "revenue": REVENUE}).fetchall()
