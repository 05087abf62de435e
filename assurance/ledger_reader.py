"""Reads the ledger again from Kafka: facts, masters, charges and exceptions, independent of any agent's state.

`hourstream run` writes its output from it, and the audit compares with it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from assurance.ledger_line import ledger_line
from assurance.publications import ANNOUNCED, Announcements
from common.decimals import plain
from common.errors import InvalidRecord
from rating.model.facts import Adjustment, BillingPeriod, Decision, Fact, Origin, TimeEntry, fact, gathered, subject_of
from rating.model.master_data import Master
from rating.model.master_records import master
from rating.model.masters import Masters
from rating.model.money import rounded_money
from rating.model.revision_order import resolve_revision, winner
from rating.settle import settle
from schemas.errors import Undecodable
from streaming.batch import Record
from streaming.topic_reader import read_all
from tables.settlement.bucket import name_of
from topics import topic_names
from topics.catalogue import MASTERS, SETTLE_INPUTS, identity
from topics.records import decoded

READY, EXCEPTIONS = topic_names.BILLING_READY, topic_names.BILLING_EXCEPTIONS
Subject = tuple[str, str]  # engagement_id, subject
Line = dict[str, object]


@dataclass(slots=True)
class Books:
    """All facts and billing records of the topics, folded."""

    facts: dict[Subject, Fact] = field(default_factory=dict)
    masters: dict[tuple[str, str], Master] = field(default_factory=dict)
    charges: dict[Subject, list[dict[str, object]]] = field(default_factory=dict)
    exceptions: dict[Subject, dict[str, object]] = field(default_factory=dict)
    positions: dict[str, tuple[int, int]] = field(default_factory=dict)  # of a charge: partition, offset
    announced: Announcements = field(default_factory=Announcements)
    unreadable: int = 0

    @classmethod
    def read(cls, broker: str, progress: Callable[[int], None] = lambda _: None) -> "Books":
        """Read every topic to its committed end; `progress` is called for every thousandth record."""
        books = cls()
        topics = (*MASTERS, *SETTLE_INPUTS, READY, *ANNOUNCED)
        for count, record in enumerate(read_all(broker, topics), 1):
            books.take(record)
            if count % 1000 == 0:
                progress(count)
        return books

    @classmethod
    def of_engagement(cls, broker: str, engagement_id: str) -> "Books":
        """The masters, and of one engagement the facts."""
        books, key = cls(), engagement_id.encode()
        for record in read_all(broker, (*MASTERS, *SETTLE_INPUTS)):
            if record.topic in MASTERS or record.key == key:
                books.take(record)
        return books

    def _readable(self, record: Record) -> dict[str, Any] | None:
        """The value of a record; None for an unreadable one, which is counted."""
        try:
            return decoded(record)
        except (Undecodable, InvalidRecord):
            self.unreadable += 1
            return None

    def take(self, record: Record) -> None:
        """One record of any of those topics."""
        value = self._readable(record)
        if value is None:
            return
        if record.topic == READY:
            self._take_charge(record, value)
        elif record.topic == EXCEPTIONS:
            self.exceptions[str(value["engagement_id"]), str(value["subject"])] = value
            self.announced.take(record, value)
        elif record.topic in ANNOUNCED:
            self.announced.take(record, value)
        elif record.topic in SETTLE_INPUTS:
            origin = Origin(record.topic, record.partition, record.offset, record.timestamp_ms)
            self._take_fact(fact(record.topic, value, origin))
        else:
            self._take_master(record.topic, identity(record.topic, value), master(record.topic, value))

    def _take_charge(self, record: Record, value: dict[str, object]) -> None:
        where = (str(value["engagement_id"]), str(value["subject"]))
        self.charges.setdefault(where, []).append(value)
        self.positions.setdefault(str(value["charge_id"]), (record.partition, record.offset))

    def _take_fact(self, arrived: Fact) -> None:
        where = (arrived.engagement_id, name_of(arrived))
        self.facts[where] = winner(self.facts.get(where), arrived)

    def _take_master(self, topic: str, master_id: str, arrived: Master) -> None:
        if resolve_revision(self.masters.get((topic, master_id)), arrived) == "replaced":
            self.masters[topic, master_id] = arrived

    def engagements(self) -> dict[str, list[Fact]]:
        """The winning facts of each engagement."""
        found: dict[str, list[Fact]] = {}
        for (engagement_id, _), each in self.facts.items():
            found.setdefault(engagement_id, []).append(each)
        return found

    def all_masters(self) -> Masters:
        """The winning masters as the rules take them."""
        return Masters.empty().with_records((topic, id_, each) for (topic, id_), each in self.masters.items())

    def clients(self) -> dict[str, str]:
        """The client of each engagement."""
        return {each.engagement_id: each.client_id for each in self.all_masters().engagements.values()}

    def expected(self) -> Iterable[Line]:
        """The ledger as the law has it: `settle` over the facts (DOMAIN §5.2)."""
        masters = self.all_masters()
        for engagement_id, facts in sorted(self.engagements().items()):
            settled = settle(engagement_id, gathered(facts), masters)
            for _, settlement in sorted(settled.subjects.items()):
                yield ledger_line(settlement)

    def ledger(self) -> list[Line]:
        """The ledger as published: a line a subject, by engagement and subject (DESIGN §7)."""
        subjects = {w for w in (*self.charges, *self.exceptions) if not w[1].startswith(NOT_IN_LEDGER)}
        subjects |= {(f.engagement_id, subject_of(f)) for f in self.facts.values() if _has_own_line(f)}
        lines = (self._line(*where) for where in sorted(subjects))
        return [line for line in lines if line is not None]

    def _line(self, engagement_id: str, subject: str) -> Line | None:
        charge = net_charge(self.charges.get((engagement_id, subject), ()))
        exception = self.exceptions.get((engagement_id, subject))
        if exception is not None and exception["status"] == "resolved":
            exception = None
        fact = self.facts.get((engagement_id, subject))
        state = _state(charge, exception, fact)
        if state is None:
            return None
        line: Line = {
            "subject": subject,
            "engagement_id": engagement_id,
            "state": state,
            "amount": "0",
            "currency": None,
            "worked_minutes": 0,
            "billable_minutes": 0,
            "tax_category": None,
            "tax_rate": None,
            "code": exception["code"] if exception else None,
            "reason": None,
        }
        if charge is not None:
            tax_rate = charge["tax_rate"]
            line |= {
                "amount": format(rounded_money(_decimal(charge["amount"]), str(charge["currency"])), "f"),
                "tax_rate": plain(tax_rate) if isinstance(tax_rate, Decimal) else None,
            }
            line |= {name: charge[name] for name in ("currency", "worked_minutes", "billable_minutes")}
            line |= {name: charge[name] for name in ("tax_category", "reason")}
        elif exception is not None:
            line["worked_minutes"] = exception["minutes"]
        return line


NOT_IN_LEDGER = ("conflict:", "source:", "posting:", "invoice:", "overlap:", "person-day:")


def _has_own_line(fact: Fact) -> bool:
    """Facts whose subject is always a line of the ledger: not fees, minutes adjustments or decisions."""
    if isinstance(fact, BillingPeriod | Decision):
        return False
    return not (isinstance(fact, Adjustment) and fact.kind == "minutes")


def _state(charge: Line | None, exception: Line | None, fact: Fact | None) -> str | None:
    if charge is not None:
        return "charged"
    if exception is not None:
        return "waived" if exception["status"] == "waived" else "parked"
    status = getattr(fact, "status", None)
    if fact is None or not _has_own_line(fact):
        return None
    if status == "submitted":
        return "pending"
    return "void" if status in ("rejected", "withdrawn", "reopened") else None


def _decimal(value: object) -> Decimal:
    assert isinstance(value, Decimal)  # noqa: S101 - the codec gives nothing else for a decimal field
    return value


def net_charge(published: Iterable[Line]) -> Line | None:
    """The one charge of a subject that no reversal has undone; None when there is none."""
    standing: dict[object, Line] = {}
    for record in published:
        if record["reverses"] is None:
            standing[record["charge_id"]] = record
        else:
            standing.pop(record["reverses"], None)
    return next(iter(standing.values()), None)


def approved_minutes(facts: Iterable[Fact]) -> int:
    """Worked minutes of approved time."""
    return sum(f.minutes for f in facts if isinstance(f, TimeEntry) and f.status == "approved")
