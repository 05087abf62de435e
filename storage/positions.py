"""The position of a sink, kept in its own database and moved in the transaction that writes the batch."""

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.errors import SinkFenced
from storage.charge_batch import SinkBatch


def position(cursor: Cursor[TupleRow], sink: str, topic: str, partition: int) -> int:
    """The next offset to read, 0 before the first batch."""
    row = cursor.execute(
        "SELECT next_offset FROM hourstream.positions WHERE sink = %s AND topic = %s AND partition = %s",
        (sink, topic, partition),
    ).fetchone()
    return 0 if row is None else int(row[0])


def advance(cursor: Cursor[TupleRow], sink: str, batch: SinkBatch) -> None:
    """Move the position over the batch; raises Fenced unless it is at the start of the batch.

    Call it before any other write of the batch: the row lock makes a rival of the same partition wait here, and the
    position after the wait fences the rival.
    """
    where = (sink, batch.topic, batch.partition)
    cursor.execute("INSERT INTO hourstream.positions VALUES (%s, %s, %s, 0) ON CONFLICT DO NOTHING", where)
    moved = cursor.execute(
        "UPDATE hourstream.positions SET next_offset = %s"
        " WHERE sink = %s AND topic = %s AND partition = %s AND next_offset = %s",
        (batch.end, *where, batch.start),
    ).rowcount
    if moved != 1:
        at = position(cursor, *where)
        raise SinkFenced(f"{sink} is at {at} of {batch.topic}-{batch.partition}, not at {batch.start}")
