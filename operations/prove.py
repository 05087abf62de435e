"""Reads what the bundle of an invoice holds: the document, its engagements' facts and charges, their masters, seals."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

from assurance.hash_chain import KEYLESS, SEALED, Place
from assurance.invoice_bundle import Chain, Evidence, ReadRecord, chain_of, document_of, masters_of
from assurance.seal_heads import Copy, kept
from assurance.seal_topic import follow, read_seals
from assurance.sealed_tables import SEALED_TABLES, rows_from
from assurance.sealer import readers_of
from common.errors import SinkError
from storage.postgres import Pool, transaction
from streaming.batch import Record
from streaming.topic_reader import partitions_of, read_partitions
from topics.catalogue import CHARGES_TOPIC, MASTERS, SETTLE_INPUTS
from topics.records import valid

_INVOICES = "hourstream.invoices"
_HEAD = """
SELECT i.issue_number, r.cut_off FROM hourstream.invoices i LEFT JOIN hourstream.invoice_runs r USING (run)
WHERE i.invoice_id = %s AND i.kind <> 'nothing'
"""
_ENGAGEMENTS = """
SELECT DISTINCT c.engagement_id, c.partition FROM hourstream.invoice_charges own JOIN hourstream.charges c
USING (charge_id) WHERE own.invoice_id = %s ORDER BY 1
"""
_BILLED_BEFORE = """
SELECT reversal.reverses, origin.invoice_id
FROM hourstream.invoice_charges own
JOIN hourstream.charges reversal ON reversal.charge_id = own.charge_id
JOIN hourstream.invoice_charges origin ON origin.charge_id = reversal.reverses
WHERE own.invoice_id = %(id)s AND origin.invoice_id = ANY(%(credits)s::text[])
"""


class NoInvoice(SinkError):
    """There is no such document."""


def gather(broker: str, pool: Pool, key: bytes, copies: Sequence[Copy], invoice_id: str) -> Evidence:
    """Everything that the bundle of an issued document holds; `key` and `copies` are those of the seals.

    Raises NoInvoice, KafkaException, Unreachable, OSError.
    """
    row, cut_off, partitions, billed_before = _document(pool, invoice_id)
    places = [
        place for place in partitions_of(broker, (*SETTLE_INPUTS, CHARGES_TOPIC)) if place[1] in partitions.values()
    ]
    found = [ReadRecord(*each) for each in valid(_of(broker, places, {id_.encode() for id_ in partitions}))]
    facts = [said for said in found if said.record.topic != CHARGES_TOPIC]
    masters = [ReadRecord(*each) for each in valid(read_partitions(broker, partitions_of(broker, MASTERS)))]
    charges = [said for said in found if said.record.topic == CHARGES_TOPIC]
    chains, heads = _seals(broker, pool, key, copies, [row, *(said.record for said in found)])
    return Evidence(
        invoice=row,
        cut_off=cut_off,
        billed_before=billed_before,
        engagements=sorted(partitions),
        facts=facts,
        masters=masters_of(facts, masters),
        charges=charges,
        chains=chains,
        heads=heads,
        sealed_with_key=key != KEYLESS,
    )


def _document(pool: Pool, invoice_id: str) -> tuple[Record, date | None, dict[str, int], dict[str, str]]:
    """The sealed row, its cut-off, the partition of each engagement on it, the invoices of what it takes back."""
    with transaction(pool) as cursor:
        head = cursor.execute(_HEAD, (invoice_id,)).fetchone()
        if head is None:
            raise NoInvoice(f"{invoice_id} is no invoice or credit note; see `hourstream invoice list`")
        partitions = {str(name): int(number) for name, number in cursor.execute(_ENGAGEMENTS, (invoice_id,)).fetchall()}
    row = next(rows_from(pool, SEALED_TABLES[_INVOICES], int(head[0])))
    wanted = {"id": invoice_id, "credits": document_of(row)["credits"]}
    with transaction(pool) as cursor:
        before = {str(charge): str(on) for charge, on in cursor.execute(_BILLED_BEFORE, wanted).fetchall()}
    return row, head[1], partitions, before


def _of(broker: str, places: Sequence[Place], keys: set[bytes]) -> Iterator[Record]:
    return (record for record in read_partitions(broker, places) if record.key in keys)


def _seals(
    broker: str, pool: Pool, key: bytes, copies: Sequence[Copy], records: Sequence[Record]
) -> tuple[list[Chain], str]:
    """The chains of the sealed records among some, up to their heads, and the list of heads."""
    wanted: dict[Place, set[int]] = defaultdict(set)
    for record in records:
        if record.topic in (*SEALED, _INVOICES):
            wanted[record.topic, record.partition].add(record.offset)
    lying, heads = read_seals(broker, key), kept(copies, key).heads
    rows = partial(rows_from, pool, SEALED_TABLES[_INVOICES])
    readers = readers_of(broker, SEALED, {(_INVOICES, 0): rows})
    chains = []
    for place, offsets in sorted(wanted.items()):
        head = heads.chains.get(place) if heads else None
        followed = follow(lying.found.get(place, ()), head.hash if head else None)
        if followed.chain:
            chains.append(chain_of(key, place, followed.chain, offsets, readers[place]))
    return chains, heads.text if heads else ""
