"""settle: transactions and masters in; charges, reversals and exceptions out."""

import functools
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from agents.inbox import read
from billing.facts import Origin, fact
from runtime.plane.batch import Batch, Output, Record
from runtime.plane.process import Batches, BatchProcess
from runtime.plane.state import State
from runtime.plane.transactional import TransactionalCommitter
from runtime.settings import Settings
from schemas.codec import encode
from tables.masters import TOPIC as CURRENT
from tables.masters import MastersTable, Snapshot
from tables.settling import READY, Publication, Settling
from tables.sweep import CHUNK_SUBJECTS, CURSOR, Cursor, sweep
from tables.windows import Tally
from topics.catalogue import SETTLE_INPUTS, changelog_of

NAME = "settle"


def process(settings: Settings) -> BatchProcess:
    """The settle process: one committer a partition, all of them over one table of masters."""
    masters = MastersTable(settings.bootstrap)
    masters.start()

    def committer(partition: int) -> TransactionalCommitter:
        return TransactionalCommitter(
            NAME,
            partition,
            SETTLE_INPUTS,
            broker=settings.bootstrap,
            changelog=changelog_of(NAME, 1).name,
            state_dir=settings.state_dir(NAME),
            decide=functools.partial(decide, masters.snapshot, set()),
            due=functools.partial(_sweep_is_due, masters),
        )

    settle = BatchProcess(NAME, SETTLE_INPUTS, committer, settings)
    settle.follows[CURRENT] = lambda: masters.snapshot().end

    @settle.app.agent(settle.topic)
    async def settle_batches(batches: Batches) -> None:
        async for batch in batches:
            await settle.run(batch)

    return settle


def _sweep_is_due(masters: MastersTable, committer: TransactionalCommitter) -> bool:
    row = committer.live_rows().get(CURSOR.key())
    applied = 0 if row is None else msgspec.msgpack.decode(row, type=Cursor).applied
    return masters.snapshot().end > applied


def decide(
    snapshot_now: Callable[[], Snapshot],
    known: set[tuple[str, str]],
    batch: Batch,
    state: State,
    chunk: int = CHUNK_SUBJECTS,
) -> list[Output]:
    """A batch's outputs. Pure but for `state`, which keeps what must be committed with them.

    `chunk` is about how many subjects a sweep may settle in this batch.
    """
    snapshot, tally, outputs = snapshot_now(), Tally(), list[Output]()
    settling = Settling(state, snapshot.masters, tally, known)
    arrived = [
        (record.timestamp_ms, fact(record.topic, value, _origin(record)))
        for record, value in read(batch.records, NAME, outputs)
    ]
    settling.buckets.prefetch([each for _, each in arrived])
    for timestamp_ms, each in arrived:
        settling.receive(each, timestamp_ms)
    settling.settle_touched()
    settling.write()
    sweep(state, snapshot, settling, chunk)
    settling.write()
    _count(tally, batch, outputs, settling.publications)
    tally.write(state)
    return outputs + [_output(publication) for publication in settling.publications]


def _origin(record: Record) -> Origin:
    return Origin(record.topic, record.partition, record.offset, record.timestamp_ms)


def _output(publication: Publication) -> Output:
    return Output(publication.topic, publication.engagement_id.encode(), encode(publication.topic, publication.record))


def _count(tally: Tally, batch: Batch, dead: Sequence[Output], publications: Sequence[Publication]) -> None:
    now_ms = batch.timestamp_ms or max((_decided_ms(p) for p in publications), default=0)
    for record in batch.records:
        tally.count("received", record.timestamp_ms)
    tally.count("dead", now_ms, len(dead))
    for publication in publications:
        tally.count(outcome_of(publication), now_ms)


def _decided_ms(publication: Publication) -> int:
    decided = publication.record.get("decided_at")
    return int(decided.timestamp() * 1000) if isinstance(decided, datetime) else 0


def outcome_of(publication: Publication) -> str:
    """charged, reversed, or the exception's status (open, waived, resolved): the name of the live figure."""
    if publication.topic == READY:
        return "reversed" if publication.record["reverses"] else "charged"
    return str(publication.record["status"])
