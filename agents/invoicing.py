"""billing: projects charges for invoicing, takes in reports of billing systems, and announces on `invoice.status`.

Only this process writes `invoice.status`; an invoice run itself is `hourstream invoice run`.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import cast

from prometheus_client.core import Metric

from assurance.sink_snapshot import residues
from common import errors
from common.timestamps import instant
from invoicing.charge_projection import Projection
from invoicing.outbox_records import EXCEPTIONS_TOPIC, STATUS_TOPIC
from invoicing.status_events import BillingEvent, EventRow
from invoicing.status_intake import EVENTS_TOPIC, StatusIntake
from invoicing.status_mapping import DEFAULT, load_words
from metrics.metric_catalogue import gauge
from settings import Settings
from sinks.committer import Announcer, OutboxFeeder, SinkCommitter
from sinks.outbox import Outbox
from storage.live_counts import SinkFigures
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming import committer
from streaming.batch import Batch, Output
from streaming.dead_letters import dead_letter, explained, read
from streaming.process import Batches, BatchProcess
from topics.catalogue import CHARGES_TOPIC

NAME = "billing"
_RESIDUES_MS = 30_000


class BillingCommitter(SinkCommitter):
    """One partition number of charges and of what billing systems say, both committed in the one database."""

    def __init__(self, partition: int, projection: Projection, desk: StatusIntake, announcer: Announcer) -> None:
        super().__init__(NAME, partition, projection, announcer)
        self._desk = desk

    def open(self) -> None:
        super().open()
        position = self._until_reachable(lambda: self._desk.position(self.partition)) or None
        self.positions = {**self.positions, EVENTS_TOPIC: position}
        self._until_reachable(self._desk.apply_waiting)

    def process(self, batch: Batch) -> None:
        """Each topic in a transaction of its own; an invoice made elsewhere may have waited for these charges."""
        reached = dict(self.positions)
        for topic, take in ((CHARGES_TOPIC, super().process), (EVENTS_TOPIC, self._take_events)):
            start, end = self.positions[topic] or 0, batch.ends[topic]
            if end > start:
                records = [record for record in batch.records if record.topic == topic]
                take(Batch(batch.partition, batch.epoch, {topic: start}, {topic: end}, records))
                reached[topic] = end
            self.positions = dict(reached)
        if any(record.topic == CHARGES_TOPIC for record in batch.records):
            self._until_reachable(lambda: self._desk.apply_waiting("UNKNOWN_CHARGE"))

    def _take_events(self, batch: Batch) -> None:
        dead: list[Output] = []
        rows = [
            EventRow(record.partition, record.offset, instant(record.timestamp_ms), cast(BillingEvent, value))
            for record, value in read(batch.records, NAME, dead)
        ]
        if dead:
            self._announcer.publish(dead)
        start, end = batch.starts[EVENTS_TOPIC], batch.ends[EVENTS_TOPIC]
        records = {record.offset: record for record in batch.records}

        def set_aside(refused: Sequence[tuple[EventRow, Exception]]) -> None:
            letters = [dead_letter(records[row.offset], explained(error), NAME) for row, error in refused]
            self._announcer.publish(letters)

        try:
            self._until_reachable(lambda: self._desk.write(self.partition, start, end, rows, set_aside))
        except errors.SinkFenced as error:
            raise committer.Fenced(str(error)) from error


class BillingFigures(SinkFigures):
    """The figures of the projection, and whether the database's books tie."""

    def __init__(self, pool: Pool, sink: str, everything_is_posted: bool) -> None:
        super().__init__(pool, sink)
        self._everything_is_posted = everything_is_posted
        self._asked, self._residues = 0, dict[tuple[str, str], Decimal]()

    def metrics(self, now_ms: int) -> Iterator[Metric]:
        """Charges less their postings and invoice lines; read from the database at most every half minute."""
        if now_ms - self._asked >= _RESIDUES_MS:
            self._asked, self._residues = now_ms, residues(self._pool, self._everything_is_posted)
        found = gauge("reconciliation_residue")
        for labels, amount in sorted(self._residues.items()):
            found.add_metric(labels, float(amount))
        yield found


def process(settings: Settings) -> BatchProcess:
    """The projection and the desk as consumers of their topics."""
    desk_words = load_words(settings.billing_statuses or DEFAULT)
    pool = open_pool(settings.database_url)
    migrate(pool)
    projection, desk, announcer = Projection(pool), StatusIntake(pool, desk_words), Announcer(settings.bootstrap)
    for topic in (STATUS_TOPIC, EXCEPTIONS_TOPIC):
        OutboxFeeder(NAME, Outbox(pool, topic), announcer)
    billing = BatchProcess(
        NAME,
        (CHARGES_TOPIC, EVENTS_TOPIC),
        lambda partition: BillingCommitter(partition, projection, desk, announcer),
        settings,
    )
    billing.figures = BillingFigures(pool, projection.name, settings.routes is None)

    @billing.app.agent(billing.topic)
    async def project_charges(batches: Batches) -> None:
        async for batch in batches:
            await billing.run(batch)

    return billing
