"""The cost of a record in the plane itself, without any decision: reading, passing on, storing.

    python -m benchmarks.plane_cost

One partition of the enrichment job's entries through the plane's own reader and committer against a Kafka of its own,
without Faust: records read only; each handed on as it came (one transaction a batch); and one row of state looked up,
written and logged besides, as the enrichment job does. CPU of the whole process; what a job decides comes on top.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.enrichment.contract import HEADER_BYTES
from benchmarks.enrichment.generate import Generator
from benchmarks.harness.load import publish_at_once
from devstack.stack import Stack
from settings import Settings
from streaming.batch import Batch, Output
from streaming.reader import PartitionReader, reader_config
from streaming.state import State
from streaming.transactions import TransactionalCommitter

RECORDS, WARMUP, BATCH = 200_000, 40_000, 10_000
_INPUT, _OUTPUT = "entries", "onward"
_PAUSE = 0.002  # where nothing has come yet; asking on would cost what is measured
_NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"
Decide = Callable[[Batch, State], list[Output]]


def hand_on(batch: Batch, state: State) -> list[Output]:
    """Every record as it came."""
    return [Output(_OUTPUT, record.key, record.value) for record in batch.records]


def remember(batch: Batch, state: State) -> list[Output]:
    """The same, and a row for each id not seen before."""
    rows = [b"s" + (record.value or b"")[HEADER_BYTES : HEADER_BYTES + 12] for record in batch.records]
    state.load(rows)
    for row in rows:
        if state.get(row) is None:
            state.put(row, b"1")
    return hand_on(batch, state)


def read_only(broker: str) -> float:
    """CPU microseconds to read a record."""
    reader = PartitionReader(reader_config(broker, "read"), 0, {_INPUT: None})
    seen, began = 0, time.process_time()
    while seen < RECORDS + WARMUP:
        seen += _read(reader, BATCH)
        reader.take()
    spent = time.process_time() - began
    reader.close()
    return spent / seen * 1e6


def _read(reader: PartitionReader, limit: int) -> int:
    count = reader.read(limit)
    if not count:
        time.sleep(_PAUSE)
    return count


def through(broker: str, name: str, decide: Decide, state: Path) -> float:
    """CPU microseconds to read, decide and commit a record."""
    committer = TransactionalCommitter(
        name, 0, (_INPUT,), broker=broker, changelog=name, state_dir=state, decide=lambda: decide
    )
    committer.fence()
    committer.open()
    reader = PartitionReader(reader_config(broker, name), 0, committer.positions)
    seen, began, spent = 0, 0.0, 0.0
    while seen < RECORDS + WARMUP:
        _read(reader, BATCH - len(reader.buffer.records))
        if len(reader.buffer.records) == BATCH:
            if began == 0.0 and seen >= WARMUP:
                began = time.process_time()
            taken = reader.take()
            committer.process(Batch(0, 0, taken.starts, taken.ends, taken.records))
            seen += BATCH
    spent = time.process_time() - began
    reader.close()
    committer.close()
    return spent / RECORDS * 1e6


def main() -> None:
    """Print the three costs."""
    print(f"making {RECORDS + WARMUP:,} records", file=sys.stderr)
    entries = Generator(7).backlog(RECORDS + WARMUP, repeated=0).records
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Stack.start(Settings.load(home=home, postgres_url=_NO_DATABASE)) as stack:
            topics = [NewTopic(name, 1, 1) for name in (_INPUT, _OUTPUT, "on", "kept")]
            admin = AdminClient({"bootstrap.servers": stack.broker})
            for created in admin.create_topics(topics).values():
                created.result()
            publish_at_once(stack.broker, _INPUT, entries, lambda: None)
            print(f"read                {read_only(stack.broker):5.1f} us of CPU a record")
            print(f"read and handed on  {through(stack.broker, 'on', hand_on, home / 'on'):5.1f}")
            print(f"and remembered      {through(stack.broker, 'kept', remember, home / 'kept'):5.1f}")


if __name__ == "__main__":
    main()
