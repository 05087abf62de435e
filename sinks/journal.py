"""The PostgreSQL journal, the embedded ERP: one balanced double entry per charge (DOMAIN.md §5).

A charge debits accounts receivable accrued and credits revenue; a negative amount, as of a reversal, swaps the sides.
Zero charges are posted too: their minutes are statistics of the ledger. Each posting is announced on `erp.postings`
through the outbox. There may be several journals, each a system with its own name.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from accounting.accounting_periods import posting_periods
from accounting.chart_of_accounts import RECEIVABLES, REVENUE
from accounting.posting_periods import BookedCharge, Position, periods_of
from common.errors import Health
from common.timestamps import instant_text
from invoicing.charge_columns import CHARGE_COLUMNS
from rating.model.ids import posting_id
from sinks.routing_file import outcomes_of, rows_of
from sinks.routing_policy import Routes
from storage.bulk_load import stage
from storage.charge_batch import ChargeRecord, ChargeRow, SinkBatch, Written, settle_outcomes
from storage.charge_writer import write_charges
from storage.isolated_write import SetAside
from storage.positions import position
from storage.postgres import Pool, check, transaction
from topics import topic_names
from topics.consumers import POSTED_FIELDS

POSTINGS_TOPIC = topic_names.ERP_POSTINGS
JOURNAL = "journal"

_STAGED = {
    **{name: CHARGE_COLUMNS[name] for name in POSTED_FIELDS},
    "posting_period": "text",
    "posting_id": "text",
    "record_offset": "bigint",
    "undone_amount": "numeric",
    "undone_currency": "text",
    "repeated": "boolean",
}
_ledger_fields = itemgetter(*POSTED_FIELDS)

# A ledger refuses entries that would make it wrong: a charge without a legal entity, and a reversal that does not undo
# exactly one posted charge, wholly and for the first time. A refused charge may be offered again; a posted one stays as
# it is. Both joins use a unique index alone: with a filter beside it, an unanalysed table seems empty and the join
# becomes quadratic.
_POST = sql.SQL(
    """
