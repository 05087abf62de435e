"""The trace of one subject read from the topics, for the command line: it needs no read model of events.

Charges, invoices and reports come from the sinks' tables, as in `warehouse.queries.traces`; so do their words.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.errors import InvalidRecord
from common.timestamps import instant
from rating.model.facts import fact, subjects_of
from rating.model.money import rounded_money
from schemas.errors import Undecodable
from storage.postgres import Pool, transaction
from streaming.batch import Record
from streaming.topic_reader import partitions_of, read_one, read_partitions
from topics import topic_names
from topics.catalogue import TOPICS
from topics.records import decoded, header_text
from warehouse.events import FACTS, Arrival, history_of
from warehouse.queries.invoices import StatusRow, reports_of
from warehouse.queries.traced_charges import TracedCharge, charges_of
from warehouse.trace_steps import (
    TraceStep,
    charge_step,
    in_order,
    invoice_steps,
    posting_words,
    report_step,
    status_steps,
)

_POSITION = re.compile(r"([a-z._-]+):([0-9]{1,9}):([0-9]{1,18})")
TOPIC_OF = {kind: topic for topic, (kind, _) in FACTS.items()} | {"minimum": topic_names.BILLING_PERIODS}
"""The topic of each kind of subject."""


@dataclass(frozen=True, slots=True)
class ChargeProgress:
    """The state of a charge, with the instant of each step; null for a step not reached."""

    charge_id: str
    state: str
    amount: str
    reverses: str | None
    reversed_by: str | None
    invoice_id: str | None
    decided_at: datetime
    posted_at: datetime | None
    invoiced_at: datetime | None
    paid_at: datetime | None

    def seconds(self) -> dict[str, float]:
        """{step: seconds it took}, of the steps that are done."""
        ends = {"posted": self.posted_at, "invoiced": self.invoiced_at, "paid": self.paid_at}
        found, before = dict[str, float](), self.decided_at
        for step, at in ends.items():
            if at is not None:
                found[step], before = max((at - before).total_seconds(), 0.0), at
        return found


def engagements_of(broker: str, subject: str) -> set[str]:
    """The engagements that have a revision of the subject."""
    topic = TOPIC_OF[subject.partition(":")[0]]
    found = ((record, _decoded(record)) for record in read_partitions(broker, partitions_of(broker, [topic])))
    return {
        str(value["engagement_id"])
        for _, value in found
        if value is not None and subject in subjects_of(fact(topic, value))
    }


def trace(broker: str, pool: Pool, engagement: str, subject: str) -> list[TraceStep]:
    """Everything that happened to the subject, in order of time. Raises Unreachable."""
    with transaction(pool) as cursor:
        charges = charges_of(cursor, engagement, subject)
        reports = reports_of(cursor, engagement, subject)
    own = {charge.charge_id: charge for charge in charges}
    topic = TOPIC_OF[subject.partition(":")[0]]
    followed = (topic, *_HISTORY, topic_names.ERP_POSTINGS, topic_names.INVOICE_STATUS)
    steps, sources, statuses = list[TraceStep](), dict[str, TraceStep](), list[StatusRow]()
    for record, value in _of_engagement(broker, engagement, followed):
        if record.topic == topic:
            if subject in subjects_of(fact(topic, value)):
                steps.append(_history_step(record, value))
                if source := _source(broker, record):
                    sources.setdefault(source.where, source)
        elif record.topic == topic_names.ERP_POSTINGS:
            steps += _posting_step(record, value, own)
        elif record.topic == topic_names.INVOICE_STATUS:
            statuses += _status(record, value, own)
        elif value["subject"] == subject:
            steps.append(_history_step(record, value))
    first = {status.invoice_id: status.at for status in reversed(statuses)}
    return in_order(
        [
            *sources.values(),
            *steps,
            *map(charge_step, own.values()),
            *invoice_steps(own.values(), first),
            *status_steps(statuses),
            *map(report_step, reports),
        ]
    )


_HISTORY = (topic_names.EXCEPTION_DECISIONS, topic_names.BILLING_EXCEPTIONS)


def progress_of_charges(broker: str, engagement: str, subject: str) -> list[ChargeProgress]:
    """The last published state of each charge of the subject, in the order of decision."""
    last: dict[str, ChargeProgress] = {}
    for _, value in _of_engagement(broker, engagement, (topic_names.CHARGE_STATES,)):
        if value["subject"] == subject:
            fields: dict[str, Any] = {name: value[name] for name in ChargeProgress.__dataclass_fields__}
            amount = rounded_money(Decimal(str(value["amount"])), str(value["currency"]))
            last[str(value["charge_id"])] = ChargeProgress(**fields | {"amount": f"{amount} {value['currency']}"})
    return list(last.values())


def _of_engagement(
    broker: str, engagement: str, topics: Iterable[str]
) -> Iterable[tuple[Record, Mapping[str, object]]]:
    """Readable records of the engagement: all its records share one partition number, so the others end quickly."""
    for record in read_partitions(broker, partitions_of(broker, tuple(topics))):
        if record.key == engagement.encode() and (value := _decoded(record)) is not None:
            yield record, value


def _decoded(record: Record) -> dict[str, object] | None:
    try:
        return decoded(record)
    except (Undecodable, InvalidRecord):
        return None


def _where(record: Record) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset}"


def _history_step(record: Record, value: Mapping[str, object]) -> TraceStep:
    at = instant(record.timestamp_ms)
    event = history_of(Arrival(record.topic, record.partition, record.offset, at, value, None))
    assert event is not None  # noqa: S101 - only topics of the history come here
    _, stage, words = event
    return TraceStep(at, stage, words, _where(record))


def _posting_step(
    record: Record, value: Mapping[str, object], charges: Mapping[str, TracedCharge]
) -> Iterable[TraceStep]:
    """An ERP's answer, where it is to one of the charges."""
    charge = charges.get(str(value["charge_id"]))
    if charge is not None:
        words = posting_words(
            value["system"], value["status"], value["reference"], value["posting_period"], value["reason"]
        )
        at = instant(record.timestamp_ms)
        yield TraceStep(at, "posting", words, _where(record), charge.charge_id, None, charge.amount, charge.currency)


def _status(record: Record, value: Mapping[str, Any], charges: Mapping[str, TracedCharge]) -> Iterable[StatusRow]:
    """A status of an invoice, where one of the charges is on it."""
    if not charges.keys().isdisjoint(value["charge_ids"]):
        yield StatusRow(
            value["invoice_id"], value["status"], value["amount"], value["currency"], value["at"], _where(record)
        )


def _source(broker: str, record: Record) -> TraceStep | None:
    """The source record that a canonical revision says it was made from."""
    position = _POSITION.fullmatch(header_text(record, "source.position") or "")
    if position is None or position[1] not in TOPICS:
        return None
    found = read_one(broker, position[1], int(position[2]), int(position[3]))
    if found is None:
        return None
    value = _decoded(found) or {}
    shown = ", ".join(f"{name} {content}" for name, content in value.items() if content not in (None, "", []))
    words = f"{header_text(record, 'source.record') or ''}{from_file(found)}: {shown}"
    return TraceStep(instant(found.timestamp_ms), "source", words, _where(found))


def from_file(record: Record) -> str:
    """The file and line of a source record, for one that came in a file."""
    name = header_text(record, "file.name")
    return "" if name is None else f" (line {header_text(record, 'file.line')} of {name})"
