"""Bundles of invoices over a made-up stream: settled, invoiced twice and sealed in memory, without any server."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson

from assurance.hash_chain import KEYLESS, SEALED, Place, Seal, make
from assurance.invoice_bundle import Evidence, ReadRecord, chain_of, files_of, masters_of
from assurance.ledger_reader import Books
from assurance.seal_heads import heads_of
from invoicing.document import Invoice
from invoicing.draft import Draft, DueCharge, draft_invoices
from invoicing.issue import issue
from invoicing.parties import Names
from streaming.batch import Record
from tests.unit.tables.stream import Line, Stream
from topics.catalogue import CHARGES_TOPIC, MASTERS, SETTLE_INPUTS
from topics.records import decoded

INVOICES = "hourstream.invoices"
SEALED_AT_ONCE = 9
_DUE = [field.name for field in fields(DueCharge) if field.name not in ("credits", "counterpart")]


class KeptBooks(Books):
    """The books, and every record they were made of."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []

    def take(self, record: Record) -> None:
        self.records.append(record)
        super().take(record)


@dataclass
class Firm:
    """A stream with its invoices so far: `documents` are rows as they are sealed."""

    stream: Stream = field(default_factory=Stream)
    documents: list[Record] = field(default_factory=list)
    invoices: dict[str, Draft] = field(default_factory=dict)
    billed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.books = KeptBooks()
        self.stream.books = self.books

    def deliver(self, lines: Sequence[Line]) -> None:
        self.stream.deliver(lines)
        self.stream.rest()

    def invoice(self, cut_off: date) -> list[str]:
        """Issue what is due; the ids of the documents."""
        published = [charge for of in self.books.charges.values() for charge in of]
        published.sort(key=lambda charge: self.books.positions[str(charge["charge_id"])])
        due = [
            DueCharge(**{name: charge[name] for name in _DUE}, credits=self.billed.get(str(charge["reverses"])))  # type: ignore[arg-type]
            for charge in published
            if charge["charge_id"] not in self.billed
            and charge["reason"] != "NON_BILLABLE"
            and charge["work_date"] <= cut_off  # type: ignore[operator]
        ]
        rests = {name: {(t.category, t.rate): t.base for t in draft.taxes} for name, draft in self.invoices.items()}
        issued = []
        for draft in draft_invoices(due, rests):
            name = f"LE1-2024-{len(self.documents) + 1:05d}"
            self.billed |= dict.fromkeys(draft.charge_ids, name)
            if draft.kind == "nothing":
                continue
            self.invoices[name] = draft
            document = issue(draft, name, date(2024, 12, 31), Names())
            self.documents.append(_row(len(self.documents) + 1, document, draft))
            issued.append(name)
        return issued

    def records_of(self, topics: Iterable[str]) -> list[Record]:
        return [record for record in self.books.records if record.topic in set(topics)]

    def chain(self, key: bytes, topic: str) -> list[Seal]:
        """The seals of a topic's records, in groups of a few."""
        records = self.documents if topic == INVOICES else self.records_of([topic])
        seals: list[Seal] = []
        for start in range(0, len(records), SEALED_AT_ONCE):
            seals.append(make(key, seals[-1] if seals else None, records[start : start + SEALED_AT_ONCE]))
        return seals

    def bundle(self, invoice_id: str, verifier: bytes = b"", key: bytes = KEYLESS) -> dict[str, bytes]:
        """The files of the bundle of a document."""
        draft = self.invoices[invoice_id]
        row = next(row for row in self.documents if orjson.loads(row.value or b"")["invoice_id"] == invoice_id)
        own = set(draft.charge_ids)
        engagement = draft.account.engagement_id
        ours = [ReadRecord(r, decoded(r)) for r in self.records_of((*SETTLE_INPUTS, CHARGES_TOPIC))]
        ours = [said for said in ours if said.value["engagement_id"] == engagement]
        facts = [said for said in ours if said.record.topic != CHARGES_TOPIC]
        charges = [said for said in ours if said.record.topic == CHARGES_TOPIC]
        masters = masters_of(facts, [ReadRecord(r, decoded(r)) for r in self.records_of(MASTERS)])
        last: dict[Place, Seal] = {}
        chains = []
        for topic in sorted({said.record.topic for said in ours if said.record.topic in SEALED} | {INVOICES}):
            seals = self.chain(key, topic)
            last[topic, 0] = seals[-1]
            records = self.documents if topic == INVOICES else self.records_of([topic])
            wanted = [row.offset] if topic == INVOICES else [s.record.offset for s in ours if s.record.topic == topic]
            chains.append(chain_of(key, (topic, 0), seals, wanted, lambda start, all_=records: _from(all_, start)))  # type: ignore[misc]
        reversed_here = [said.value["reverses"] for said in charges if said.value["charge_id"] in own]
        before = {
            id_: self.billed[id_] for id_ in reversed_here if id_ in self.billed and self.billed[id_] != invoice_id
        }
        evidence = Evidence(
            invoice=row,
            cut_off=date(2024, 12, 31),
            billed_before=before,
            engagements=[engagement],
            facts=facts,
            masters=masters,
            charges=charges,
            chains=chains,
            heads=heads_of(last, None, datetime(2024, 12, 31, tzinfo=UTC)).signed(key).text,
            sealed_with_key=key != KEYLESS,
        )
        return files_of(evidence, verifier)


def _from(records: Sequence[Record], start: int) -> Iterable[Record]:
    return (record for record in records if record.offset >= start)


def _row(number: int, document: Invoice, draft: Draft) -> Record:
    """A document as its row in PostgreSQL reads when it is sealed."""
    grouped = ("kind", "subject", "task_id", "labor_category")
    lines = [
        {name: _text(value) for name, value in asdict(line).items()}
        | {"line": line.line}
        | {name: getattr(drafted.key, name) for name in grouped}
        for line, drafted in zip(document.lines, draft.lines, strict=True)
    ]
    taxes = [{name: _text(value) for name, value in asdict(tax).items()} for tax in document.taxes]
    values: Mapping[str, Any] = {
        "invoice_id": document.invoice_id,
        "run": "1",
        "kind": document.kind,
        "legal_entity": draft.account.legal_entity,
        "year": "2024",
        "sequence": str(number),
        "client_id": draft.account.client_id,
        "engagement_id": document.engagement_id,
        "engagement_name": document.engagement_name,
        "currency": document.currency,
        "issue_date": document.issue_date.isoformat(),
        "due_date": None,
        "po_number": document.po_number,
        **{name: _text(getattr(document, name)) for name in ("net", "tax", "rounding", "payable")},
        "seller": orjson.dumps(asdict(document.seller)).decode(),
        "buyer": orjson.dumps(asdict(document.buyer)).decode(),
        "tax_reason": document.tax_reason,
        "credits": f"{{{','.join(draft.credits)}}}",
        "document": document.invoice_id,
        "system": "hourstream",
        "lines": orjson.dumps(lines).decode(),
        "taxes": orjson.dumps(taxes).decode(),
        "charges": f"{{{','.join(sorted(draft.charge_ids))}}}",
        "at": "2024-12-31T00:00:00.000000+00:00",
    }
    value = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    return Record(INVOICES, 0, number, 1_735_603_200_000, None, value, ())


def _text(value: object) -> object:
    """A decimal with the six places of its column; everything else as it is."""
    return f"{value:.6f}" if isinstance(value, Decimal) else value
