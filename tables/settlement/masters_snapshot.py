"""Master data as every worker sees it: `masters.current` folded into one immutable snapshot after another.

Each record carries, in the header `lookups`, every look-up its identity ever touched (a JSON list), because compaction
keeps the last record of an identity only, and a tax rule that moved to another jurisdiction must still re-settle those
who looked in the former one.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from common.isolation import ISOLATED, divide
from rating.model.masters import Masters, master
from streaming.batch import Record
from streaming.isolation import is_environment
from streaming.stall_detector import STALL_SECONDS
from streaming.topic_follower import TopicTableReader
from topics import topic_names
from topics.catalogue import faults
from topics.records import current_masters

TOPIC = topic_names.MASTERS_CURRENT
LOOKUPS_HEADER = "lookups"
ANYWHERE = "*"  # stands for the look-ups of an identity that touched more than `MOST_LOOKUPS`
MOST_LOOKUPS = 500


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Masters at one moment: everything of `masters.current` before the offset `end`."""

    masters: Masters
    end: int
    changed: tuple[tuple[int, int, frozenset[str]], ...]  # (offset, append time, look-ups), last change per identity
    unsound: frozenset[str] = frozenset()  # engagements whose terms break the bounds of today (DOMAIN §1.10)

    def touched_since(self, offset: int) -> frozenset[str] | None:
        """Look-ups that a change at or after `offset` may alter; None for any."""
        touched = frozenset[str]().union(*(lookups for at, _, lookups in self.changed if at >= offset))
        return None if ANYWHERE in touched else touched

    def changed_at_ms(self, offset: int) -> int:
        """Append time of the latest change at or after `offset`; 0 if there is none."""
        return max((time for at, time, _ in self.changed if at >= offset), default=0)


def bounded(lookups: frozenset[str]) -> tuple[str, ...]:
    """Look-ups as a header can carry them: in order, or `ANYWHERE` for too many."""
    return tuple(sorted(lookups)) if len(lookups) <= MOST_LOOKUPS and ANYWHERE not in lookups else (ANYWHERE,)


EMPTY = Snapshot(Masters.empty(), 0, ())


def _lookups(record: Record) -> frozenset[str]:
    """What the header says; nothing where it says nothing that can be read."""
    try:
        return frozenset(msgspec.json.decode(dict(record.headers).get(LOOKUPS_HEADER, b"[]"), type=list[str]))
    except (msgspec.DecodeError, TypeError):
        return frozenset()


class MastersTable:
    """The worker's copy of `masters.current`, kept current by a thread."""

    def __init__(self, broker: str, stall_seconds: float = STALL_SECONDS) -> None:
        self._lock = threading.Lock()
        self._changes: dict[bytes, tuple[int, int, frozenset[str]]] = {}
        self._snapshot = EMPTY
        self._follower = TopicTableReader(broker, TOPIC, self.apply, stall_seconds)

    def start(self, seconds: float = 60.0) -> None:
        """Read to the end that stands now; nothing may be decided before."""
        self._follower.start()
        self._follower.wait(seconds)

    def stop(self) -> None:
        """End the thread."""
        self._follower.stop()

    def snapshot(self) -> Snapshot:
        """The masters of this moment."""
        with self._lock:
            return self._snapshot

    def apply(self, records: Sequence[Record], end: int) -> None:
        """Take the next records of `masters.current` in."""
        divide(records, self._take, _refuse, is_environment)
        with self._lock:
            self._snapshot = replace(self._snapshot, end=end)

    def _take(self, records: Sequence[Record]) -> None:
        changes, touched, unsound = [], {}, set(self._snapshot.unsound)
        for record, topic, identity, value in current_masters(records):
            changes.append((topic, identity, master(topic, value)))
            if topic == topic_names.MASTER_ENGAGEMENTS:
                (unsound.add if faults(topic, identity.encode(), value) else unsound.discard)(identity)
            touched[record.key or b""] = (record.offset, record.timestamp_ms, _lookups(record))
        if not changes:
            return
        masters = self._snapshot.masters.with_records(changes)
        self._changes.update(touched)
        with self._lock:
            self._snapshot = Snapshot(masters, self._snapshot.end, tuple(self._changes.values()), frozenset(unsound))


def _refuse(record: Record, error: Exception) -> None:
    """A master that this code cannot take in is as if it had not been published; the one before it stands."""
    ISOLATED.log(f"{TOPIC}: offset {record.offset}", error)
    ISOLATED.count("record")
