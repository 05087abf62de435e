"""The month end of a firm with engagements of all kinds, in settle: 200,000 facts at once, in random order.

    python -m benchmarks.settle.mixed [FACTS]

The agent's own rule over a RocksDB store a partition, without a broker: batches of 2,000 with all others behind them,
as in a backlog. At the end the charges are held to `settle` over all facts. Writes `results/settle_mixed.json`.
"""

import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agents import settle
from assurance.ledger_reader import Books
from benchmarks.harness.machine import description
from benchmarks.settle.mixed_load import Load, load
from schemas.codec import encode
from schemas.json_codec import from_json
from streaming.batch import Batch, Output, Record
from streaming.state import State
from streaming.store import Store
from tables.settlement.masters_snapshot import TOPIC, MastersTable
from tables.settlement.waiting import WAITING_COUNT

NAME = "settle_mixed"
FACTS, SEED, PARTITIONS, BATCH, QUARTERS = 200_000, 7, 4, 2_000, 4
_RESULTS = Path(__file__).parents[1] / "results" / f"{NAME}.json"


@dataclass(frozen=True)
class Mixed:
    """CPU seconds of the decisions and writes; charges (with reversals), exceptions and bytes a fact.

    `a_cpu_second_by_quarter` are the facts of each quarter of the load; what waits is settled in the last ones.
    """

    facts: int
    a_cpu_second: float
    a_cpu_second_by_quarter: list[float]
    charges_a_fact: float
    exceptions_a_fact: float
    bytes_published_a_fact: float
    bytes_of_state_a_fact: float
    peak_bytes: int


class _Partition:
    """Settle on one partition."""

    def __init__(self, folder: Path, masters: MastersTable) -> None:
        self._store, self._masters, self._memory = Store(folder), masters, settle.Memory()
        self.outputs: list[Output] = []
        self.state_bytes = 0

    def settle(self, records: Sequence[Record], behind: int) -> None:
        """One batch, written to the store."""
        state = State(self._store)
        batch = Batch(0, 0, {}, {}, records, behind=behind)
        self.outputs += settle.process_batch(self._masters.snapshot, self._memory, batch, state)
        self._store.write(state.changes, None)
        self.state_bytes += sum(len(key) + len(row or b"") for key, row in state.changes.items())

    def rest(self) -> None:
        """Settle what still waits."""
        while WAITING_COUNT.get(State(self._store)):
            self.settle([], 0)


def mixed(folder: Path, facts: int = FACTS) -> Mixed:
    """The run. Raises SystemExit where the charges are not those of the rules."""
    made = load(facts, SEED)
    masters, records = _masters(made), _records(made)
    partitions = [_Partition(folder / str(n), masters) for n in range(PARTITIONS)]
    began, marks = time.process_time(), list[float]()
    for quarter in range(QUARTERS):
        for partition, mine in zip(partitions, records, strict=True):
            size = -(-len(mine) // QUARTERS)
            for start in range(quarter * size, min((quarter + 1) * size, len(mine)), BATCH):
                end = min(start + BATCH, (quarter + 1) * size, len(mine))
                partition.settle(mine[start:end], len(mine) - end)
            if quarter == QUARTERS - 1:
                partition.rest()
        marks.append(time.process_time())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    count, outputs = sum(map(len, records)), [output for each in partitions for output in each.outputs]
    topics = Counter(output.topic for output in outputs)
    _check(made, records, outputs)
    spent = [end - start for start, end in zip([began, *marks], marks, strict=False)]
    return Mixed(
        facts=count,
        a_cpu_second=count / sum(spent),
        a_cpu_second_by_quarter=[count / QUARTERS / each for each in spent],
        charges_a_fact=topics["billing.ready"] / count,
        exceptions_a_fact=topics["billing.exceptions"] / count,
        bytes_published_a_fact=sum(len(output.value or b"") for output in outputs) / count,
        bytes_of_state_a_fact=sum(each.state_bytes for each in partitions) / count,
        peak_bytes=peak,
    )


def _masters(made: Load) -> MastersTable:
    table = MastersTable("unused")
    for at, (topic, id_, value) in enumerate(made.masters):
        table.apply([Record(TOPIC, 0, at, at, f"{topic}:{id_}".encode(), _encoded(topic, value), ())], at + 1)
    return table


def _records(made: Load) -> list[list[Record]]:
    """The facts by partition."""
    records: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    for at, (topic, key, value) in enumerate(made.facts):
        records[int(key[1:]) % PARTITIONS].append(Record(topic, 0, at, at, key, value, ()))
    return records


def _check(made: Load, records: Sequence[Sequence[Record]], outputs: Sequence[Output]) -> None:
    """The ledger that was published is the one of the rules."""
    books = Books()
    for at, (topic, id_, value) in enumerate(made.masters):
        books.take(Record(topic, 0, at, at, id_.encode(), _encoded(topic, value), ()))
    for each in records:
        for record in each:
            books.take(record)
    for at, output in enumerate(outputs):
        books.take(Record(output.topic, 0, at, at, output.key, output.value, ()))
    if books.ledger() != list(books.expected()):
        raise SystemExit("the ledger is not the one of the rules: the figures would be of another job")


def _encoded(topic: str, value: dict[str, object]) -> bytes:
    return encode(topic, from_json(topic, value))


def main(facts: int = FACTS) -> None:
    """Measure, print and keep the figures."""
    with tempfile.TemporaryDirectory(prefix="hourstream-mixed-") as folder:
        found = asdict(mixed(Path(folder), facts))
    print("\n".join(f"{name}: {value}" for name, value in found.items()))
    _RESULTS.write_text(json.dumps({"machine": description(), **found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else FACTS)
