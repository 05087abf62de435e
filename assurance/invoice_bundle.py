"""The bundle of an invoice: everything that is needed to derive each of its lines again, as the files of a folder.

Facts and masters are there with every revision and position, charges and the document as they were sealed, and of each
seal over them the hashes of all its records. Pure functions; `operations.prove` reads what they take. The reader of the
files is `tools/verify_invoice.py`, which has nothing in common with this module.
"""

import hmac
import io
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from assurance.hash_chain import KEYLESS, SEALED, Place, Seal, content, made_with
from rating.items.fx import MAX_AGE
from schemas.codec import REGISTRY
from schemas.errors import UnknownSchema
from schemas.json_codec import to_json
from streaming.batch import Record
from topics import topic_names

FORMAT = 1
VERIFIER = "verify_invoice.py"
_CROSSINGS = {"EUR", "USD"}
# Of persons and of the firm's own cost; no rule reads them.
_LEFT_OUT = {topic_names.MASTER_CONSULTANTS: ("name", "weekly_capacity_minutes")}
_ZIPPED_AT = (1980, 1, 1, 0, 0, 0)  # the same bundle has the same bytes


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A record and what it says."""

    record: Record
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of seals from its beginning, and by the end of a seal the (offset, hash) of each of its records."""

    place: Place
    seals: Sequence[Seal]
    digests: Mapping[int, Sequence[tuple[int, bytes]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a bundle holds.

    `invoice` is the row of the document as it is sealed. `billed_before` names, by charge, the invoice that bills what
    a reversal here takes back. `heads` is the signed list of heads, empty where there is none.
    """

    invoice: Record
    cut_off: date | None
    billed_before: Mapping[str, str]
    engagements: Sequence[str]
    facts: Sequence[ReadRecord]
    masters: Sequence[ReadRecord]
    charges: Sequence[ReadRecord]
    chains: Sequence[Chain] = field(default=())
    heads: str = ""
    sealed_with_key: bool = False


def masters_of(facts: Iterable[ReadRecord], masters: Sequence[ReadRecord]) -> list[ReadRecord]:
    """The masters, with every revision, that any revision of the facts or of their contracts can lead to."""
    found = _References(facts, masters)
    return [each for each in masters if found.names(each)]


def chain_of(
    key: bytes, place: Place, seals: Sequence[Seal], wanted: Iterable[int], read: Callable[[int], Iterable[Record]]
) -> Chain:
    """A chain with the hashes of the records of every seal that covers one of the wanted offsets.

    `read` gives the records of the place from an offset on.
    """
    offsets = set(wanted)
    covering = [seal for seal in seals if not offsets.isdisjoint(seal.offsets)]
    inside: dict[int, list[Record]] = {seal.end: [] for seal in covering}
    ends = {offset: seal.end for seal in covering for offset in seal.offsets}
    if covering:
        for record in read(covering[0].start):
            if record.offset >= covering[-1].end:
                break
            if record.offset in ends:
                inside[ends[record.offset]].append(record)
    digests = {}
    for seal in covering:
        own = key if made_with(key, seal, inside[seal.end]) else KEYLESS
        digests[seal.end] = [
            (record.offset, hmac.new(own, content(record), sha256).digest()) for record in inside[seal.end]
        ]
    return Chain(place, seals, digests)


def files_of(evidence: Evidence, verifier: bytes) -> dict[str, bytes]:
    """The files of the bundle by name; `verifier` is the program that checks them."""
    invoice = _invoice(evidence)
    files = {
        "invoice.json": _pretty(invoice),
        "facts.jsonl": _lines(map(_shown, evidence.facts)),
        "masters.jsonl": _lines(map(_shown, evidence.masters)),
        "charges.jsonl": _lines(map(_shown, evidence.charges)),
        "schemas.json": _pretty(_schemas([*evidence.facts, *evidence.charges])),
        "seals.jsonl": _lines(_seal(chain, seal) for chain in evidence.chains for seal in chain.seals),
        "heads.txt": evidence.heads.encode(),
        VERIFIER: verifier,
    }
    manifest = {
        "format": FORMAT,
        "invoice_id": invoice["value"]["invoice_id"],
        "engagements": sorted(evidence.engagements),
        "keyed": evidence.sealed_with_key,
        "files": {name: sha256(data).hexdigest() for name, data in sorted(files.items())},
    }
    return {**files, "manifest.json": _pretty(manifest)}


def write(files: Mapping[str, bytes], out: Path) -> None:
    """Write the files into a folder, or into one zip file where the name ends so. Raises OSError."""
    if out.suffix != ".zip":
        out.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (out / name).write_bytes(data)
        return
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIPPED_AT), data, zipfile.ZIP_DEFLATED)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(packed.getvalue())


def document_of(row: Record) -> dict[str, Any]:
    """What the sealed row of a document says, with its lists and parties as JSON."""
    said: dict[str, Any] = orjson.loads(row.value or b"{}")
    said |= {name: orjson.loads(said[name]) for name in ("lines", "taxes", "seller", "buyer")}
    return said | {name: _elements(said[name]) for name in ("charges", "credits")}


def _elements(array: str) -> list[str]:
    """The texts of an array as PostgreSQL writes it."""
    found, quoted, escaped, text = list[str](), False, False, ""
    for sign in array[1:-1]:
        if escaped or (sign not in '\\"' and (quoted or sign != ",")):
            text, escaped = text + sign, False
        elif sign == "\\":
            escaped = True
        elif sign == '"':
            quoted = not quoted
        else:
            found, text = [*found, text], ""
    return [*found, text] if text or found else []


class _References:
    """What facts and contracts name, in any revision."""

    def __init__(self, facts: Iterable[ReadRecord], masters: Sequence[ReadRecord]) -> None:
        values = [(said.record.topic, said.value) for said in facts]
        self._by: dict[str, list[Mapping[str, Any]]] = {}
        for said in masters:
            self._by.setdefault(said.record.topic, []).append(said.value)
        self._engagements = {value["engagement_id"] for _, value in values}
        contracts = [v for v in self._all(topic_names.MASTER_ENGAGEMENTS) if v["engagement_id"] in self._engagements]
        self._clients = _named(contracts, "client_id")
        clients = [v for v in self._all(topic_names.MASTER_CLIENTS) if v["client_id"] in self._clients]
        self._tasks = {v["task_id"] for t, v in values if t == topic_names.TIME_ENTRIES}
        self._consultants = {v["consultant_id"] for t, v in values if t == topic_names.TIME_ENTRIES}
        self._entities = _named(contracts, "legal_entity")
        self._calendars = _named(contracts, "holiday_calendar")
        self._policies = _named(contracts, "expense_policy_id")
        firm = {v["rate_card_id"] for v in self._all(topic_names.MASTER_RATE_CARDS) if v["is_firm_default"]}
        self._cards = firm | _named(contracts, "rate_card_id") | _named(clients, "default_rate_card_id")
        self._jurisdictions = _named(clients, "tax_jurisdiction") | _named(contracts, "seller_tax_jurisdiction")
        expenses = [v for t, v in values if t == "expenses"]
        self._places = _named(expenses, "place")
        self._days = [v["incurred_on"] for v in expenses]
        per_diems = [v for v in self._all(topic_names.MASTER_PER_DIEMS) if v["place"] in self._places]
        policies = [
            v for v in self._all(topic_names.MASTER_EXPENSE_POLICIES) if v["expense_policy_id"] in self._policies
        ]
        rules = [rule for policy in policies for rule in policy["rules"]]
        self._currencies = _CROSSINGS | _named([*expenses, *contracts, *per_diems], "currency")
        self._currencies |= _named(rules, "limit_currency")

    def _all(self, topic: str) -> Sequence[Mapping[str, Any]]:
        return self._by.get(topic, ())

    def names(self, said: ReadRecord) -> bool:
        """Whether a master is one of them."""
        value = said.value
        match said.record.topic:
            case topic_names.MASTER_ENGAGEMENTS:
                return value["engagement_id"] in self._engagements
            case topic_names.MASTER_CLIENTS:
                return value["client_id"] in self._clients
            case topic_names.MASTER_LEGAL_ENTITIES:
                return value["legal_entity_id"] in self._entities
            case topic_names.MASTER_TASKS:
                return value["task_id"] in self._tasks
            case topic_names.MASTER_CONSULTANTS:
                return value["consultant_id"] in self._consultants
            case topic_names.MASTER_RATE_CARDS:
                return value["rate_card_id"] in self._cards
            case topic_names.MASTER_CALENDARS:
                return value["calendar_id"] in self._calendars
            case topic_names.MASTER_EXPENSE_POLICIES:
                return value["expense_policy_id"] in self._policies
            case topic_names.MASTER_PER_DIEMS:
                return value["place"] in self._places
            case topic_names.MASTER_TAX_RULES:
                return value["jurisdiction"] in self._jurisdictions
            case topic_names.MASTER_FX_RATES:
                return {value["base"], value["quote"]} <= self._currencies and self._is_near(value["date"])
            case _:
                return False

    def _is_near(self, day: date) -> bool:
        """Whether an expense may be converted at a rate of the day."""
        return any(timedelta(0) <= incurred - day <= MAX_AGE for incurred in self._days)


def _named(records: Iterable[Mapping[str, Any]], name: str) -> set[str]:
    return {record[name] for record in records if record.get(name)}


def _invoice(evidence: Evidence) -> dict[str, Any]:
    shown = _position(evidence.invoice) | {"value": document_of(evidence.invoice), "raw": _raw(evidence.invoice)}
    cut_off = evidence.cut_off.isoformat() if evidence.cut_off else None
    return {**shown, "cut_off": cut_off, "billed_before": dict(sorted(evidence.billed_before.items()))}


def _shown(said: ReadRecord) -> dict[str, Any]:
    topic = said.record.topic
    value = {name: item for name, item in to_json(topic, said.value).items() if name not in _LEFT_OUT.get(topic, ())}
    for grade in value["grades"] if topic == topic_names.MASTER_CONSULTANTS else ():
        grade.pop("cost_rate", None)
    shown = _position(said.record) | {"value": value}
    return {**shown, "raw": _raw(said.record)} if topic in SEALED else shown


def _position(record: Record) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms,
    }


def _raw(record: Record) -> dict[str, Any]:
    headers = [[name, _base64(value)] for name, value in record.headers]
    return {"key": _base64(record.key), "value": _base64(record.value), "headers": headers}


def _base64(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def _schemas(said: Iterable[ReadRecord]) -> dict[str, Any]:
    """The schemas of the sealed records, by the id that their bytes begin with."""
    ids = {int.from_bytes((each.record.value or b"")[1:5], "big") for each in said if each.record.topic in SEALED}
    return {str(id_): _schema(id_) for id_ in sorted(ids)}


def _schema(schema_id: int) -> dict[str, Any]:
    try:
        return REGISTRY.schema_of(schema_id)
    except UnknownSchema:  # an id of before a registry gave others
        for subject in REGISTRY.subjects():
            if schema_id in REGISTRY.own_ids_of(subject):
                return REGISTRY.schema_of(REGISTRY.ids_of(subject)[REGISTRY.own_ids_of(subject).index(schema_id)])
        raise


def _seal(chain: Chain, seal: Seal) -> dict[str, Any]:
    topic, partition = chain.place
    shown: dict[str, Any] = {"topic": topic, "partition": partition, "start": seal.start, "end": seal.end}
    shown |= {"records": seal.records, "previous": seal.previous.hex(), "hash": seal.hash.hex()}
    if seal.end in chain.digests:
        shown["digests"] = [[offset, digest.hex()] for offset, digest in chain.digests[seal.end]]
    return shown


def _lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values)


def _pretty(value: Mapping[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
