"""Which buckets of an engagement a change of masters can affect, by the look-ups that they are found by (DESIGN.md §3).

Only time looks up a consultant or a task, and a bucket of time is of one consultant, with the ids of its tasks in its
row. A change of those settles their buckets only. Any other look-up is one of the whole engagement.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rating.scope import FEE_PREFIX
from tables.settlement.bucket_store import TIME, Buckets

_CONSULTANT, _TASK = "consultant:", "task:"
_SMALLEST_FACT = 64  # bytes; a row of less than this is the head of a large bucket, whose facts are elsewhere


@dataclass(frozen=True, slots=True)
class Affected:
    """What of an engagement is to be settled again: everything, what its own terms say, or the time of some names."""

    engagement_id: str
    everything: bool
    by_terms: bool = False
    consultants: Sequence[str] = ()
    tasks: Sequence[bytes] = ()

    @classmethod
    def by(cls, engagement_id: str, lookups: AbstractSet[str] | None) -> "Affected":
        """By look-ups of the engagement whose answers changed; None for any."""
        if lookups is None:
            return cls(engagement_id, everything=True)
        own = {f"engagement:{engagement_id}"}
        consultants = [each.removeprefix(_CONSULTANT) for each in lookups if each.startswith(_CONSULTANT)]
        tasks = [each.removeprefix(_TASK).encode() for each in lookups if each.startswith(_TASK)]
        others = len(lookups - own) - len(consultants) - len(tasks)
        return cls(engagement_id, others > 0, bool(lookups & own), consultants, tasks)

    def names(self, buckets: Buckets) -> list[str]:
        """The names of all buckets that may be affected, in order. Under changed terms those are all."""
        if self.everything or self.by_terms:
            return [name for name, _ in buckets.rows(self.engagement_id)]
        return sorted(self._of_time(buckets))

    def _of_time(self, buckets: Buckets) -> Iterator[str]:
        if self.tasks:
            yield from (name for name, row in buckets.rows(self.engagement_id, TIME) if self._has(name, row))
        else:
            for consultant in self.consultants:
                yield from (name for name, _ in buckets.rows(self.engagement_id, f"{TIME}{consultant}:"))

    def of_scope(self, buckets: Buckets, names: Sequence[str]) -> Iterable[str]:
        """Of the named buckets of a coupled scope those to be settled: by changed terms it finds others by itself."""
        if self.everything or not self.by_terms:
            return names
        of_time = set(self._of_time(buckets)) if self.consultants or self.tasks else set[str]()
        return [name for name in names if name.startswith(FEE_PREFIX) or name in of_time]

    def _has(self, name: str, row: bytes) -> bool:
        is_of = any(name.startswith(f"{TIME}{consultant}:") for consultant in self.consultants)
        return is_of or len(row) < _SMALLEST_FACT or any(task in row for task in self.tasks)
