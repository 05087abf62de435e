"""A batch of charges into a sink's database: position, rows and live figures in one transaction."""

from collections.abc import Callable, Sequence

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.fault_injection import fault_point
from storage.charge_batch import ChargeRow, SinkBatch, WriteOutcome, Written
from storage.isolated_write import SetAside, write_isolated
from storage.live_counts import count
from storage.positions import advance
from storage.postgres import Pool

Take = Callable[[Cursor[TupleRow], Sequence[ChargeRow]], Written]


def write_charges(
    pool: Pool, sink: str, batch: SinkBatch, take: Take, set_aside: SetAside[ChargeRow] | None
) -> Written:
    """Write what `take` makes of the batch and move the position of `sink`. A row that is set aside is `dead`.

    Raises Fenced, Unreachable, Misconfigured, and what `set_aside` raises.
    """
    outcomes: dict[int, WriteOutcome] = {}

    def begin(cursor: Cursor[TupleRow]) -> None:
        outcomes.clear()
        advance(cursor, sink, batch)

    def take_part(cursor: Cursor[TupleRow], rows: Sequence[ChargeRow]) -> None:
        found = take(cursor, rows).outcomes
        outcomes.update(zip((row.offset for row in rows), found, strict=True))

    def end(cursor: Cursor[TupleRow]) -> None:
        count(cursor, sink, batch, written())
        fault_point(f"{sink}:written")

    def written() -> Written:
        return Written(
            tuple(outcomes.get(row.offset) or WriteOutcome(row.charge["charge_id"], "dead") for row in batch.rows)
        )

    write_isolated(pool, f"{sink} {batch.topic}-{batch.partition}", batch.rows, begin, take_part, end, set_aside)
    return written()
