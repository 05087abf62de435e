"""Takes in statuses and payments from outside: matches them to our invoices, sums them, and announces the result.

Only this process writes `invoice.status`. An event is stored first, so its order of arrival does not matter: after
every new event the invoice's status is computed from all its events (`invoicing.payment_status`). An event that cannot
be used is an exception. It is examined again when the thing it waits for may have arrived: a charge, an invoice run, a
void, a link, a start with other status words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg import Cursor
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from common.errors import SinkError
from common.isolation import ISOLATED, divide
from common.timestamps import instant_text
from invoicing.external_invoices import register
from invoicing.outbox_records import STATUS_TOPIC, announce, status_records
from invoicing.payment_status import InvoiceEvent, InvoiceStanding, Status, history
from invoicing.problems import ProblemFound, StatusProblem, announce_problem
from invoicing.status_events import (
    EventRow,
    Number,
    StoredEvent,
    events_of_document,
    events_of_number,
    keep,
    resolve,
    waiting_numbers,
)
from invoicing.status_mapping import UnknownWord, Words
from invoicing.void import void
from storage.charge_batch import SinkBatch
from storage.isolated_write import SetAside, passes_on, write_isolated
from storage.positions import advance, position
from storage.postgres import Lock, Pool, transaction
from topics import topic_names

NAME = "billing-statuses"
EVENTS_TOPIC = topic_names.SOURCE_BILLING_STATUSES


class NoSuchInvoice(SinkError):
    """There is no such invoice."""


@dataclass(frozen=True, slots=True)
class _Row:
    """An invoice's row, as far as its standing goes."""

    invoice_id: str
    engagement_id: str
    status: str
    currency: str
    payable: Decimal
    revision: int
    announced: list[list[str]]
    issued_at: datetime
    charges: dict[str, list[str]]


_ROWS = """
SELECT invoice_id, engagement_id, status, currency, payable, revision, announced,
       coalesce(issued_at, run_at) AS issued_at,
       (SELECT jsonb_object_agg(engagement_id, charge_ids) FROM (
            SELECT engagement_id, array_agg(charge_id ORDER BY charge_id) AS charge_ids
            FROM hourstream.invoice_charges l JOIN hourstream.charges USING (charge_id)
            WHERE l.invoice_id = i.invoice_id GROUP BY engagement_id) c) AS charges
FROM hourstream.invoices i LEFT JOIN hourstream.invoice_runs USING (run)
WHERE document = %s AND kind <> 'nothing' ORDER BY invoice_id
"""
_STANDS = """
UPDATE hourstream.invoices
SET standing = %s, standing_at = %s, announced = %s, revision = %s WHERE invoice_id = %s
"""


