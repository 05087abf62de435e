"""Reads the bookings of a journal, charge by charge, from its lines: one side of a parity report."""

from collections.abc import Iterator
from contextlib import contextmanager

from accounting.parity import BookedEntry
from common.errors import SinkError
from storage.postgres import Pool, scalar, transaction

_ENTRIES = """
SELECT p.charge_id, e.amount, p.currency, e.accounts, p.tax_category, p.tax_rate, p.period, p.client_id, p.work_date
FROM hourstream.journal_postings p CROSS JOIN LATERAL (
    SELECT sum(debit - credit) FILTER (WHERE line = 1) AS amount, string_agg(account, '/' ORDER BY line) AS accounts
    FROM hourstream.journal_lines l WHERE l.posting = p.number) e
WHERE p.system = %(system)s AND p.status = 'posted' AND p.entry = 'charge'
  AND (%(client)s::text IS NULL OR p.client_id = %(client)s) AND (%(period)s::text IS NULL OR p.period = %(period)s)
ORDER BY p.charge_id COLLATE "C"
"""


class UnknownJournal(SinkError):
    """No journal of that name has ever posted anything."""


@contextmanager
def entries(
    pool: Pool, system: str, client: str | None = None, period: str | None = None
) -> Iterator[Iterator[BookedEntry]]:
    """The entries of a journal in the order of charge ids, read lazily. Raises UnknownJournal, Unreachable."""
    with transaction(pool) as cursor:
        known = "SELECT 1 FROM hourstream.journal_postings WHERE system = %s LIMIT 1"
        if scalar(cursor, known, (system,)) is None:
            raise UnknownJournal(f"no journal {system} has posted anything; see HOURSTREAM_JOURNALS")
        with cursor.connection.cursor(name="parity") as reader:
            reader.itersize = 5_000
            reader.execute(_ENTRIES, {"system": system, "client": client, "period": period})
            yield (BookedEntry(*row) for row in reader)
