"""Reads the bookings of a journal, charge by charge, from its lines: one side of a parity report."""

from collections.abc import Iterator
from contextlib import contextmanager

from accounting.parity import BookedEntry
from common.errors import SinkError
from storage.postgres import Pool, scalar, transaction

_ENTRIES = """
SELECT p.charge_id, e.amount, p.currency, e.accounts, p.tax_category, p.tax_rate, p.posting_period, p.client_id,
       p.work_date
FROM hourstream.journal_postings p CROSS JOIN LATERAL (
    SELECT sum(debit - credit) FILTER (WHERE line = 1) AS amount, string_agg(account, '/' ORDER BY line) AS accounts
    FROM hourstream.journal_lines l WHERE l.posting = p.number) e
WHERE p.system = %(system)s AND p.status = 'posted' AND p.entry = 'charge'
  AND (%(client)s::text IS NULL OR p.client_id = %(client)s)
  AND (%(period)s::text IS NULL OR p.posting_period = %(period)s OR EXISTS (
      SELECT FROM hourstream.journal_postings o
      WHERE o.system = %(other)s AND o.charge_id = p.charge_id AND o.status = 'posted'
        AND o.posting_period = %(period)s))
ORDER BY p.charge_id COLLATE "C"
"""


class UnknownJournal(SinkError):
    """No journal of that name has ever posted anything."""


@contextmanager
def entries(
    pool: Pool, system: str, client: str | None = None, period: str | None = None, other: str | None = None
) -> Iterator[Iterator[BookedEntry]]:
    """The entries of a journal in the order of charge ids, read lazily; with `period` those posted to it.

    What `other` has posted to that period is among them too: else a charge that two journals have in different periods
    would be missing from one. Raises UnknownJournal, Unreachable.
    """
    with transaction(pool) as cursor:
        known = "SELECT 1 FROM hourstream.journal_postings WHERE system = %s LIMIT 1"
        if scalar(cursor, known, (system,)) is None:
            raise UnknownJournal(f"no journal {system} has posted anything; see HOURSTREAM_JOURNALS")
        with cursor.connection.cursor(name="parity") as reader:
            reader.itersize = 5_000
            reader.execute(_ENTRIES, {"system": system, "client": client, "period": period, "other": other})
            yield (BookedEntry(*row) for row in reader)
