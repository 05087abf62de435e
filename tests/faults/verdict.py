"""What became of every acknowledged input, by read_committed readers: what is lost, and what is doubled.

Nothing here trusts an agent's state: `settle`, the law itself, is applied to the inputs read again, and everything that
was published, counted and stored is held to it. Whatever is missing or short counts as lost, whatever is there without
being due as doubled.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from assurance.ledger_line import ledger_line
from assurance.ledger_reader import EXCEPTIONS, NOT_IN_LEDGER, READY, Books, Line, approved_minutes
from assurance.statements import statements
from metrics.worker_metrics import conservation_residue
from operations.quiescence import Ends
from rating.model.charge import Parked
from rating.model.facts import gathered
from rating.model.ids import charge_id
from rating.model.masters import master
from rating.settle import settle
from schemas.codec import decode_for
from streaming.batch import Record
from streaming.dead_letters import DEAD_LETTERS
from streaming.state import MemoryRows, State
from streaming.store import CHANGELOG, REACHED, WRITTEN, Store, position_key
from streaming.topic_reader import partitions_of, read_all, read_partitions, topic_ends
from tables.settlement.bucket_store import BUCKETS, PLACES, places_in
from tables.settlement.exception_record import RESOLVED, StandingException, exception_record
from tables.settlement.masters_snapshot import TOPIC as CURRENT
from tables.windows import KEPT_MINUTES, WINDOW, totals
from tests.faults.load import Load
from topics.catalogue import MASTERS, SETTLE_INPUTS, current_key

Said = dict[str, list[Record]]  # by topic, in the order of each partition
Totals = dict[tuple[str, ...], int]
PUBLISHED = (READY, EXCEPTIONS, CURRENT, DEAD_LETTERS)
STAGES = {"settle": SETTLE_INPUTS, "masters": MASTERS}


@dataclass(slots=True)
class Findings:
    """What is wrong, a line each."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    def same(self, what: str, found: Mapping[object, object], expected: Mapping[object, object]) -> None:
        """Hold one to the other, key by key."""
        for key in sorted({*found, *expected}, key=str):
            is_, due = found.get(key), expected.get(key)
            if is_ == due:
                continue
            over = due is None or (isinstance(is_, int) and isinstance(due, int) and is_ > due)
            (self.doubled if over else self.lost).append(f"{what} {key}: is {is_}, should be {due}")


def verdict(broker: str, load: Load, live: Totals, homes: Iterable[Path]) -> Findings:
    """Hold everything at rest to the acknowledged inputs; `live` are settle's totals, `homes` those of its workers."""
    findings, books = Findings(), Books()
    said: Said = defaultdict(list)
    for record in read_all(broker, [*MASTERS, *SETTLE_INPUTS, *PUBLISHED]):
        said[record.topic].append(record)
        if record.topic not in (CURRENT, DEAD_LETTERS):
            books.take(record)
    _inputs(findings, said, load)
    _charges(findings, books)
    _exceptions(findings, said)
    _books(findings, books)
    _masters(findings, said, books)
    stores = sorted(path for home in homes for path in (home / "state").glob("*/hourstream.*.changelog-*"))
    rows = {stage: _changelog(findings, broker, stage, stores) for stage in STAGES}
    _totals(findings, books, live, rows["settle"])
    for stage, topics in STAGES.items():
        _counted(findings, stage, [record for topic in topics for record in said[topic]], rows[stage])
        _positions(findings, stage, topics, topic_ends(broker, topics), rows[stage])
    return findings