class StatusIntake:
    """Takes in batches of `source.billing.statuses`; each in one transaction with its position."""

    def __init__(self, pool: Pool, words: Words) -> None:
        self._pool, self._words = pool, words

    def position(self, partition: int) -> int:
        """The next offset to read. Raises Unreachable."""
        with transaction(self._pool) as cursor:
            return position(cursor, NAME, EVENTS_TOPIC, partition)

    def write(
        self,
        partition: int,
        start: int,
        end: int,
        rows: Sequence[EventRow],
        set_aside: SetAside[EventRow] | None = None,
    ) -> None:
        """Keep the events at the offsets from `start` to `end`, and apply them.

        Events that the database cannot hold go to `set_aside`. Raises Fenced, Unreachable, Misconfigured.
        """

        def begin(cursor: Cursor[TupleRow]) -> None:
            advance(cursor, NAME, SinkBatch(EVENTS_TOPIC, partition, start, end, ()))
            if rows:
                _lock_invoices(cursor)  # before any event: every process locks in this order

        def take(cursor: Cursor[TupleRow], part: Sequence[EventRow]) -> None:
            touched = keep(cursor, EVENTS_TOPIC, part) if part else None
            if touched and touched.numbers:
                self._apply(cursor, touched.numbers, touched.documents)

        write_isolated(self._pool, f"{EVENTS_TOPIC}-{partition}", rows, begin, take, lambda _: None, set_aside)

    def apply_waiting(self, code: str | None = None) -> None:
        """Examine unused events again, all or those of one reason. Raises Unreachable, Misconfigured.

        A number whose events cannot be applied is left as it is, logged and counted.
        """
        with transaction(self._pool) as cursor:

            def attempt(numbers: Sequence[Number]) -> None:
                with cursor.connection.transaction():  # a savepoint
                    self._apply(cursor, numbers)

            if waiting := waiting_numbers(cursor, code):
                _lock_invoices(cursor)
                divide(sorted(waiting), attempt, _leave, passes_on)

    def link(self, system: str, number: str, invoice_id: str) -> None:
        """Link a system's number to our invoice. Raises NoSuchInvoice, Unreachable."""
        with transaction(self._pool) as cursor:
            _lock_invoices(cursor)
            document = _document_of(cursor, [invoice_id])
            if document is None:
                raise NoSuchInvoice(f"{invoice_id} is no invoice; see `hourstream invoice list`")
            cursor.execute(
                "INSERT INTO hourstream.invoice_links AS l VALUES (%s, %s, %s)"
                " ON CONFLICT (system, number) DO UPDATE SET document = excluded.document",
                (system, number, document),
            )
            self._apply(cursor, [(system, number)])

    def _apply(self, cursor: Cursor[TupleRow], numbers: Iterable[Number], documents: Iterable[str] = ()) -> None:
        found = set(documents)
        for number in sorted(numbers):
            events = events_of_number(cursor, number)
            try:
                document = self._find(cursor, number, events)
            except ProblemFound as unusable:
                for event in events:
                    announce_problem(cursor, event, None if self._is_quiet(event) else unusable.problem)
            else:
                found |= {event.document for event in events if event.document}
                found.add(document)
                resolve(cursor, number, document)
        for document in sorted(found):
            self._settle(cursor, document)

    def _find(self, cursor: Cursor[TupleRow], number: Number, events: Sequence[StoredEvent]) -> str:
        """The document of a number; raises ProblemFound."""
        system, name = number
        references = [event.reference for event in events if event.reference]
        document = _document_of(cursor, [*references, name]) or _linked(cursor, number)
        if document is not None:
            return document
        made = [event for event in events if event.charge_ids and not self._is_quiet(event)]
        if made and not references:
            try:
                for event in made:
                    self._meaning(event)
            except UnknownWord as unknown:
                raise ProblemFound(_unmapped(event, unknown)) from unknown
            return register(cursor, made[0], made[0].at)
        missing = references[0] if references else f"{system}:{name}"
        message = f"{system} speaks of its invoice {name}, which is none of ours: `hourstream invoice link` says which"
        raise ProblemFound(StatusProblem("UNKNOWN_INVOICE", message, ("invoice", missing)))

    def _is_quiet(self, event: StoredEvent) -> bool:
        """Whether an event has no effect while its invoice is unknown: a draft, or one voided before it came here."""
        try:
            status = self._meaning(event)
        except UnknownWord:
            return False
        return event.payment is None and (status is None or status == "voided")

    def _meaning(self, event: StoredEvent) -> Status | None:
        """The event's status mapped to ours, None if it has no status with an effect. Raises UnknownWord."""
        return None if event.status is None else self._words.status(event.system, event.status)

    def _settle(self, cursor: Cursor[TupleRow], document: str) -> None:
        """Compute the status of a document from all reports about it, and announce changes."""
        with cursor.connection.cursor(row_factory=class_row(_Row)) as reader:
            rows = reader.execute(_ROWS, (document,)).fetchall()
        if not rows:
            return  # it netted to zero and needs no payment
        events = events_of_document(cursor, document)
        usable, problems = self._usable(events, rows[0].currency)
        payable = sum((row.payable for row in rows), Decimal(0))
        stands = history(payable, usable)
        paid = sum((event.payment for event in usable if event.payment is not None), Decimal(0))
        cursor.execute("UPDATE hourstream.invoices SET paid = %s WHERE document = %s", (paid, document))
        is_voided = rows[0].status == "voided"
        if not is_voided:
            for row in rows:
                _announce(cursor, row, stands)
        if is_voided or (stands and stands[-1].status == "voided"):
            problems |= _stranded(events, problems)
        for event in events:
            problem = problems.get(event.name)
            announce_problem(cursor, event, problem, rows[0].engagement_id if problem else "")

    def _usable(
        self, events: Sequence[StoredEvent], currency: str
    ) -> tuple[list[InvoiceEvent], dict[str, StatusProblem]]:
        """The mapped events, and the problems of the others, by their names."""
        usable, problems = list[InvoiceEvent](), dict[str, StatusProblem]()
        for event in events:
            name = event.name
            try:
                status = self._meaning(event)
            except UnknownWord as unknown:
                problems[name] = _unmapped(event, unknown)
                continue
            if event.payment is not None and event.payment_currency != currency:
                message = f"a payment in {event.payment_currency} for an invoice in {currency}"
                problems[name] = StatusProblem("OTHER_CURRENCY", message, None, event.payment)
                continue
            usable.append(InvoiceEvent(event.at, name, status, event.payment))
        return usable, problems


