"""The advisories agent over several partitions in memory: its topics, and what each partition has read of them."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from agents.advisories import process_batch
from rating.model.facts import TimeEntry
from schemas.codec import decode_for, encode
from streaming.batch import Batch, Output, Record
from streaming.state import MemoryRows, State
from topics.catalogue import ADVISORY_INPUTS, check

PARTITIONS = 3
NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)


def worked(entry_id: str = "E-1", engagement_id: str = "ENG-1", **changed: Any) -> TimeEntry:  # noqa: ANN401
    """An approved entry of C-1, 9:00 to 10:00 on 2024-03-04."""
    entry = TimeEntry(
        entry_id=entry_id,
        engagement_id=engagement_id,
        task_id="T-1",
        consultant_id="C-1",
        work_date=date(2024, 3, 4),
        minutes=60,
        billable=True,
        status="approved",
        started_at=datetime(2024, 3, 4, 9, tzinfo=UTC),
        ended_at=datetime(2024, 3, 4, 10, tzinfo=UTC),
        source="tracker",
        revision=1,
        occurred_at=NOON,
    )
    return replace(entry, **changed)


def at(hour: int, minute: int = 0) -> datetime:
    """An instant of 2024-03-04."""
    return datetime(2024, 3, 4, hour, minute, tzinfo=UTC)


@dataclass
class AdvisoryBus:
    """The topics, and the agent's partitions."""

    log: dict[tuple[str, int], list[Record]] = field(default_factory=dict)
    rows: list[MemoryRows] = field(default_factory=lambda: [MemoryRows() for _ in range(PARTITIONS)])
    read: dict[tuple[str, int], int] = field(default_factory=dict)
    exceptions: list[dict[str, Any]] = field(default_factory=list)

    def publish(self, *entries: TimeEntry) -> None:
        """Append revisions to `time.entries`."""
        for entry in entries:
            value = {name: getattr(entry, name) for name in entry.__slots__ if name != "origin"}
            self.append(Output("time.entries", entry.engagement_id.encode(), encode("time.entries", value)))

    def append(self, output: Output) -> None:
        """Append to a topic."""
        number = zlib.crc32(output.key or b"") % PARTITIONS
        records = self.log.setdefault((output.topic, number), [])
        now = len(records) * 1000
        records.append(Record(output.topic, number, len(records), now, output.key, output.value, ()))

    def step(self, number: int, most: Mapping[str, int], *, dies: bool = False) -> bool:
        """One batch of a partition, of at most so many records a topic; False where there is nothing to read."""
        taken, ends = list[Record](), dict[str, int]()
        for topic in ADVISORY_INPUTS:
            begin = self.read.get((topic, number), 0)
            found = self.log.get((topic, number), [])[begin : begin + most.get(topic, 0)]
            taken += found
            ends[topic] = begin + len(found)
        if not taken:
            return False
        state = State(self.rows[number])
        outputs = process_batch(Batch(number, 0, {}, ends, taken), state)
        if dies:  # before its commit: nothing of the batch remains
            return True
        self.rows[number].commit(state)
        self.read |= {(topic, number): end for topic, end in ends.items()}
        for output in outputs:
            value = decode_for(output.topic, output.value or b"")
            check(output.topic, output.key, value)
            if output.topic == "billing.exceptions":
                self.exceptions.append(value)
            else:
                self.append(output)
        return True

    def come_to_rest(self) -> None:
        """Read on until nothing is left."""
        everything = dict.fromkeys(ADVISORY_INPUTS, 1_000)
        while sum(self.step(number, everything) for number in range(PARTITIONS)):
            pass

    def hears(self, *entries: TimeEntry) -> set[tuple[str, str, str]]:
        """The open warnings once these revisions are worked off."""
        self.publish(*entries)
        self.come_to_rest()
        return self.open()

    def open(self) -> set[tuple[str, str, str]]:
        """(engagement, subject, code) of what is open by the last record of each."""
        last = {(each["engagement_id"], each["subject"]): each for each in self.exceptions}
        return {(*where, each["code"]) for where, each in last.items() if each["status"] == "open"}

    def told(self) -> list[tuple[str, str]]:
        """(subject, status) in the order of publication."""
        return [(each["subject"], each["status"]) for each in self.exceptions]


def winners(entries: Iterable[TimeEntry]) -> list[TimeEntry]:
    """The highest revision of each entry, of equal ones the first."""
    found: dict[tuple[str, str], TimeEntry] = {}
    for entry in entries:
        name = entry.engagement_id, entry.entry_id
        if name not in found or entry.revision > found[name].revision:
            found[name] = entry
    return list(found.values())
