"""The part of a queue in memory: the first waiting charges of each engagement, in the order of the stream."""

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence

from sinks.delivery.repository import DeliveryRepository
from sinks.delivery.scheduling import QueuedCharge

_SMALLEST, _OF_ONE_ENGAGEMENT = 200, 25  # charges


class Prefetch:
    """Filled from `records`, emptied by calls. Its methods may be called from several threads.

    While charges of an engagement are in here, no others of it are read: later ones must not overtake them.
    """

    def __init__(self, records: DeliveryRepository, largest_group: int) -> None:
        self._records = records
        self._size = max(_SMALLEST, 4 * largest_group)
        self._of_one = max(_OF_ONE_ENGAGEMENT, largest_group)
        self._rows: list[QueuedCharge] = []
        self._lock = threading.Lock()

    def rows(self) -> Sequence[QueuedCharge]:
        """The present content of the window."""
        with self._lock:
            return tuple(self._rows)

    def fill(self, busy: Collection[str]) -> None:
        """Read what waits of other engagements than the busy ones. Raises Fenced, Unreachable.

        A reversal whose charge was refused is taken off the queue together with it.
        """
        with self._lock:
            room = self._size - len(self._rows)
            without = {row.engagement_id for row in self._rows}.union(busy)
        if room <= 0:
            return
        kept, skipped = list[QueuedCharge](), set[str]()
        for row in self._records.waiting(without, room, self._of_one):
            reverses = row.charge["reverses"]
            if row.engagement_id in skipped:
                continue
            if row.undoes not in ("refused", "cancelled") or reverses is None:
                kept.append(row)
            elif not self._records.cancel(row.charge["charge_id"], reverses):
                skipped.add(row.engagement_id)  # its charge was offered again meanwhile: read once more
        with self._lock:
            self._rows = sorted([*self._rows, *kept], key=lambda row: row.seq)

    def take(self, rows: Iterable[QueuedCharge]) -> None:
        """Remove the charges that are offered now."""
        taken = {row.seq for row in rows}
        with self._lock:
            self._rows = [row for row in self._rows if row.seq not in taken]

    def answered(self, states: Mapping[str, str]) -> None:
        """Charges have been answered: their reversals may go, or are to be cancelled when the queue is read again."""
        with self._lock:
            for row in self._rows:
                if row.undoes is not None:
                    row.undoes = states.get(row.charge["reverses"] or "", row.undoes)
            refused = {row.engagement_id for row in self._rows if row.undoes == "refused"}
        self.drop(refused)

    def drop(self, engagements: Collection[str]) -> None:
        """Forget what waits of these engagements: it is to be read again."""
        with self._lock:
            self._rows = [row for row in self._rows if row.engagement_id not in engagements]