def _inputs(findings: Findings, said: Said, load: Load) -> None:
    """Everything acknowledged is where it was acknowledged, and nothing else is there; all of it can be read.

    A record that was sent and not answered (`unheard`) may be there or not. One that was acknowledged without an
    offset (`unplaced`) must be there, at any offset.
    """
    records = [record for topic in (*MASTERS, *SETTLE_INPUTS) for record in said[topic]]
    found = {(r.topic, r.partition, r.offset): (r.key, r.value) for r in records}
    anywhere = load.unheard | load.unplaced
    due = {at: sent for at, sent in found.items() if at in load.acknowledged or (at[0], *sent) not in anywhere}
    findings.same("input", due, load.acknowledged)
    there = {(at[0], *sent) for at, sent in found.items()}
    findings.same("input without an offset", dict.fromkeys(load.unplaced & there, 1), dict.fromkeys(load.unplaced, 1))
    findings.same("dead letter", Counter(record.key for record in said[DEAD_LETTERS]), {})


def _charges(findings: Findings, books: Books) -> None:
    """Each id once; of a subject, charges and reversals alternate, numbered without a gap."""
    ids = Counter(record["charge_id"] for records in books.charges.values() for record in records)
    findings.same("charge", ids, dict.fromkeys(ids, 1))
    for (engagement_id, subject), records in books.charges.items():
        n, standing = 0, None
        for record in records:
            what, n = ("charge", n + 1) if standing is None else ("reversal", n)
            due = {"charge_id": charge_id(engagement_id, subject, n, what), "reverses": standing}
            findings.same(f"chain of {engagement_id} {subject}", {k: record[k] for k in due}, due)
            standing = record["charge_id"] if standing is None else None


def _exceptions(findings: Findings, said: Said) -> None:
    """Of an exception, each told change is one attempt more; after `resolved` they are counted anew."""
    told: dict[object, int] = defaultdict(int)
    for record in said[EXCEPTIONS]:
        value = decode_for(record.topic, record.value or b"")
        one, resolved = value["exception_id"], value["status"] == RESOLVED
        due = told[one] if resolved else told[one] + 1
        findings.same(f"exception {value['subject']}", {"attempts": value["attempts"]}, {"attempts": due})
        told[one] = 0 if resolved else due


def _books(findings: Findings, books: Books) -> None:
    """The ledger as published and every parked state are those of `settle` over the facts."""
    ledger: dict[object, Line] = {}
    parked: dict[object, object] = {}
    masters = books.all_masters()
    for engagement_id, facts in books.engagements().items():
        for subject, settlement in settle(engagement_id, gathered(facts), masters).subjects.items():
            ledger[engagement_id, subject] = ledger_line(settlement)
            if settlement.parked is not None:
                parked[engagement_id, subject] = _parked(engagement_id, subject, settlement.parked)
    findings.same("ledger", {(e["engagement_id"], e["subject"]): e for e in books.ledger()}, ledger)
    standing = {
        where: {name: value for name, value in told.items() if name not in _OF_ITS_HISTORY}
        for where, told in books.exceptions.items()
        if told["status"] != RESOLVED and not where[1].startswith(NOT_IN_LEDGER)
    }
    findings.same("exception", standing, parked)
    false = {statement.says: statement.figures for statement in statements(books, None) if not statement.holds}
    findings.same("audit", false, {})


_OF_ITS_HISTORY = ("first_seen", "attempts")


def _parked(engagement_id: str, subject: str, parked: Parked) -> Line:
    record = exception_record(engagement_id, subject, StandingException(parked, 0, 0))
    return {name: value for name, value in record.items() if name not in _OF_ITS_HISTORY}


def _masters(findings: Findings, said: Said, books: Books) -> None:
    """The last of each identity on masters.current is its winner."""
    current = {record.key: record.value for record in said[CURRENT]}
    found = {}
    for key, value in current.items():
        topic, _, _ = (key or b"").decode().partition(":")
        found[key] = master(topic, decode_for(topic, value or b""))
    findings.same("master", found, {current_key(*which).encode(): each for which, each in books.masters.items()})


