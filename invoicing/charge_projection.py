"""The projection of `billing.ready` into the table `hourstream.charges`, which invoices and traces read."""

from collections.abc import Sequence
from operator import itemgetter

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.errors import Health
from storage.bulk_load import CHARGE_COLUMNS, as_json, stage
from storage.charge_batch import ChargeRow, SinkBatch, Written, settle_outcomes
from storage.charge_writer import write_charges
from storage.isolated_write import SetAside
from storage.positions import position
from storage.postgres import Pool, check, transaction

NAME = "projection"

_STAGED = {
    **CHARGE_COLUMNS,
    "components": "jsonb",
    "lineage": "jsonb",
    "record_offset": "bigint",
    "appended_ms": "bigint",
}
_plain_fields = itemgetter(*CHARGE_COLUMNS)

_INSERT = """
INSERT INTO hourstream.charges
SELECT charge_id, reverses, subject, kind, engagement_id, client_id, legal_entity, consultant_id, task_id,
       labor_category, work_date, period, worked_minutes, billable_minutes, rate, rate_unit, multiplier, currency,
       amount, reason, tax_category, tax_rate, po_number, region, approved_by, decided_at, derivation, components,
       lineage, %s, %s, record_offset, to_timestamp(appended_ms / 1000.0)
FROM staged_charges ORDER BY record_offset
ON CONFLICT (charge_id) DO NOTHING
RETURNING charge_id
"""


class Projection:
    """The sink that keeps charges for invoices; every new charge is `posted`, none is refused."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def name(self) -> str:
        """`projection`."""
        return NAME

    def positions(self, topic: str, partition: int) -> int:
        """The next offset to read, 0 before the first batch. Raises Unreachable."""
        with transaction(self._pool) as cursor:
            return position(cursor, NAME, topic, partition)

    def write(self, batch: SinkBatch, set_aside: SetAside[ChargeRow] | None = None) -> Written:
        """Insert the charges that are new and move the position. Raises Fenced, Unreachable, Misconfigured."""

        def take(cursor: Cursor[TupleRow], rows: Sequence[ChargeRow]) -> Written:
            stage(cursor, "staged_charges", _STAGED, map(_staged, rows))
            inserted = cursor.execute(_INSERT, (batch.topic, batch.partition)).fetchall()
            return settle_outcomes(rows, {charge_id: None for (charge_id,) in inserted})

        return write_charges(self._pool, NAME, batch, take, set_aside)

    def health(self) -> Health:
        """Whether PostgreSQL answers."""
        return check(self._pool)


def _staged(row: ChargeRow) -> tuple[object, ...]:
    charge = row.charge
    nested = as_json(charge["components"]), as_json(charge["lineage"])
    return (*_plain_fields(charge), *nested, row.offset, row.timestamp_ms)
