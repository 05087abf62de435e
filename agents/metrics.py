"""metrics: computes figures of finance from its own windowed aggregates; publishes only its metrics page.

It is a process of its own, so that figures over every fact cost the deciding processes nothing. It skips unreadable
records, because the processes that need them publish the dead letters.
"""

from collections.abc import Iterator

from prometheus_client.core import Metric

from metrics.finance_metrics import Finance, finance_metrics
from metrics.worker_metrics import StateFigures
from settings import Settings
from streaming.batch import Batch, Output
from streaming.dead_letters import read
from streaming.process import Batches, BatchProcess
from streaming.state import State
from streaming.stateful_process import stateful_process
from tables.cycle_times import is_cycle
from tables.finance_rollup import Overview
from tables.rollup_sums import sums
from tables.settlement.masters_snapshot import TOPIC as CURRENT
from tables.settlement.masters_snapshot import MastersTable
from tables.windows import Tally, count_set_aside, totals
from topics.catalogue import METRICS_INPUTS

NAME = "metrics"
GATHER_SECONDS = 0.5  # a figure may be that old
_NOT_RECORDS = ("posted_minutes", "manual_minutes")  # windows of minutes, not of records


def process(settings: Settings) -> BatchProcess:
    """The metrics process: one committer per partition, and the masters for names of labels."""
    masters = MastersTable(settings.bootstrap, settings.stall_seconds)
    masters.start()
    metrics = stateful_process(
        NAME, METRICS_INPUTS, settings, lambda: process_batch, batch_seconds=GATHER_SECONDS, note=count_set_aside
    )
    metrics.figures = MetricsFigures(metrics, masters)
    metrics.follows[CURRENT] = lambda: masters.snapshot().end

    @metrics.app.agent(metrics.topic)
    async def look_on(batches: Batches) -> None:
        async for batch in batches:
            await metrics.run(batch)

    return metrics


def process_batch(batch: Batch, state: State) -> list[Output]:
    """Keep the figures of a batch in `state`; nothing is published."""
    passed_over, tally = list[Output](), Tally()
    overview = Overview(state, tally)
    said = list(read(batch.records, NAME, passed_over))
    overview.load([(record.topic, value) for record, value in said])
    for record, value in said:
        overview.take(record.topic, value, record.timestamp_ms)
    overview.write()
    tally.count_each("received", (record.timestamp_ms for record in batch.records))
    tally.count("passed_over", batch.timestamp_ms, len(passed_over))
    tally.write(state)
    return []


class MetricsFigures(StateFigures):
    """The figures in the agent's state, with labels from the masters of the moment."""

    def __init__(self, process: BatchProcess, masters: MastersTable) -> None:
        super().__init__(process)
        self._masters = masters

    def windows(self, now_ms: int) -> dict[tuple[int, str], int]:
        """Of records only; the others are in `metrics`."""
        found = super().windows(now_ms)
        return {key: n for key, n in found.items() if key[1] not in _NOT_RECORDS and not is_cycle(key[1])}

    def metrics(self, now_ms: int) -> Iterator[Metric]:
        """The figures of finance at that moment."""
        finance = Finance(self._masters.snapshot().masters, super().windows(now_ms), now_ms)
        for rows in self._rows():
            finance.sums.update(sums(rows.items()))
            finance.totals.update(totals(rows.items()))
        yield from finance_metrics(finance)
