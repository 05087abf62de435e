"""What became of every acknowledged input, by read_committed readers: what is lost, and what is doubled.

Nothing here trusts an agent's state: `settle`, the law itself, is applied to the inputs read again, and everything that
was published, counted and stored is held to it. Whatever is missing or short counts as lost, whatever is there without
being due as doubled.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agents.figures import conservation_residue
from billing.charges import Parked
from billing.facts import gathered
from billing.ids import charge_id
from billing.ledger import ledger_line
from billing.masters import master
from billing.settle import settle
from runtime.cli.audit import statements
from runtime.cli.books import NOT_IN_LEDGER, Books, Line, approved_minutes
from runtime.plane.batch import Record
from runtime.plane.state import MemoryRows, State
from runtime.plane.store import REACHED, Store, position_key
from runtime.reading import partitions_of, read_all, read_partitions, topic_ends
from schemas.codec import decode_for
from tables.exceptions import RESOLVED, StandingException, exception_record
from tables.masters import TOPIC as CURRENT
from tables.windows import KEPT_MINUTES, WINDOW, totals
from tests.faults.load import Acknowledged
from topics.catalogue import MASTERS, SETTLE_INPUTS, current_key

Totals = dict[tuple[str, ...], int]
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


def verdict(broker: str, acknowledged: Acknowledged, live: Totals, homes: Iterable[Path]) -> Findings:
    """Hold everything at rest to the acknowledged inputs; `live` are settle's totals, `homes` those of its workers."""
    findings = Findings()
    books = Books.read(broker)
    _inputs(findings, broker, acknowledged)
    _charges(findings, books)
    _exceptions(findings, broker)
    _books(findings, books)
    _masters(findings, broker, books)
    stores = sorted(path for home in homes for path in (home / "state").glob("*/hourstream.*.changelog-*"))
    rows = {stage: _changelog(findings, broker, stage, stores) for stage in STAGES}
    _totals(findings, books, live, rows["settle"])
    for stage, topics in STAGES.items():
        _counted(findings, broker, stage, topics, rows[stage])
    return findings


def _inputs(findings: Findings, broker: str, acknowledged: Acknowledged) -> None:
    """Everything acknowledged is where it was acknowledged, and nothing else is there."""
    records = read_all(broker, [*MASTERS, *SETTLE_INPUTS])
    found = {(r.topic, r.partition, r.offset): (r.key, r.value) for r in records}
    findings.same("input", found, acknowledged)
    letters = Counter(record.key for record in read_all(broker, ["dead.letters"]))
    findings.same("dead letter", letters, {})


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


def _exceptions(findings: Findings, broker: str) -> None:
    """Of an exception, each told change is one attempt more; after `resolved` they are counted anew."""
    told: dict[object, int] = defaultdict(int)
    for record in read_all(broker, ["billing.exceptions"]):
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


def _masters(findings: Findings, broker: str, books: Books) -> None:
    """The last of each identity on masters.current is its winner."""
    current = {record.key: record.value for record in read_all(broker, [CURRENT])}
    found = {}
    for key, value in current.items():
        topic, _, _ = (key or b"").decode().partition(":")
        found[key] = master(topic, decode_for(topic, value or b""))
    findings.same("master", found, {current_key(*which).encode(): each for which, each in books.masters.items()})


def _changelog(findings: Findings, broker: str, stage: str, stores: Iterable[Path]) -> dict[int, MemoryRows]:
    """Each partition's changelog folded; every store is that fold as far as the store itself has come."""
    topic = f"hourstream.{stage}.changelog"
    folded = {}
    for _, partition in partitions_of(broker, [topic]):
        due = [_stored(path) for path in stores if path.name == f"{topic}-{partition}"]
        due.sort(key=lambda one: one[0], reverse=True)
        rows = MemoryRows()
        for record in read_partitions(broker, [(topic, partition)]):
            while due and due[-1][0] <= record.offset:
                _same_rows(findings, *due.pop()[1:], rows)
            _fold(rows, record)
        for _, path, held in due:
            _same_rows(findings, path, held, rows)
        folded[partition] = rows
    return folded


def _fold(rows: MemoryRows, record: Record) -> None:
    if record.value is None:
        rows.pop(record.key or b"", None)
    else:
        rows[record.key or b""] = record.value


def _stored(path: Path) -> tuple[int, Path, MemoryRows]:
    store = Store(path)
    try:
        rows = MemoryRows((key, value) for key, value in store.scan(b"") if key != REACHED)
        return store.reached(), path, rows
    finally:
        store.close()


def _same_rows(findings: Findings, path: Path, held: MemoryRows, rows: MemoryRows) -> None:
    findings.same(f"row of {path.parts[-4]} {path.name}", held, rows)


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


def _counted(
    findings: Findings, broker: str, stage: str, topics: tuple[str, ...], changelog: Mapping[int, MemoryRows]
) -> None:
    """Each input is counted in its minute once, and each partition's position is the end of its topics."""
    due: dict[int, Counter[int]] = defaultdict(Counter)
    for record in read_all(broker, topics):
        due[record.partition][record.timestamp_ms // 60_000] += 1
    ends = topic_ends(broker, topics)
    for partition, rows in changelog.items():
        newest = max(due[partition], default=0)
        kept = {minute: n for minute, n in due[partition].items() if minute > newest - KEPT_MINUTES}
        received = {minute: n for minute, n in _received(rows) if minute > newest - KEPT_MINUTES}
        findings.same(f"minute of {stage}[{partition}]", received, kept)
        reached = {topic: int(rows.get(position_key(topic), b"0")) for topic in topics}
        findings.same(f"position of {stage}[{partition}]", reached, {t: ends[t, partition] for t in topics})


def _received(rows: MemoryRows) -> Iterator[tuple[int, int]]:
    for parts, n in WINDOW.scan(State(rows)):
        if parts[1] == "received":
            yield int(parts[0]), n
