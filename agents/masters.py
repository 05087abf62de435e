"""masters: selects the highest revision of every master and writes it, exactly once, to `masters.current`."""

from dataclasses import dataclass

import msgspec

from rating.exception_record import ExceptionStatus
from rating.model.masters import lookups_touched, master
from rating.model.revision_order import resolve_revision
from schemas.codec import decode_for, encode
from settings import Settings
from streaming.batch import Batch, Output, Record
from streaming.dead_letters import read
from streaming.process import Batches, BatchProcess
from streaming.state import State
from streaming.state_tables import StateTable
from streaming.stateful_process import stateful_process
from tables.settlement.conflicts import close_conflict, conflict_subject, raise_conflict
from tables.settlement.exception_record import EXCEPTIONS, OPEN, RESOLVED, StandingException, exception_record
from tables.settlement.masters_snapshot import LOOKUPS_HEADER, bounded
from tables.settlement.masters_snapshot import TOPIC as CURRENT
from tables.windows import Tally, count_set_aside
from topics import state_keys, topic_names
from topics.catalogue import MASTERS, current_key, identity

NAME = "masters"
STAGE = "masters"


@dataclass(frozen=True, slots=True)
class Winner:
    """The winning record of an identity (its own wire bytes) and every look-up the identity ever touched."""

    value: bytes
    lookups: tuple[str, ...]


WINNERS = StateTable(state_keys.WINNERS, Winner)  # (topic, id)


def process(settings: Settings) -> BatchProcess:
    """The masters process: one partition, one total order."""
    masters = stateful_process(NAME, MASTERS, settings, lambda: process_batch, note=count_set_aside)

    @masters.app.agent(masters.topic)
    async def pick_winners(batches: Batches) -> None:
        async for batch in batches:
            await masters.run(batch)

    return masters


def process_batch(batch: Batch, state: State) -> list[Output]:
    """The winners among a batch's records, and the faults of the others."""
    outputs, tally = list[Output](), Tally()
    for record, value in read(batch.records, STAGE, outputs):
        outputs += _take(record, value, state, tally)
    tally.count("dead", batch.timestamp_ms, sum(output.topic == topic_names.DEAD_LETTERS for output in outputs))
    for record in batch.records:
        tally.count("received", record.timestamp_ms)
    tally.write(state)
    return outputs


def _take(record: Record, value: dict[str, object], state: State, tally: Tally) -> list[Output]:
    topic, master_id = record.topic, identity(record.topic, value)
    row = WINNERS.get(state, topic, master_id)
    standing = None if row is None else master(topic, decode_for(topic, row.value))
    arrived = master(topic, value)
    verdict = resolve_revision(standing, arrived)
    tally.count(verdict, record.timestamp_ms)
    if verdict == "conflict":
        told = raise_conflict(state, "", topic, master_id, arrived.revision, "", record.timestamp_ms)
        return _exception(topic, master_id, told, OPEN)
    if verdict != "replaced":
        return []
    touched = frozenset(row.lookups if row else ()) | lookups_touched(topic, standing, arrived)
    winner = Winner(record.value or b"", bounded(touched))
    WINNERS.put(state, winner, topic, master_id)
    headers = [(LOOKUPS_HEADER, msgspec.json.encode(winner.lookups))]
    current = Output(CURRENT, current_key(topic, master_id).encode(), winner.value, headers)
    return [current, *_exception(topic, master_id, close_conflict(state, "", topic, master_id), RESOLVED)]


def _exception(topic: str, master_id: str, told: StandingException | None, status: ExceptionStatus) -> list[Output]:
    if told is None:
        return []
    record = exception_record("", conflict_subject(topic, master_id), told, status)
    return [Output(EXCEPTIONS, b"", encode(EXCEPTIONS, record))]
