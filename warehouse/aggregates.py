"""Totals shown on pages: unbilled work, amount per hour, reconciliation.

They are computed as a whole in one snapshot, so that they agree with each other; a row holds the time.
"""

import time

from psycopg import Cursor, sql
from psycopg.errors import SerializationFailure
from psycopg.rows import TupleRow

from common.errors import Unreachable
from rating.unbilled_work import NEVER_INVOICED
from storage.postgres import Pool, scalar, transaction

_TRIES = 5

# Changes whenever something that is summed may have: positions of the sinks, invoices made and voided, masters.
_SEEN = """
SELECT concat_ws(' ',
    (SELECT sum(next_offset) FROM hourstream.positions),
    (SELECT max(run) FROM hourstream.invoice_runs),
    (SELECT count(*) FROM hourstream.invoices WHERE status = 'voided'),
    (SELECT count(*) FROM hourstream.masters))
"""

# Charges are many, so one scan serves all totals over them.
_CHARGED = sql.SQL(
    """
CREATE TEMPORARY TABLE charged_by_day ON COMMIT DROP AS
SELECT c.client_id, c.region, c.currency, c.work_date, b.charge_id IS NOT NULL AS invoiced,
       c.reason IS DISTINCT FROM {never_invoiced} AS billable,
       count(*) FILTER (WHERE c.reverses IS NULL) - count(c.reverses) AS charges, count(*) AS records,
       sum(c.worked_minutes) AS worked, sum(c.billable_minutes) AS minutes, sum(c.amount) AS amount
FROM hourstream.charges c LEFT JOIN hourstream.invoice_charges b ON b.charge_id = c.charge_id AND b.live
GROUP BY 1, 2, 3, 4, 5, 6
"""
).format(never_invoiced=sql.Literal(NEVER_INVOICED))

_UNBILLED = """
INSERT INTO hourstream.unbilled
SELECT 'submitted', coalesce(a.client_id, ''), coalesce(a.region, ''), coalesce(a.currency, ''), t.work_date,
       sum(t.entries), sum(t.minutes), 0
FROM hourstream.time_totals t LEFT JOIN hourstream.accounts a USING (engagement_id)
WHERE t.status = 'submitted' AND t.entries > 0 GROUP BY 2, 3, 4, 5
UNION ALL
SELECT 'parked', coalesce(a.client_id, ''), coalesce(nullif(e.region, ''), a.region, ''), coalesce(a.currency, ''),
       coalesce(t.work_date, e.missing_day, e.first_seen::date), count(*), sum(e.minutes), coalesce(sum(e.amount), 0)
FROM hourstream.exceptions e
LEFT JOIN hourstream.time_entries t
    ON t.engagement_id = e.engagement_id AND t.entry_id = substr(e.subject, 6) AND e.subject LIKE 'time:%'
LEFT JOIN hourstream.accounts a ON a.engagement_id = e.engagement_id
WHERE e.status = 'open' AND e.severity = 'blocking' GROUP BY 2, 3, 4, 5
UNION ALL
SELECT 'charged', client_id, region, currency, work_date, charges, minutes, amount
FROM pg_temp.charged_by_day WHERE billable AND NOT invoiced AND (charges, minutes, amount) <> (0, 0, 0)
"""

_RATES = """
INSERT INTO hourstream.typical_rates
SELECT CASE WHEN grouping(engagement_id) = 1 THEN '' ELSE engagement_id END, currency,
       sum(amount) * 60 / sum(billable_minutes), sum(amount) / count(*), count(*)
FROM hourstream.charges WHERE kind = 'time' AND reverses IS NULL AND amount > 0 AND billable_minutes > 0
GROUP BY GROUPING SETS ((engagement_id, currency), (currency))
"""

# A charge counts once as posted, however many journals have it.
_FIGURES = """
INSERT INTO hourstream.figures
SELECT 'approved', '', coalesce(sum(entries), 0), coalesce(sum(minutes), 0), 0
FROM hourstream.time_totals WHERE status = 'approved'
UNION ALL
SELECT CASE status WHEN 'open' THEN 'parked' ELSE 'waived' END, '', sum(subjects), sum(minutes), sum(amount)
FROM hourstream.exception_totals WHERE status IN ('open', 'waived') AND severity = 'blocking' GROUP BY status
UNION ALL
SELECT 'charged', currency, sum(charges), sum(worked), sum(amount) FROM pg_temp.charged_by_day GROUP BY currency
UNION ALL
SELECT CASE WHEN invoiced THEN 'invoiced' ELSE 'open' END, currency, sum(records), sum(worked), sum(amount)
FROM pg_temp.charged_by_day GROUP BY invoiced, currency
UNION ALL
SELECT status, currency, count(*), sum(worked_minutes), sum(amount)
FROM (SELECT DISTINCT charge_id, status, currency, worked_minutes, amount FROM hourstream.journal_postings) posted
GROUP BY status, currency
UNION ALL
SELECT 'documents', i.currency, count(DISTINCT i.invoice_id), 0, sum(l.net)
FROM hourstream.invoices i JOIN hourstream.invoice_lines l USING (invoice_id)
WHERE i.status = 'issued' GROUP BY i.currency
"""


def seen(cursor: Cursor[TupleRow]) -> str:
    """A word that changes whenever something that is summed may have changed."""
    return str(scalar(cursor, _SEEN))


def is_due(pool: Pool) -> bool:
    """Whether data may have changed since the last computation. Raises Unreachable."""
    with transaction(pool) as cursor:
        last = cursor.execute("SELECT seen FROM hourstream.summed").fetchone()
        return last is None or last[0] != seen(cursor)


def sum_up(pool: Pool) -> float:
    """Compute all totals again; returns the seconds it took. Raises Unreachable."""
    for _ in range(_TRIES):
        try:
            return _sum_up(pool)
        except Unreachable as error:
            if not isinstance(error.__cause__, SerializationFailure):
                raise  # another process computed totals at the same time, perhaps from an older snapshot
    return _sum_up(pool)


def _sum_up(pool: Pool) -> float:
    began = time.monotonic()
    with transaction(pool) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL work_mem = '64MB'")
        word = seen(cursor)
        cursor.execute(_CHARGED)
        for table, made in (("unbilled", _UNBILLED), ("typical_rates", _RATES), ("figures", _FIGURES)):
            cursor.execute(f"DELETE FROM hourstream.{table}")  # noqa: S608 - one of three names above
            cursor.execute(made)
        cursor.execute("DELETE FROM hourstream.summed")
        seconds = time.monotonic() - began
        cursor.execute("INSERT INTO hourstream.summed VALUES (now(), %s, %s)", (seconds, word))
    return seconds
