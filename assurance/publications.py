"""Checks that charges, postings and documents were published as they must be, each once (DOMAIN.md §5).

The charges of a subject form one sequence: number 1, its reversal, number 2, and so on, with computed ids. Postings and
statuses are counted by revision. The outbox may repeat a record after a crash: both copies carry its number in the
header `outbox` and count once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rating.model.ids import charge_id
from sinks.outbox import NUMBER
from streaming.batch import Record
from topics import topic_names

POSTINGS, STATUSES, STATES, EXCEPTIONS = (
    topic_names.ERP_POSTINGS,
    topic_names.INVOICE_STATUS,
    topic_names.CHARGE_STATES,
    topic_names.BILLING_EXCEPTIONS,
)
ANNOUNCED = (POSTINGS, STATUSES, STATES, EXCEPTIONS)
_NAMED_BY = {POSTINGS: "posting_id", STATUSES: "invoice_id", STATES: "charge_id", EXCEPTIONS: "exception_id"}


@dataclass(slots=True)
class PublishedObject:
    """All publications about one object on one topic: count per revision, and the last record of the highest."""

    revisions: Counter[int] = field(default_factory=Counter)
    last: Mapping[str, Any] = field(default_factory=dict)


def document_name(invoice_id: str, engagement_id: str) -> str:
    """The name of a document's part of one engagement."""
    return f"{invoice_id} of {engagement_id}"


@dataclass(slots=True)
class Announcements:
    """Records of the topics of announcements, by their object."""

    said: dict[str, dict[str, PublishedObject]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(PublishedObject))
    )
    repeated: int = 0
    again: list[str] = field(default_factory=list)
    _numbers: set[tuple[str, bytes]] = field(default_factory=set)
    _before: dict[str, tuple[object, ...]] = field(default_factory=dict)

    def take(self, record: Record, value: Mapping[str, Any]) -> None:
        """One record, as decoded."""
        number = dict(record.headers).get(NUMBER)
        if number is not None:
            if (record.topic, number) in self._numbers:
                self.repeated += 1
                return
            self._numbers.add((record.topic, number))
        name = str(value[_NAMED_BY[record.topic]])
        if record.topic == STATUSES:  # a document that engagements share has a record for each of them
            name = document_name(name, value["engagement_id"])
        if record.topic == EXCEPTIONS:
            self._exception(record, name)
            return
        said = self.said[record.topic][name]
        said.revisions[value["revision"]] += 1
        if value["revision"] == max(said.revisions):
            said.last = value

    def _exception(self, record: Record, name: str) -> None:
        """States of an exception have no number of their own: the same state is never published twice in a row."""
        now = (hash(record.value), len(record.value or b""))
        if self._before.get(name) == now:
            self.again.append(f"{EXCEPTIONS} says the same of {name} twice, the second time at {record.offset}")
        self._before[name] = now

    def faults(self, charges: Iterable[object]) -> Iterator[str]:
        """Announcements that repeat, skip a revision, or name an unknown charge."""
        yield from self.again
        for topic, by_name in self.said.items():
            for name, said in by_name.items():
                for revision, times in sorted(said.revisions.items()):
                    if times > 1:
                        yield f"{topic} says revision {revision} of {name} {times} times"
                if (min(said.revisions), max(said.revisions)) != (1, len(said.revisions)):
                    yield f"{topic} skips a revision of {name}: {sorted(said.revisions)}"
        known = set(charges)
        for topic in (POSTINGS, STATES):
            for name, said in self.said[topic].items():
                if said.last["charge_id"] not in known:
                    yield f"{topic} speaks of {name}, whose charge {said.last['charge_id']} was never published"


def out_of_order(charges: Mapping[tuple[str, str], Iterable[Mapping[str, Any]]]) -> Iterator[str]:
    """Charges of a subject that do not follow each other as they must; the first of each subject."""
    for (engagement_id, subject), records in charges.items():
        number, standing = 0, False
        for record in records:
            what = "reversal" if standing else "charge"
            number += not standing
            wanted = charge_id(engagement_id, subject, number, what)
            reverses = charge_id(engagement_id, subject, number, "charge") if standing else None
            if (record["charge_id"], record["reverses"]) != (wanted, reverses):
                yield f"{engagement_id}/{subject}: {record['charge_id']} where the {what} number {number} is due"
                break
            standing = not standing


def doubled(charges: Iterable[Iterable[Mapping[str, Any]]]) -> Iterator[str]:
    """Ids of charges that are published more than once."""
    counts = Counter(str(record["charge_id"]) for records in charges for record in records)
    return (f"{name} {times} times" for name, times in counts.items() if times > 1)
