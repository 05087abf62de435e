"""Compares postings and documents in the database with their announcements (DOMAIN.md §5.3)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from assurance.publications import POSTINGS, STATUSES, Announcements, PublishedObject, document_name
from sinks.journal import JOURNAL
from sinks.routing_policy import Routes
from storage.postgres import Pool, transaction
from topics.catalogue import CHARGES_TOPIC

_POSTINGS: LiteralString = """
SELECT posting_id, system, charge_id, status, 'JRN-' || number, reason, revision,
       CASE status WHEN 'posted' THEN posting_period END
FROM hourstream.journal_postings WHERE entry = 'charge'
"""
_STATUSES: LiteralString = """
SELECT i.invoice_id, c.engagement_id, i.standing, i.payable, i.currency, i.revision, array_agg(charge_id)
FROM hourstream.invoices i
JOIN hourstream.invoice_charges USING (invoice_id) JOIN hourstream.charges c USING (charge_id)
WHERE i.kind <> 'nothing' GROUP BY i.invoice_id, c.engagement_id
"""
_UNSENT: LiteralString = """
SELECT topic, coalesce(value ->> 'posting_id', (value ->> 'invoice_id') || ' of ' || (value ->> 'engagement_id')),
       (value ->> 'revision')::bigint
FROM hourstream.outbox WHERE sent_at IS NULL AND topic = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class AnnouncedRows:
    """The database at one moment: rows by their announced name, the positions of journals, and waiting announcements by
    topic, name and revision.
    """

    postings: Mapping[str, tuple[Any, ...]]
    documents: Mapping[str, tuple[Any, ...]]
    unsent: frozenset[tuple[str, str, int]]
    positions: Mapping[tuple[str, int], int]
    journals: frozenset[str]


def rows(pool: Pool) -> AnnouncedRows:
    """All of it. Raises Unreachable."""
    with transaction(pool) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        postings = {name: tuple(row) for name, *row in cursor.execute(_POSTINGS).fetchall()}
        documents = {
            document_name(invoice_id, engagement_id): (engagement_id, *row)
            for invoice_id, engagement_id, *row in cursor.execute(_STATUSES).fetchall()
        }
        unsent = cursor.execute(_UNSENT, ([POSTINGS, STATUSES],)).fetchall()
        positions = cursor.execute(
            "SELECT sink, partition, next_offset FROM hourstream.positions WHERE topic = %s", (CHARGES_TOPIC,)
        ).fetchall()
    return AnnouncedRows(
        postings,
        documents,
        frozenset((topic, name, revision) for topic, name, revision in unsent),
        {(sink, partition): at for sink, partition, at in positions},
        frozenset(row[0] for row in postings.values()),
    )


def posting_faults(held: AnnouncedRows, said: Announcements) -> Iterator[str]:
    """Postings that were not announced as they are, and announcements of postings that are not there."""
    announced = said.said[POSTINGS]
    for name, (system, charge_id, status, reference, reason, revision, period) in held.postings.items():
        told = announced.get(name)
        if told is None or max(told.revisions) != revision:
            if (POSTINGS, name, revision) not in held.unsent:
                yield f"{system} has posted {charge_id} at revision {revision}, which {POSTINGS} does not say"
            continue
        said_period = told.last["posting_period"] or period  # announcements from before it was told have none
        said_rest = tuple(told.last[field] for field in ("status", "reference", "reason"))
        if (*said_rest, said_period) != (status, reference, reason, period):
            yield f"{system} holds {charge_id} otherwise than {POSTINGS} says"
    for name, told in announced.items():
        if told.last["system"] in held.journals and name not in held.postings:
            yield f"{POSTINGS} says {told.last['system']} has {told.last['charge_id']}, which has no posting"


def status_faults(held: AnnouncedRows, said: Announcements) -> Iterator[str]:
    """Documents whose present status was not announced, and announcements of documents that do not exist."""
    announced = said.said[STATUSES]
    for name, (engagement_id, standing, payable, currency, revision, charge_ids) in held.documents.items():
        told = announced.get(name)
        if told is None or max(told.revisions) != revision:
            if (STATUSES, name, revision) not in held.unsent:
                yield f"{name} is {standing} at revision {revision}, which {STATUSES} does not say"
            continue
        if _status(told) != (engagement_id, standing, payable, currency, sorted(charge_ids)):
            yield f"{name} stands otherwise than {STATUSES} says"
    for name, told in announced.items():
        if name not in held.documents:
            yield f"{STATUSES} speaks of {told.last['invoice_id']}, which is no document"


def _status(told: PublishedObject) -> tuple[object, ...]:
    last = told.last
    return last["engagement_id"], last["status"], last["amount"], last["currency"], sorted(last["charge_ids"])


def unposted(
    held: AnnouncedRows, routes: Routes, charges: Iterable[Mapping[str, Any]], places: Mapping[str, tuple[int, int]]
) -> Iterator[str]:
    """Charges that a journal has read, that routes give to it, and that it has not posted. `places` by charge id."""
    posted = {(system, charge_id) for system, charge_id, *_ in held.postings.values()}
    read = {system for system, _ in held.positions} & {JOURNAL, *held.journals}
    for charge in charges:
        charge_id, (partition, offset) = str(charge["charge_id"]), places[str(charge["charge_id"])]
        for system in sorted(read):
            due = routes.goes_to(system, charge, (system, charge["reverses"]) in posted)
            if due and offset < held.positions.get((system, partition), 0) and (system, charge_id) not in posted:
                yield f"{system} has read {charge_id} and not posted it"
