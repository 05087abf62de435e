"""The sink of a target: queues charges in PostgreSQL, in the transaction that moves the position.

The queue accepts charges at the database's pace, so a slow target delays no other process; `sinks.delivery.worker`
empties it.
"""

from collections.abc import Callable, Iterator, Sequence

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.errors import Health
from schemas.json_codec import to_json
from sinks.delivery.target import Target
from sinks.routing_file import outcomes_of, rows_of
from sinks.routing_policy import Routes
from storage.bulk_load import as_json, stage
from storage.charge_batch import ChargeRow, SinkBatch, Written, settle_outcomes
from storage.charge_writer import write_charges
from storage.isolated_write import SetAside
from storage.positions import position
from storage.postgres import Pool, check, transaction
from topics.catalogue import CHARGES_TOPIC

_STAGED = {"charge_id": "text", "reverses": "text", "charge": "jsonb", "record_offset": "bigint"}

_QUEUE = """
INSERT INTO hourstream.deliveries
    (target, charge_id, reverses, engagement_id, client_id, period, charge, partition, record_offset)
SELECT %s, charge_id, reverses, charge ->> 'engagement_id', charge ->> 'client_id', charge ->> 'period', charge, %s,
       record_offset
FROM staged_deliveries ORDER BY record_offset
ON CONFLICT (charge_id, target) DO NOTHING
RETURNING charge_id
"""


class DeliverySink:
    """The queue of one target as a sink; `queued` is called after charges were queued, to deliver them soon.

    With `routes` it takes what those give to the target, else everything.
    """

    def __init__(
        self, pool: Pool, target: Target, queued: Callable[[], None] = lambda: None, routes: Routes | None = None
    ) -> None:
        self._pool = pool
        self._target = target
        self._queued = queued
        self._routes = routes

    @property
    def name(self) -> str:
        """The name of the target."""
        return self._target.name

    def positions(self, topic: str, partition: int) -> int:
        """The next offset to read, 0 before the first batch. Raises Unreachable."""
        with transaction(self._pool) as cursor:
            return position(cursor, self.name, topic, partition)

    def write(self, batch: SinkBatch, set_aside: SetAside[ChargeRow] | None = None) -> Written:
        """Queue the charges that are new and move the position. Raises Fenced, Unreachable, Misconfigured."""

        def take(cursor: Cursor[TupleRow], rows: Sequence[ChargeRow]) -> Written:
            ours = rows_of(self.name, self._routes, rows, lambda names: self._held(cursor, names))
            stage(cursor, "staged_deliveries", _STAGED, _staged(ours))
            queued = cursor.execute(_QUEUE, (self.name, batch.partition)).fetchall()
            taken = settle_outcomes(ours, {charge_id: None for (charge_id,) in queued}, taken="queued")
            return outcomes_of(rows, ours, taken)

        written = write_charges(self._pool, self.name, batch, take, set_aside)
        if written.count("queued"):
            self._queued()
        return written

    def _held(self, cursor: Cursor[TupleRow], charge_ids: Sequence[str]) -> list[str]:
        """Those of the charges that were queued for this target before."""
        found = cursor.execute(
            "SELECT charge_id FROM hourstream.deliveries WHERE target = %s AND charge_id = ANY(%s)",
            (self.name, list(charge_ids)),
        )
        return [str(charge_id) for (charge_id,) in found.fetchall()]

    def health(self) -> Health:
        """Whether PostgreSQL and the target answer."""
        database = check(self._pool)
        return database if not database.ok else self._target.health()


def _staged(rows: Sequence[ChargeRow]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        charge = row.charge
        yield charge["charge_id"], charge["reverses"], as_json(to_json(CHARGES_TOPIC, charge)), row.offset