def _leave(number: Number, error: Exception) -> None:
    ISOLATED.log(f"{NAME}: invoice {number[1]} of {number[0]}", error)
    ISOLATED.count("scope")


def _lock_invoices(cursor: Cursor[TupleRow]) -> None:
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.INVOICES,))


def _unmapped(event: StoredEvent, unknown: UnknownWord) -> StatusProblem:
    return StatusProblem("UNMAPPED_STATUS", str(unknown), ("status", f"{event.system}:{event.status}"))


def _stranded(events: Sequence[StoredEvent], problems: dict[str, StatusProblem]) -> dict[str, StatusProblem]:
    """The payments of a voided invoice, unless they were given back: the money has to go somewhere."""
    paid = [event for event in events if event.payment is not None and event.name not in problems]
    if not sum((event.payment or Decimal(0) for event in paid), Decimal(0)):
        return {}
    message = "the invoice is voided: give the payment back, or book it on the invoice that came after"
    return {e.name: StatusProblem("VOIDED_INVOICE", message, None, e.payment) for e in paid}


def _announce(cursor: Cursor[TupleRow], row: _Row, stands: Sequence[InvoiceStanding]) -> None:
    """Announce each status once, and the present one last, so that it ranks highest. The issuing process announces
    `issued`.
    """
    first = InvoiceStanding("issued", row.issued_at, Decimal(0))
    last = stands[-1] if stands else first
    told = [(status, at) for status, at in row.announced] or [_key(first)]
    new = [one for one in stands if _key(one) not in told]
    if (new or told)[-1] not in (last, _key(last)):
        new.append(last)
    if not new:
        return
    revision, records = row.revision, list[dict[str, object]]()
    for one in new:
        if one.status == "voided":
            break
        revision += 1
        told.append(_key(one))
        records += status_records(row.invoice_id, row.charges, one.status, row.payable, row.currency, one.at, revision)
    announce(cursor, STATUS_TOPIC, records)
    cursor.execute(_STANDS, (last.status, last.at, Jsonb(told), revision, row.invoice_id))
    if last.status == "voided":
        void(cursor, row.invoice_id, at=last.at, reason="another system says so")


def _key(standing: InvoiceStanding) -> tuple[str, str]:
    return standing.status, instant_text(standing.at)


def _document_of(cursor: Cursor[TupleRow], names: Sequence[str]) -> str | None:
    """The document of the first of these that is an invoice here."""
    found = cursor.execute(
        "SELECT document FROM hourstream.invoices WHERE invoice_id = ANY(%(names)s) AND kind <> 'nothing'"
        " ORDER BY array_position(%(names)s, invoice_id) LIMIT 1",
        {"names": list(names)},
    ).fetchone()
    return None if found is None else str(found[0])


def _linked(cursor: Cursor[TupleRow], number: Number) -> str | None:
    found = cursor.execute(
        "SELECT document FROM hourstream.invoice_links WHERE system = %s AND number = %s", number
    ).fetchone()
    return None if found is None else str(found[0])
