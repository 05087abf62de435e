"""The accounting periods of charges that a target posts: the first one open when each was decided.

They follow from the same acts as the journal's, so that both books have a charge in the same period.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from psycopg import Cursor
from psycopg.rows import TupleRow

from accounting.accounting_periods import posting_periods
from accounting.posting_periods import BookedCharge, Position, periods_of

_POSTED = """
SELECT d.charge_id, d.reverses, d.charge ->> 'legal_entity', d.period, d.charge ->> 'decided_at', d.partition,
       d.record_offset, d.revision, undone.posting_period
FROM hourstream.deliveries d
LEFT JOIN hourstream.deliveries undone
    ON undone.charge_id = d.reverses AND undone.target = d.target AND undone.state = 'posted'
WHERE d.target = %s AND d.charge_id = ANY(%s) ORDER BY d.seq
"""


def periods_of_posted(cursor: Cursor[TupleRow], target: str, charge_ids: Sequence[str]) -> Mapping[str, str]:
    """The posting period of each charge; of one that was refused before, the first that is open now."""
    if not charge_ids:
        return {}
    acts = posting_periods(cursor)
    charges, posted = list[BookedCharge](), dict[str, str]()
    for row in cursor.execute(_POSTED, (target, list(charge_ids))).fetchall():
        charge_id, reverses, legal_entity, month, decided_at, partition, offset, answers, undone = row
        position = None if answers else Position(datetime.fromisoformat(decided_at), target, partition, offset)
        charges.append(BookedCharge(charge_id, reverses, legal_entity, month, position))
        if undone is not None:
            posted[reverses] = undone
    return periods_of(charges, acts, posted)
