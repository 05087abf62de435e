"""lifecycle: reads charges, ERP answers and invoice statuses; publishes the state of each charge."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from metrics.metric_catalogue import gauge, histogram
from metrics.worker_metrics import StateFigures
from schemas.codec import encode
from settings import Settings
from streaming.batch import Batch, Output
from streaming.dead_letters import read
from streaming.process import Batches, BatchProcess
from streaming.state import State
from streaming.stateful_process import stateful_process
from tables.charge_status import STATES, ChargeEvent, ChargeHistories
from tables.cycle_times import histograms, in_windows, is_cycle
from tables.windows import Tally, count_set_aside
from topics.catalogue import LIFECYCLE_INPUTS

NAME = "lifecycle"
# States are less urgent than charges: fewer and larger transactions leave the machine to the workers ahead.
GATHER_SECONDS = 0.25


def process(settings: Settings) -> BatchProcess:
    """The lifecycle process: one committer a partition."""
    lifecycle = stateful_process(
        NAME, LIFECYCLE_INPUTS, settings, lambda: process_batch, batch_seconds=GATHER_SECONDS, note=count_set_aside
    )
    lifecycle.figures = LifecycleFigures(lifecycle)

    @lifecycle.app.agent(lifecycle.topic)
    async def follow_charges(batches: Batches) -> None:
        async for batch in batches:
            await lifecycle.run(batch)

    return lifecycle


def process_batch(batch: Batch, state: State) -> list[Output]:
    """The states that a batch changes."""
    outputs, tally = list[Output](), Tally()
    histories = ChargeHistories(state, tally)
    histories.apply(
        [ChargeEvent(record.topic, value, record.timestamp_ms) for record, value in read(batch.records, NAME, outputs)]
    )
    tally.count("dead", batch.timestamp_ms, len(outputs))
    for engagement_id, record in histories.changes():
        outputs.append(Output(STATES, engagement_id.encode(), encode(STATES, record)))
    tally.count_each("received", (record.timestamp_ms for record in batch.records))
    tally.write(state)
    return outputs


class LifecycleFigures(StateFigures):
    """The figures in the agent's state; some are metrics of their own kind."""

    def windows(self, now_ms: int) -> dict[tuple[int, str], int]:
        """Without the histograms: see `metrics`."""
        return {key: count for key, count in super().windows(now_ms).items() if not is_cycle(key[1])}

    def metrics(self, now_ms: int) -> Iterator[Metric]:
        """Charges and amounts by state, and how long they take from step to step."""
        totals = self.totals()
        yield from _charges(totals)
        cycles = histogram("cycle_seconds")
        for step, region, buckets, seconds in histograms(totals):
            cycles.add_metric((step, region), buckets, seconds)
        yield cycles
        recent = gauge("window_cycles")
        for step, span, buckets in in_windows(super().windows(now_ms)):
            for bound, count in buckets:
                recent.add_metric((step, str(span), bound), count)
        yield recent


def _charges(totals: dict[tuple[str, ...], int]) -> Iterator[Metric]:
    charges = gauge("charges")
    amounts = gauge("charges_amount")
    for (name, *labels), total in sorted(totals.items()):
        if name == "charges":
            charges.add_metric(labels, total)
        elif name == "charge_amount":
            amounts.add_metric(labels, total / 1_000_000)
    yield from (charges, amounts)
    unknown = gauge("lifecycle_unknown_charges")
    unknown.add_metric((), totals.get(("unknown_charges",), 0))
    yield unknown
