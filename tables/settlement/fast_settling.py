"""The short way through settle: a new plain entry is charged as it arrives, and its bucket only grows.

An entry takes it when nothing in the state speaks of it yet, its consultant's day stays within 24 hours, and nothing
else has asked for that day's records in this batch. Then `Settling` would publish this one charge and nothing else:
plain time has no effect on what is beside it.
"""

from rating.checks import MINUTES_OF_A_DAY
from streaming.batch import Record
from streaming.state_tables import StateRows
from tables.settlement.bucket import Published, StoredFact
from tables.settlement.bucket_store import PLACES
from tables.settlement.charge_record import READY
from tables.settlement.engine import Settling
from tables.settlement.fast_path import PlainTime, TimeRow
from tables.settlement.publications import Publication
from tables.windows import Tally


class PlainSettling:
    """One batch's plain time on one partition: `take` each entry, then `count`."""

    def __init__(self, state: StateRows, settling: Settling, plain: PlainTime) -> None:
        self._state, self._settling, self._plain = state, settling, plain
        self._charges = self._minutes = 0

    def take(self, row: TimeRow, record: Record, subject: str, own: str) -> bool:
        """Charge the entry, whose bucket is `own`; False where it must go the general way (`Settling.receive`)."""
        if row.status != "approved" or not row.billable:
            return False
        engagement_id, buckets = row.engagement_id, self._settling.buckets
        place = PLACES.key(engagement_id, subject)
        if self._state.get(place) is not None:
            return False
        bucket = buckets.bucket(engagement_id, own)
        if not bucket.is_whole or bucket.minutes() + row.minutes > MINUTES_OF_A_DAY:
            return False
        made = self._plain.charge(subject, row, record)
        if made is None:
            return False
        value, lookups = made
        at = record.partition, record.offset, record.timestamp_ms
        bucket.append(StoredFact(subject, record.value or b"", *at, row.minutes), Published(1, value, row.minutes))
        buckets.grown[engagement_id, bucket.name] = bucket
        self._state.put(place, PLACES.pack(bucket.name))
        self._settling.publications.append(Publication(READY, engagement_id, value, "charged", record.timestamp_ms))
        if (engagement_id, lookups) not in self._plain.noted:
            self._settling.note_lookups(engagement_id, lookups)
            self._plain.noted.add((engagement_id, lookups))
        self._charges += 1
        self._minutes += row.minutes
        return True

    def count(self, tally: Tally) -> None:
        """Add what was taken to the running totals."""
        tally.add(self._minutes, "approved_minutes")
        tally.add(self._minutes, "charged_minutes")
        tally.add(self._charges, "charges")
