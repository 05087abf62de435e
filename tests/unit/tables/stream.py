"""The masters and settle agents over state in memory: records in, and the books they add up to out. No broker."""

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import orjson

from agents import masters as masters_agent
from agents import settle as settle_agent
from assurance.ledger_reader import Books
from metrics.worker_metrics import conservation_residue
from schemas.codec import decode_for, encode
from schemas.json_codec import from_json
from streaming.batch import Batch, Output, Record
from streaming.state import MemoryRows, State
from tables.settlement import bucket_store
from tables.settlement.bucket_store import BUCKETS, PLACES, places_in
from tables.settlement.masters_snapshot import TOPIC, MastersTable
from tables.settlement.resettle import CHUNK_SUBJECTS, CURSOR, ResettleCursor
from tables.settlement.waiting import WAITING_COUNT
from tables.windows import totals

Line = dict[str, Any]  # {"topic", "key", "value"} as in a facts file


def wire(line: Line, offset: int) -> Record:
    """The line as a record of its topic; the append time is the offset, in seconds."""
    value = _encoded(line["topic"], orjson.dumps(line["value"]))
    return Record(line["topic"], 0, offset, offset * 1000, line["key"].encode(), value, ())


@functools.lru_cache(maxsize=4096)  # thousands of histories say much the same of their masters
def _encoded(topic: str, value: bytes) -> bytes:
    return encode(topic, from_json(topic, orjson.loads(value)))


class Stream:
    """One partition of everything."""

    def __init__(self, chunk: int = CHUNK_SUBJECTS, most_bytes: int = bucket_store.MOST_BYTES) -> None:
        self.books = Books()
        self.chunk, self.most_bytes = chunk, most_bytes
        self.behind = 0  # records that wait behind each batch
        self.outputs: list[Output] = []
        self.masters_rows, self.settle_rows = MemoryRows(), MemoryRows()
        self.masters = MastersTable("unused")
        self._memory = settle_agent.Memory()
        self._log: list[tuple[bytes, bytes | None]] = []  # settle's changelog
        self._offsets = itertools.count()
        self._current = 0

    def deliver(self, lines: Sequence[Line]) -> None:
        """One batch: masters first settle into `masters.current`, then the transactions are decided."""
        records = [wire(line, next(self._offsets)) for line in lines]
        for record in records:
            self.books.take(record)
        self._masters([r for r in records if r.topic.startswith("master.")])
        self.settle([r for r in records if not r.topic.startswith("master.")])

    def _masters(self, records: list[Record]) -> None:
        if not records:
            return
        state = State(self.masters_rows)
        outputs = masters_agent.process_batch(_batch(records), state)
        self.masters_rows.commit(state)
        for output in outputs:
            if output.topic == TOPIC:
                self.masters.apply([self._appended(output, self._current)], self._current + 1)
                self._current += 1
        self._publish(output for output in outputs if output.topic != TOPIC)

    def settle(self, records: list[Record]) -> None:
        """One batch of settle; an empty one only sweeps."""
        state, outputs = self.process(records)
        self.settle_rows.commit(state)
        self._log += [(key, row) for key, row in state.changes.items() if not PLACES.holds(key)]
        self._publish(outputs)

    def process(self, records: list[Record]) -> tuple[State, list[Output]]:
        """What a batch of settle would commit; nothing of it is."""
        state = State(self.settle_rows)
        with patch.object(bucket_store, "MOST_BYTES", self.most_bytes):
            batch = replace(_batch(records), behind=self.behind if records else 0)
            outputs = settle_agent.process_batch(self.masters.snapshot, self._memory, batch, state, self.chunk)
        return state, outputs

    def rest(self) -> None:
        """Empty batches until every sweep is done."""
        while not self.is_at_rest():
            self.settle([])

    def is_at_rest(self) -> bool:
        """Whether every change of the masters, and of the rules, has been settled everywhere, and nothing waits."""
        is_behind = self.cursor().is_behind(self.masters.snapshot())
        return not is_behind and WAITING_COUNT.get(State(self.settle_rows)) is None

    def cursor(self) -> ResettleCursor:
        """How far sweeps are, as committed."""
        return CURSOR.get(State(self.settle_rows)) or ResettleCursor()

    def restart(self) -> None:
        """What a crash leaves when local state is lost too: what is in the changelog, read in pieces."""
        self._memory = settle_agent.Memory()
        lost, self.settle_rows = self.settle_rows, MemoryRows()
        for start in range(0, len(self._log), 7):
            self._restore(self._log[start : start + 7])
        assert places_kept(self.settle_rows) == places_kept(lost)

    def _restore(self, logged: Sequence[tuple[bytes, bytes | None]]) -> None:
        rows: dict[bytes, bytes | None] = {}
        for key, row in logged:
            rows.pop(key, None)
            rows[key] = row
        state = State(self.settle_rows)
        state.changes = {**rows, **places_in(rows)}
        self.settle_rows.commit(state)

    def said(self, topic: str) -> list[dict[str, Any]]:
        """Everything published on a topic, decoded, in order."""
        return [decode_for(topic, output.value or b"") for output in self.outputs if output.topic == topic]

    def residue(self) -> int:
        """Approved minutes that are neither charged, parked nor waived."""
        return conservation_residue(self.totals())

    def totals(self) -> dict[tuple[str, ...], int]:
        """The live totals of settle."""
        return totals(self.settle_rows.items())

    def _publish(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            self.outputs.append(output)
            if output.topic.startswith("billing."):
                self.books.take(self._appended(output, next(self._offsets)))

    @staticmethod
    def _appended(output: Output, offset: int) -> Record:
        return Record(output.topic, 0, offset, offset * 1000, output.key, output.value, output.headers)


def places_kept(rows: MemoryRows) -> dict[bytes, bytes]:
    """The rows but for places in buckets that are no more: those say what no place at all says."""
    buckets = {BUCKETS.parts(key) for key in rows if BUCKETS.holds(key)}
    return {
        key: row
        for key, row in rows.items()
        if not PLACES.holds(key) or (PLACES.parts(key)[0], PLACES.unpack(row)) in buckets
    }


def _batch(records: list[Record]) -> Batch:
    return Batch(0, 0, {}, {}, records)
