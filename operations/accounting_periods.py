"""Close or open an accounting period, once every journal has posted what was published before."""

import time
from datetime import UTC, datetime

from accounting.accounting_periods import JournalBehind, Status, act
from storage.postgres import Pool
from streaming.topic_reader import topic_ends
from topics.catalogue import CHARGES_TOPIC

_PAUSE_SECONDS = 0.2


def act_when_posted(
    pool: Pool, broker: str, status: Status, legal_entity: str, period: str, *, reason: str, by: str, seconds: float
) -> None:
    """Add the act; waits up to so many seconds for the journals. Raises JournalBehind, PeriodRefused, Unreachable."""
    published = {partition: end for (_, partition), end in topic_ends(broker, [CHARGES_TOPIC]).items()}
    deadline = time.monotonic() + seconds
    while True:
        try:
            act(pool, status, legal_entity, period, reason=reason, by=by, at=datetime.now(UTC), published=published)
        except JournalBehind:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
