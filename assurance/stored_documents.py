"""Compares derived rows of the database with their origin, where seals do not cover them.

Journal lines follow from their posting, the links of a document from its status, the end of a token from an act.
"""

from collections.abc import Iterator
from typing import LiteralString

from sinks.journal import RECEIVABLES, REVENUE
from storage.postgres import Pool, transaction

_LINES: LiteralString = """
WITH expected AS (
    SELECT number AS posting, line::smallint, account, greatest(side * amount, 0) AS debit,
           greatest(-side * amount, 0) AS credit
    FROM hourstream.journal_postings
    CROSS JOIN (VALUES (1, %(receivables)s, 1), (2, %(revenue)s, -1)) AS entry (line, account, side)
    WHERE status = 'posted' AND entry = 'charge'
), stored AS (
    SELECT l.* FROM hourstream.journal_lines l LEFT JOIN hourstream.journal_postings p ON p.number = l.posting
    WHERE p.entry IS DISTINCT FROM 'revenue'
)
SELECT DISTINCT posting FROM expected e FULL JOIN stored s USING (posting, line)
WHERE (e.account, e.debit, e.credit) IS DISTINCT FROM (s.account, s.debit, s.credit) ORDER BY posting
"""
_LINKS: LiteralString = """
SELECT invoice_id, charge_id FROM hourstream.invoice_charges c LEFT JOIN hourstream.invoices i USING (invoice_id)
WHERE live IS DISTINCT FROM (status <> 'voided') ORDER BY invoice_id, charge_id
"""
_TOKENS: LiteralString = """
SELECT name FROM hourstream.api_tokens t
WHERE (revoked_at IS NOT NULL) <> EXISTS (
    SELECT FROM hourstream.acts a WHERE a.act = 'revoke token' AND a.subject = t.name)
ORDER BY name
"""
_MADE: LiteralString = """
SELECT subject FROM hourstream.acts a
WHERE act = 'create token' AND NOT EXISTS (SELECT FROM hourstream.api_tokens t WHERE t.name = a.subject)
ORDER BY subject
"""


def inconsistent(pool: Pool) -> Iterator[str]:
    """Rows that do not follow from their origin, as text. Raises Unreachable."""
    with transaction(pool) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        accounts = {"receivables": RECEIVABLES, "revenue": REVENUE}
        for (posting,) in cursor.execute(_LINES, accounts).fetchall():
            yield f"hourstream.journal_lines of posting {posting} do not sum to its charge"
        for invoice_id, charge_id in cursor.execute(_LINKS).fetchall():
            yield f"hourstream.invoice_charges: {charge_id} on {invoice_id} does not fit the status of that document"
        for (name,) in cursor.execute(_TOKENS).fetchall():
            yield f"hourstream.api_tokens: whether {name} is revoked is not what the acts say"
        for (name,) in cursor.execute(_MADE).fetchall():
            yield f"hourstream.api_tokens has lost {name}, which was made by an act"
