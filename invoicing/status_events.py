"""Billing events in PostgreSQL: the highest revision of each id, with its open problem."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import LiteralString, TypeAlias, TypedDict

from psycopg import Cursor
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from storage.bulk_load import stage

Number: TypeAlias = tuple[str, str]
"""A system and the number it gives an invoice."""


class Payment(TypedDict):
    """Money received; below zero: given back."""

    amount: Decimal
    currency: str
    reference: str


class BillingEvent(TypedDict):
    """A record of `source.billing.statuses` as the codec decodes it."""

    system: str
    invoice: str
    event_id: str
    reference: str | None
    status: str | None
    payment: Payment | None
    charge_ids: Sequence[str]
    amount: Decimal | None
    currency: str | None
    at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event and where it was read; `appended_at` is the record's append time."""

    partition: int
    offset: int
    appended_at: datetime
    event: BillingEvent


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A stored event; `problem` is the code of its open exception, `told` the exception's last publication."""

    system: str
    event_id: str
    invoice: str
    reference: str | None
    status: str | None
    payment: Decimal | None
    payment_currency: str | None
    charge_ids: list[str]
    amount: Decimal | None
    currency: str | None
    at: datetime
    appended_at: datetime
    document: str | None
    problem: str | None
    told: Mapping[str, object] | None
    attempts: int

    @property
    def name(self) -> str:
        """The system and its id of the event."""
        return f"{self.system}:{self.event_id}"

    @property
    def number(self) -> Number:
        """The system's own number of its invoice."""
        return self.system, self.invoice


_COLUMNS: Mapping[str, LiteralString] = {
    "system": "text",
    "event_id": "text",
    "revision": "bigint",
    "invoice": "text",
    "reference": "text",
    "status": "text",
    "payment": "numeric",
    "payment_currency": "text",
    "payment_reference": "text",
    "charge_ids": "text[]",
    "amount": "numeric",
    "currency": "text",
    "at": "timestamptz",
    "topic": "text",
    "partition": "integer",
    "record_offset": "bigint",
    "appended_at": "timestamptz",
}
# The highest revision of each event in a batch, the first of equal ones; it replaces a lower one.
_KEEP = """
INSERT INTO hourstream.billing_events AS e
    (system, event_id, revision, invoice, reference, status, payment, payment_currency, payment_reference, charge_ids,
     amount, currency, at, topic, partition, record_offset, appended_at)
SELECT DISTINCT ON (system, event_id) * FROM staged_billing_events
ORDER BY system, event_id, revision DESC, record_offset
ON CONFLICT (system, event_id) DO UPDATE
    SET revision = excluded.revision, invoice = excluded.invoice, reference = excluded.reference,
        status = excluded.status, payment = excluded.payment, payment_currency = excluded.payment_currency,
        payment_reference = excluded.payment_reference, charge_ids = excluded.charge_ids, amount = excluded.amount,
        currency = excluded.currency, at = excluded.at, topic = excluded.topic, partition = excluded.partition,
        record_offset = excluded.record_offset, document = NULL
    WHERE excluded.revision > e.revision
RETURNING system, invoice
"""
_STANDING = """
SELECT DISTINCT e.system, e.invoice, e.document
FROM hourstream.billing_events e JOIN staged_billing_events USING (system, event_id)
"""
_EVENTS: LiteralString = (
    "SELECT system, event_id, invoice, reference, status, payment, payment_currency, charge_ids, amount, currency, at,"
    " appended_at, document, problem, told, attempts FROM hourstream.billing_events"
)


@dataclass(frozen=True, slots=True)
class Touched:
    """The objects of a batch of events: numbers of other systems, and documents that lose an event by a correction."""

    numbers: frozenset[Number]
    documents: frozenset[str]


def keep(cursor: Cursor[TupleRow], topic: str, rows: Iterable[EventRow]) -> Touched:
    """Store events; an id that is known with the same or a higher revision is a duplicate and touches nothing."""
    stage(cursor, "staged_billing_events", _COLUMNS, (_columns(topic, row) for row in rows))
    before = cursor.execute(_STANDING).fetchall()
    new = {(system, invoice) for system, invoice in cursor.execute(_KEEP).fetchall()}
    if not new:
        return Touched(frozenset(), frozenset())
    documents = {document for _, _, document in before if document is not None}
    return Touched(frozenset(new | {(system, invoice) for system, invoice, _ in before}), frozenset(documents))


def _columns(topic: str, row: EventRow) -> tuple[object, ...]:
    event, payment = row.event, row.event["payment"]
    paid = (payment["amount"], payment["currency"], payment["reference"]) if payment else (None, None, None)
    said = (event["system"], event["event_id"], event["revision"], event["invoice"], event["reference"])
    made = (list(event["charge_ids"]), event["amount"], event["currency"], event["at"])
    return (*said, event["status"], *paid, *made, topic, row.partition, row.offset, row.appended_at)


def waiting_numbers(cursor: Cursor[TupleRow], code: str | None) -> frozenset[Number]:
    """The numbers of events that have a problem, or that one."""
    found = cursor.execute(
        "SELECT DISTINCT system, invoice FROM hourstream.billing_events"
        " WHERE problem IS NOT NULL AND (%(code)s::text IS NULL OR problem = %(code)s)",
        {"code": code},
    )
    return frozenset((system, invoice) for system, invoice in found.fetchall())


def events_of_number(cursor: Cursor[TupleRow], number: Number) -> list[StoredEvent]:
    """Every event of an invoice of another system, in the order of their instants."""
    return _read(cursor, _EVENTS + " WHERE system = %s AND invoice = %s ORDER BY at, event_id", number)


def events_of_document(cursor: Cursor[TupleRow], document: str) -> list[StoredEvent]:
    """Every event of a document, from all systems."""
    return _read(cursor, _EVENTS + " WHERE document = %s ORDER BY at, event_id", (document,))


def _read(cursor: Cursor[TupleRow], query: LiteralString, parameters: tuple[str, ...]) -> list[StoredEvent]:
    with cursor.connection.cursor(row_factory=class_row(StoredEvent)) as reader:
        return reader.execute(query, parameters).fetchall()


def resolve(cursor: Cursor[TupleRow], number: Number, document: str) -> None:
    """Note which document the events of a number speak of."""
    cursor.execute(
        "INSERT INTO hourstream.invoice_links VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", (*number, document)
    )
    cursor.execute(
        "UPDATE hourstream.billing_events SET document = %s WHERE system = %s AND invoice = %s", (document, *number)
    )


def note_problem(
    cursor: Cursor[TupleRow], event: StoredEvent, told: Mapping[str, object] | None, attempts: int
) -> None:
    """Store the problem of an event as its exception states it; None: no problem."""
    code = None if told is None else told["code"]
    cursor.execute(
        "UPDATE hourstream.billing_events SET problem = %s, told = %s, attempts = %s"
        " WHERE system = %s AND event_id = %s",
        (code, None if told is None else Jsonb(told), attempts, event.system, event.event_id),
    )
