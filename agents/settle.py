"""settle: reads transactions and masters; publishes charges, reversals and exceptions."""

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rating.model.facts import Fact, fact
from schemas.bounds import row_faults
from schemas.codec import row_decoder, shape
from schemas.errors import Undecodable
from settings import Settings
from streaming.batch import Batch, Output, Record
from streaming.dead_letters import read
from streaming.process import Batches, BatchProcess
from streaming.state import State
from streaming.stateful_process import stateful_process
from streaming.transactions import DerivedRows, TransactionalCommitter
from tables.settlement.bucket import Told, name_of, origin_of
from tables.settlement.bucket_store import PLACES, day_bucket, own_bucket, places_in
from tables.settlement.engine import Settling
from tables.settlement.fast_path import PlainTime, TimeRow, time_rows
from tables.settlement.fast_settling import PlainSettling
from tables.settlement.masters_snapshot import TOPIC as CURRENT
from tables.settlement.masters_snapshot import MastersTable, Snapshot
from tables.settlement.publications import Publication
from tables.settlement.resettle import CHUNK_SUBJECTS, CURSOR, sweep
from tables.settlement.waiting import ENOUGH_BEHIND, MOST_WAITING, WAITING_COUNT
from tables.windows import Tally, count_set_aside
from topics import topic_names
from topics.catalogue import SETTLE_INPUTS, own_fields

NAME = "settle"
TIME_ENTRIES = topic_names.TIME_ENTRIES
_decode_time, _row_of_time = row_decoder(TIME_ENTRIES), time_rows(shape(TIME_ENTRIES))
_faults_of_time = row_faults(TIME_ENTRIES, own_fields(TIME_ENTRIES))
_MOST_WOKEN = 5_000  # subjects of coupled engagements that waited for a backlog, in one batch
_MOST_RECORDS = 2_000  # a charge and its rows are some kilobytes while their batch is on its way


def process(settings: Settings) -> BatchProcess:
    """The settle process: one committer per partition, all over one table of masters."""
    masters = MastersTable(settings.bootstrap, settings.stall_seconds)
    masters.start()
    settle = stateful_process(
        NAME,
        SETTLE_INPUTS,
        settings,
        lambda: functools.partial(process_batch, masters.snapshot, Memory()),
        due=functools.partial(_work_is_due, masters),
        derived=DerivedRows(PLACES.key(), places_in),
        note=count_set_aside,
        batch_records=_MOST_RECORDS,
    )
    settle.follows[CURRENT] = lambda: masters.snapshot().end

    @settle.app.agent(settle.topic)
    async def settle_batches(batches: Batches) -> None:
        async for batch in batches:
            await settle.run(batch)

    return settle


def _work_is_due(masters: MastersTable, committer: TransactionalCommitter) -> bool:
    """Whether masters changed, or something waits for a backlog that is read by now."""
    rows = committer.live_rows()
    if WAITING_COUNT.key() in rows:
        return True
    row = rows.get(CURSOR.key())
    if row is None:  # nothing was ever decided here
        return masters.snapshot().end > 0
    return CURSOR.unpack(row).is_behind(masters.snapshot())


@dataclass(frozen=True, slots=True)
class Memory:
    """A partition's cache between batches; all of it can be computed again."""

    lookups: set[tuple[str, str]] = field(default_factory=set)
    plain: PlainTime = field(default_factory=PlainTime)


def process_batch(
    snapshot_now: Callable[[], Snapshot], memory: Memory, batch: Batch, state: State, chunk: int = CHUNK_SUBJECTS
) -> list[Output]:
    """A batch's outputs. Pure except for `state`, which keeps the rows to commit with them, and `memory`.

    `chunk` is about how many subjects resettling may settle in this batch.
    """
    snapshot, tally, outputs = snapshot_now(), Tally(), list[Output]()
    settling = Settling(state, snapshot.masters, tally, memory.lookups, snapshot.unsound)
    memory.plain.look_at(snapshot.masters)
    if batch.due:
        sweep(state, snapshot, settling, chunk)  # first, so that what arrives now is not settled twice
    settling.write()
    short = PlainSettling(state, settling, memory.plain)
    arrived = list(_arrivals(batch.records, outputs))
    wanted = [_wanted(each) for _, each in arrived]
    settling.buckets.prefetch(wanted)
    for (record, each), (_, name, bucket) in zip(arrived, wanted, strict=True):
        if not isinstance(each, TimeRow):
            settling.receive(Told(each, record))
        elif not short.take(each, record, name, bucket):
            settling.receive(Told(each.entry(origin_of(record)), record))
    short.count(tally)
    waits = batch.behind >= ENOUGH_BEHIND
    settling.settle_touched(waits=waits)
    if not waits or (WAITING_COUNT.get(state) or 0) > MOST_WAITING:
        settling.settle_waiting(_MOST_WOKEN)
    settling.write()
    _count(tally, batch, outputs, settling.publications)
    tally.write(state)
    return outputs + [Output(p.topic, p.engagement_id.encode(), p.value) for p in settling.publications]


def _arrivals(records: Sequence[Record], dead: list[Output]) -> Iterator[tuple[Record, TimeRow | Fact]]:
    """Each record with its decoded value; the dead letters of unusable ones are appended to `dead`."""
    for record in records:
        row = _time_row(record) if record.topic == TIME_ENTRIES else None
        if row is not None:
            yield record, row
        else:
            for _, value in read((record,), NAME, dead):
                yield record, fact(record.topic, value, origin_of(record))


def _time_row(record: Record) -> TimeRow | None:
    """The row of a time entry that keeps its contract (`topics.catalogue.check`); None where that is to be seen."""
    try:
        row = _row_of_time(_decode_time(record.value or b""))
    except Undecodable:
        return None
    return row if row is not None and record.key == row.engagement_id.encode() and not _faults_of_time(row) else None


def _wanted(each: TimeRow | Fact) -> tuple[str, str, str]:
    """(engagement, name, own bucket) of a fact."""
    if isinstance(each, TimeRow):
        return each.engagement_id, f"time:{each.entry_id}", day_bucket(each.consultant_id, each.work_date)
    return each.engagement_id, name_of(each), own_bucket(each)


def _count(tally: Tally, batch: Batch, dead: Sequence[Output], publications: Sequence[Publication]) -> None:
    now_ms = batch.timestamp_ms or max((p.decided_ms for p in publications), default=0)
    tally.count_each("received", [record.timestamp_ms for record in batch.records])
    tally.count("dead", now_ms, len(dead))
    for outcome, n in Counter(publication.outcome for publication in publications).items():
        tally.count(outcome, now_ms, n)