def _changelog(findings: Findings, broker: str, stage: str, stores: Iterable[Path]) -> dict[int, MemoryRows]:
    """Each partition's changelog folded; every store is that fold as far as the store itself has come."""
    topic = f"hourstream.{stage}.changelog"
    partitions = partitions_of(broker, [topic])
    folded = {number: MemoryRows() for _, number in partitions}
    due = {number: [_stored(path) for path in stores if path.name == f"{topic}-{number}"] for number in folded}
    for each in due.values():
        each.sort(key=itemgetter(0), reverse=True)
    for record in read_partitions(broker, partitions):
        rows, waiting = folded[record.partition], due[record.partition]
        while waiting and waiting[-1][0] <= record.offset:
            _same_rows(findings, *waiting.pop()[1:], rows)
        _fold(rows, record)
    for number, waiting in due.items():
        for _, path, held in waiting:
            _same_rows(findings, path, held, folded[number])
    return folded


def _fold(rows: MemoryRows, record: Record) -> None:
    """Take a row in; rows stay in the order of their last writing."""
    rows.pop(record.key or b"", None)
    if record.value is not None:
        rows[record.key or b""] = record.value


def _stored(path: Path) -> tuple[int, Path, MemoryRows]:
    store = Store(path)
    try:
        rows = MemoryRows((key, value) for key, value in store.scan(b"") if key not in _OF_THE_STORE)
        return store.reached(), path, rows
    finally:
        store.close()


_OF_THE_STORE = (REACHED, CHANGELOG, WRITTEN)


def _same_rows(findings: Findings, path: Path, held: MemoryRows, rows: MemoryRows) -> None:
    findings.same(f"row of {path.parts[-4]} {path.name}", _pointing(held), _pointing({**rows, **places_in(rows)}))


def _pointing(rows: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The rows without places of buckets that are gone: a store keeps them, a restored one has none, and they say the
    same as none (what waited for a subject no longer speaks of it)."""

    def stands(key: bytes, row: bytes) -> bool:
        return not PLACES.holds(key) or BUCKETS.key(PLACES.parts(key)[0], PLACES.unpack(row)) in rows

    return {key: row for key, row in rows.items() if stands(key, row)}


def _totals(findings: Findings, books: Books, live: Totals, changelog: Mapping[int, MemoryRows]) -> None:
    """The running totals are those of the books, and the workers tell what their changelog says."""
    kept = Counter[tuple[str, ...]]()
    for rows in changelog.values():
        kept.update(totals(rows.items()))
    findings.same("live total", {k: v for k, v in live.items() if v}, {k: v for k, v in kept.items() if v})
    standing = [line for line in books.ledger() if line["state"] == "charged"]
    due = {
        ("approved_minutes",): approved_minutes(books.facts.values()),
        ("charges",): len(standing),
        ("charged_minutes",): sum(int(str(line["worked_minutes"])) for line in standing),
    }
    findings.same("total", {name: live.get(name, 0) for name in due}, due)
    findings.same("conservation", {"residue": conservation_residue(dict(live))}, {"residue": 0})


def _counted(findings: Findings, stage: str, records: Iterable[Record], changelog: Mapping[int, MemoryRows]) -> None:
    """Each input, repeats included, is counted in its minute once."""
    due: dict[int, Counter[int]] = defaultdict(Counter)
    for record in records:
        due[record.partition][record.timestamp_ms // 60_000] += 1
    for partition, rows in changelog.items():
        newest = max(due[partition], default=0)
        kept = {minute: n for minute, n in due[partition].items() if minute > newest - KEPT_MINUTES}
        received = {minute: n for minute, n in _received(rows) if minute > newest - KEPT_MINUTES}
        findings.same(f"minute of {stage}[{partition}]", received, kept)


def _positions(
    findings: Findings, stage: str, topics: Iterable[str], ends: Ends, changelog: Mapping[int, MemoryRows]
) -> None:
    """Each partition has come to the end of all its topics."""
    for partition, rows in changelog.items():
        reached = {topic: int(rows.get(position_key(topic), b"0")) for topic in topics}
        findings.same(f"position of {stage}[{partition}]", reached, {topic: ends[topic, partition] for topic in topics})


def _received(rows: MemoryRows) -> Iterator[tuple[int, int]]:
    for parts, n in WINDOW.scan(State(rows)):
        if parts[1] == "received":
            yield int(parts[0]), n