WITH judged AS (
    SELECT s.*, CASE
        WHEN s.legal_entity = '' THEN 'NO_LEGAL_ENTITY'
        WHEN s.reverses IS NULL THEN NULL
        WHEN s.undone_amount IS NULL
            AND (original.charge_id IS NULL OR original.status = 'refused' OR original.reverses IS NOT NULL)
            THEN 'REVERSES_UNKNOWN_CHARGE'
        WHEN s.repeated OR earlier.charge_id IS NOT NULL THEN 'ALREADY_REVERSED'
        WHEN coalesce(s.undone_amount, original.amount) <> -s.amount
            OR coalesce(s.undone_currency, original.currency) <> s.currency THEN 'REVERSAL_DIFFERS'
    END AS refusal
    FROM staged_postings s
    LEFT JOIN hourstream.journal_postings original
        ON original.system = %(system)s AND original.charge_id = s.reverses
    LEFT JOIN hourstream.journal_postings earlier
        ON earlier.system = %(system)s AND earlier.reverses = s.reverses AND earlier.status = 'posted'
), written AS (
    INSERT INTO hourstream.journal_postings AS p
        (system, posting_id, status, reason, {posted}, posting_period, topic, partition, record_offset, posted_at)
    SELECT %(system)s::text, posting_id, CASE WHEN refusal IS NULL THEN 'posted' ELSE 'refused' END, refusal,
           {posted}, posting_period, %(topic)s, %(partition)s, record_offset, %(at)s
    FROM judged ORDER BY record_offset
    ON CONFLICT (system, charge_id) DO UPDATE
        SET status = excluded.status, reason = excluded.reason, revision = p.revision + 1,
            topic = excluded.topic, partition = excluded.partition, record_offset = excluded.record_offset,
            posted_at = excluded.posted_at, posting_period = excluded.posting_period
        WHERE p.status = 'refused'
    RETURNING p.*
), lines AS (
    INSERT INTO hourstream.journal_lines
    SELECT number, line, account, greatest(side * amount, 0), greatest(-side * amount, 0)
    FROM written CROSS JOIN (VALUES (1, %(receivables)s, 1), (2, %(revenue)s, -1)) AS entry (line, account, side)
    WHERE status = 'posted' ORDER BY number, line
), queued AS (
    INSERT INTO hourstream.outbox (topic, key, value)
    SELECT %(announced_on)s, engagement_id, jsonb_build_object(
        'posting_id', posting_id, 'charge_id', charge_id, 'engagement_id', engagement_id, 'system', %(system)s::text,
        'status', status, 'reference', 'JRN-' || number, 'reason', reason, 'at', %(at_text)s::text,
        'source', %(system)s::text, 'revision', revision, 'occurred_at', %(at_text)s::text,
        'posting_period', CASE status WHEN 'posted' THEN posting_period END)
    FROM written ORDER BY number
)
SELECT charge_id, reason FROM written
"""
).format(posted=sql.SQL(", ").join(map(sql.Identifier, POSTED_FIELDS)))


class Journal:
    """The journal as a sink; `clock` gives the posting time, `system` names the ledger on `erp.postings`.

    With `routes` it takes the charges of its system, else all.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        system: str = JOURNAL,
        routes: Routes | None = None,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._system = system
        self._routes = routes

    @property
    def name(self) -> str:
        """The name of the ledger."""
        return self._system

    def positions(self, topic: str, partition: int) -> int:
        """The next offset to read, 0 before the first batch. Raises Unreachable."""
        with transaction(self._pool) as cursor:
            return position(cursor, self._system, topic, partition)

    def write(self, batch: SinkBatch, set_aside: SetAside[ChargeRow] | None = None) -> Written:
        """Post the charges that are new, queue their announcements, move the position.

        Raises Fenced, Unreachable, Misconfigured.
        """
        at = self._clock()
        parameters = {
            "topic": batch.topic,
            "partition": batch.partition,
            "at": at,
            "at_text": instant_text(at),
            "system": self._system,
            "announced_on": POSTINGS_TOPIC,
            "receivables": RECEIVABLES,
            "revenue": REVENUE,
        }

        def take(cursor: Cursor[TupleRow], rows: Sequence[ChargeRow]) -> Written:
            ours = rows_of(self._system, self._routes, rows, lambda names: self._held(cursor, names))
            periods = self._posting_periods(cursor, batch.partition, ours)
            stage(cursor, "staged_postings", _STAGED, self._offered(ours, periods))
            posted = cursor.execute(_POST, parameters).fetchall()
            return outcomes_of(rows, ours, settle_outcomes(ours, dict(posted)))

        return write_charges(self._pool, self._system, batch, take, set_aside)

    def health(self) -> Health:
        """Whether PostgreSQL answers."""
        return check(self._pool)

    def _held(self, cursor: Cursor[TupleRow], charge_ids: Sequence[str]) -> list[str]:
        """Those of the charges that this ledger was given before, refused ones included."""
        found = cursor.execute(
            "SELECT charge_id FROM hourstream.journal_postings WHERE system = %s AND charge_id = ANY(%s)",
            (self._system, list(charge_ids)),
        )
        return [str(charge_id) for (charge_id,) in found.fetchall()]

    def _posting_periods(
        self, cursor: Cursor[TupleRow], partition: int, rows: Sequence[ChargeRow]
    ) -> Mapping[str, str]:
        """The posting period of each charge; of one that was refused before, the first that is open now."""
        acts = posting_periods(cursor)
        if not acts:
            return {row.charge["charge_id"]: row.charge["period"] for row in rows}
        names = {name for row in rows for name in (row.charge["charge_id"], row.charge["reverses"]) if name}
        before = cursor.execute(
            "SELECT charge_id, status, posting_period FROM hourstream.journal_postings"
            " WHERE system = %s AND charge_id = ANY(%s)",
            (self._system, list(names)),
        ).fetchall()
        posted = {name: period for name, status, period in before if status == "posted"}
        refused = {name for name, status, _ in before if status == "refused"}
        return periods_of(
            (booked(row.charge, row.offset, self._system, partition, refused) for row in rows), acts, posted
        )

    def _offered(self, rows: Sequence[ChargeRow], periods: Mapping[str, str]) -> Iterator[tuple[object, ...]]:
        """Each charge once, with the charge of the same batch that it undoes and whether another undid it before."""
        undoable: dict[str, ChargeRecord] = {}
        seen: set[str] = set()
        undone: set[str | None] = set()
        for row in rows:
            charge = row.charge
            charge_id, reverses = charge["charge_id"], charge["reverses"]
            if charge_id in seen:
                continue
            beside = undoable.get(reverses) if reverses else None
            yield (
                *_ledger_fields(charge),
                periods[charge_id],
                posting_id(charge_id, self._system),
                row.offset,
                beside["amount"] if beside else None,
                beside["currency"] if beside else None,
                reverses is not None and reverses in undone,
            )
            seen.add(charge_id)
            undone.add(reverses)
            if reverses is None and charge["legal_entity"]:
                undoable[charge_id] = charge


def booked(
    charge: ChargeRecord, offset: int, system: str, partition: int, refused: Collection[str] = frozenset()
) -> BookedCharge:
    """What the posting period of a charge follows from; one of the `refused` before is posted after every act."""
    position = Position(charge["decided_at"], system, partition, offset)
    name = charge["charge_id"]
    return BookedCharge(
        name, charge["reverses"], charge["legal_entity"], charge["period"], None if name in refused else position
    )
