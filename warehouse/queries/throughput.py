"""Throughput and failures by minute or hour, by the broker's append time."""

from dataclasses import dataclass

from warehouse.queries.sql import Asking, rows

FAILURES = ("exceptions open", "postings refused")


@dataclass(frozen=True, slots=True)
class ThroughputSlot:
    """Records of one minute or hour; `starts` in epoch seconds, counts by outcome."""

    starts: int
    counts: dict[str, int]

    def count(self, *names: str) -> int:
        """The records of these kinds."""
        return sum(self.counts.get(name, 0) for name in names)

    @property
    def failures(self) -> int:
        """Subjects newly parked, and postings refused."""
        return self.count(*FAILURES)


@dataclass(frozen=True, slots=True)
class _FlowRow:
    slot: int
    what: str
    records: int


def slots(cursor: Asking, now: int, *, minutes: int, number: int) -> list[ThroughputSlot]:
    """The last `number` slots of `minutes` minutes each, empty ones too, the oldest first; `now` in epoch seconds."""
    last = now // 60 // minutes
    found = rows(
        cursor,
        _FlowRow,
        "SELECT minute / %(minutes)s AS slot, what, sum(records)::bigint AS records FROM hourstream.flow"
        " WHERE minute >= %(since)s AND minute <= %(until)s GROUP BY 1, 2",
        {"minutes": minutes, "since": (last - number + 1) * minutes, "until": last * minutes + minutes - 1},
    )
    counts: dict[int, dict[str, int]] = {slot: {} for slot in range(last - number + 1, last + 1)}
    for row in found:
        counts[row.slot][row.what] = row.records
    return [ThroughputSlot(slot * minutes * 60, of_slot) for slot, of_slot in counts.items()]
