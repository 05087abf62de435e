"""Reads the other inputs of a reconciliation from the topics: postings, sources, their control totals."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from assurance.completeness import Arrived, ControlTotal, Part, UnmappedRecords
from assurance.ledger_reader import READY, Books
from common.errors import InvalidRecord
from rating.model.facts import Adjustment, Expense, Fact, Milestone, Outcome, TimeEntry, identity
from schemas.errors import Undecodable
from streaming.batch import Record
from streaming.topic_reader import read_all
from tables.settlement.bucket import name_of
from topics import topic_names
from topics.catalogue import MASTERS, SETTLE_INPUTS, TOPICS
from topics.records import decoded, header_text

CONTROL, POSTINGS = topic_names.SOURCE_CONTROL, topic_names.ERP_POSTINGS
_SOURCES = tuple(name for name in TOPICS if name.startswith("source.") and name.count(".") > 1)
_GONE = ("withdrawn", "reopened")


@dataclass(slots=True)
class Arrivals(Books):
    """The ledger, with the position of each charge, each ERP's answers to it, and the sources' records."""

    postings: dict[str, dict[str, Any]] = field(default_factory=dict)  # by posting id
    totals: list[ControlTotal] = field(default_factory=list)
    made_of: dict[tuple[str, str], str] = field(default_factory=dict)  # of a fact: its source record, ENTITY:ID
    sent: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))  # ids by system, entity
    dead: Counter[tuple[str, str]] = field(default_factory=Counter)
    mapped: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _source_record: str | None = None  # of the present record

    @classmethod
    def read(cls, broker: str, progress: Callable[[int], None] = lambda _: None) -> "Arrivals":
        """Read every topic to its committed end."""
        found = cls()
        topics = (*MASTERS, *SETTLE_INPUTS, READY, topic_names.BILLING_EXCEPTIONS, POSTINGS, CONTROL, *_SOURCES)
        for count, record in enumerate(read_all(broker, topics), 1):
            found.take(record)
            if count % 1000 == 0:
                progress(count)
        return found

    def take(self, record: Record) -> None:
        """One record of any of those topics."""
        if record.topic == CONTROL or record.topic == POSTINGS:
            self._take_beside(record)
        elif record.topic.startswith("source."):
            self._take_source(record)
        else:
            self._source_record = header_text(record, "source.record")
            Books.take(self, record)

    def _take_source(self, record: Record) -> None:
        _, system, entity = record.topic.split(".", 2)
        try:
            decoded(record)
        except (Undecodable, InvalidRecord):
            self.dead[system, entity] += 1
        else:
            self.sent[system, entity].add((record.key or b"").decode())

    def _take_beside(self, record: Record) -> None:
        value = self._readable(record)
        if value is None:
            return
        if record.topic == CONTROL:
            self.totals.append(ControlTotal(**value))
            return
        before = self.postings.get(value["posting_id"])
        if before is None or value["revision"] > before["revision"]:
            self.postings[value["posting_id"]] = value

    def _take_fact(self, arrived: Fact) -> None:
        Books._take_fact(self, arrived)
        where = arrived.engagement_id, name_of(arrived)
        if self._source_record is not None:
            entity, _, record_id = self._source_record.partition(":")
            self.mapped[arrived.source, entity].add(record_id)
            if self.facts[where] is arrived:
                self.made_of[where] = self._source_record

    def arrived(self) -> dict[Part, Arrived]:
        """By source, kind of record and month: the valid records, and their minutes."""
        records, minutes = defaultdict[Part, set[str]](set), defaultdict[Part, int](int)
        for where, fact in self.facts.items():
            day = day_of(fact)
            if day is None or getattr(fact, "status", None) in _GONE:
                continue
            record, topic = self.made_of.get(where), fact.origin.topic if fact.origin else ""
            part = (fact.source, record.partition(":")[0] if record else topic, f"{day:%Y-%m}")
            records[part].add(record or f"{fact.engagement_id}\0{identity(fact)}")
            minutes[part] += fact.minutes if isinstance(fact, TimeEntry) else 0
        return {part: Arrived(len(names), minutes[part]) for part, names in records.items()}

    def waiting(self) -> dict[tuple[str, str], UnmappedRecords]:
        """By system and entity: source records not mapped yet, and the number of open exceptions among them."""
        parked = defaultdict[tuple[str, str], set[str]](set)
        for (_, subject), exception in self.exceptions.items():
            if subject.startswith("source:") and exception["status"] == "open":
                _, system, entity, record_id = subject.split(":", 3)
                parked[system, entity].add(record_id)
        found = {}
        for key in {*self.mapped, *parked}:  # an entity without publications is only looked up by others
            left = (self.sent.get(key, set()) - self.mapped.get(key, set())) | parked[key]
            if left or self.dead[key]:
                found[key] = UnmappedRecords(len(left), len(parked[key]), self.dead[key])
        return found


def day_of(fact: Fact) -> date | None:
    """The day of a fact; None for one that has none."""
    match fact:
        case TimeEntry():
            return fact.work_date
        case Expense():
            return fact.incurred_on
        case Milestone():
            return fact.completed_on
        case Outcome():
            return fact.achieved_on
        case Adjustment():
            return fact.effective_on
        case _:
            return None
