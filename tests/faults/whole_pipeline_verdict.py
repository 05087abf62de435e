"""What the journal must hold after the fault cycles: each charge posted once, with its amount, balanced, announced."""

from collections import Counter
from decimal import Decimal

import psycopg

from assurance.ledger_reader import READY
from schemas.codec import decode_for
from streaming.topic_reader import read_all
from tests.faults.verdict import Findings

_POSTINGS = "SELECT charge_id, amount FROM hourstream.journal_postings"
_UNBALANCED = """
SELECT p.charge_id, sum(l.debit) - sum(l.credit)
FROM hourstream.journal_postings p JOIN hourstream.journal_lines l ON l.posting = p.number
GROUP BY p.charge_id HAVING sum(l.debit) <> sum(l.credit)
"""


def journal_verdict(findings: Findings, broker: str, postgres_url: str) -> None:
    """Hold the journal and its announcements to the charges on billing.ready, read again."""
    charges = [decode_for(record.topic, record.value or b"") for record in read_all(broker, [READY])]
    announced = [decode_for(record.topic, record.value or b"") for record in read_all(broker, ["erp.postings"])]
    with psycopg.connect(postgres_url) as connection:
        postings: list[tuple[str, Decimal]] = connection.execute(_POSTINGS).fetchall()
        unbalanced = dict(connection.execute(_UNBALANCED).fetchall())
    due = Counter(str(charge["charge_id"]) for charge in charges)
    findings.same("posting", Counter(one for one, _ in postings), due)
    amounts = {str(charge["charge_id"]): charge["amount"] for charge in charges}
    findings.same("posted amount", dict(postings), amounts)
    findings.same("unbalanced posting", unbalanced, {})
    # A sink killed between an announcement and its mark announces again, under the same id: no second announcement.
    by_id = {posting["posting_id"]: str(posting["charge_id"]) for posting in announced}
    findings.same("announcement", Counter(by_id.values()), due)
