"""What a worker tells of itself: the live figures as Prometheus metrics, and its positions for the command line.

Labels are bounded: stage, outcome, code, region, topic and partition; never a client, an engagement or a person.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

from prometheus_client.core import GaugeMetricFamily, Metric

from agents.delivery_figures import delivery_metrics
from runtime.plane.partitions import Partition
from runtime.plane.process import BatchProcess, Figures
from tables.windows import SPANS, totals, windows

FAILURES = ("dead", "open", "refused")  # outcomes that count as failures of a stage


@runtime_checkable
class OwnMetrics(Protocol):
    """Figures of a process that has metrics beside those that every worker has."""

    def metrics(self, now_ms: int) -> Iterator[Metric]:
        """Those metrics at that moment, epoch milliseconds."""


class StateFigures:
    """Figures that an agent keeps in its own state, added up over the partitions held here."""

    def __init__(self, process: BatchProcess) -> None:
        self._process = process

    def _rows(self) -> list[dict[bytes, bytes]]:
        return [dict(p.committer.live_rows()) for p in list(self._process.partitions.held.values())]

    def windows(self, now_ms: int) -> dict[tuple[int, str], int]:
        """{(span in minutes, outcome): count}."""
        figures = Counter[tuple[int, str]]()
        for rows in self._rows():
            figures.update(windows(rows.items(), now_ms))
        return dict(figures)

    def totals(self) -> dict[tuple[str, ...], int]:
        """{(name, label...): running total}."""
        figures = Counter[tuple[str, ...]]()
        for rows in self._rows():
            figures.update(totals(rows.items()))
        return dict(figures)


def metrics(process: BatchProcess, figures: Figures, now: Callable[[], float] = time.time) -> Iterator[Metric]:
    """All metrics of one worker process, for one scrape."""
    stage = process.name
    yield from _window_metrics(stage, figures.windows(int(now() * 1000)))
    totals = figures.totals()
    yield from _total_metrics(stage, totals)
    yield from delivery_metrics(totals)
    yield from _position_metrics(stage, list(process.partitions.held.values()))
    if isinstance(figures, OwnMetrics):
        yield from figures.metrics(int(now() * 1000))


def _window_metrics(stage: str, counts: dict[tuple[int, str], int]) -> Iterator[Metric]:
    records = GaugeMetricFamily(
        "hourstream_window_records",
        "Records by outcome in the last minutes, by the broker's append time.",
        labels=("stage", "outcome", "minutes"),
    )
    for (span, outcome), count in sorted(counts.items()):
        records.add_metric((stage, outcome, str(span)), count)
    yield records
    failures = GaugeMetricFamily(
        "hourstream_window_failure_ratio",
        "Share of the records received in the last minutes that failed (dead letters, newly parked, refused).",
        labels=("stage", "minutes"),
    )
    for span in SPANS:
        received = counts.get((span, "received"), 0)
        failed = sum(counts.get((span, outcome), 0) for outcome in FAILURES)
        failures.add_metric((stage, str(span)), failed / received if received else 0.0)
    yield failures


def _total_metrics(stage: str, figures: dict[tuple[str, ...], int]) -> Iterator[Metric]:
    parked = GaugeMetricFamily("hourstream_parked_subjects", "Subjects parked now.", labels=("stage", "code", "region"))
    minutes = GaugeMetricFamily(
        "hourstream_parked_minutes", "Worked minutes parked now.", labels=("stage", "code", "region")
    )
    waiting = GaugeMetricFamily(
        "hourstream_waiting_records", "Source records that wait for a look-up.", labels=("stage", "missing")
    )
    for (name, *labels), total in sorted(figures.items()):
        if name == "parked":
            parked.add_metric((stage, *labels), total)
        elif name == "parked_minutes_by_code":
            minutes.add_metric((stage, *labels), total)
        elif name == "waiting":
            waiting.add_metric((stage, *labels), total)
    yield from (parked, minutes, waiting)
    if ("approved_minutes",) in figures:
        residue = GaugeMetricFamily(
            "hourstream_conservation_residue_minutes",
            "Approved worked minutes that are neither charged, parked nor waived. Anything but 0 is a defect.",
            labels=("stage",),
        )
        residue.add_metric((stage,), conservation_residue(figures))
        yield residue


def conservation_residue(figures: dict[tuple[str, ...], int]) -> int:
    """Approved minutes less those in charges, parked and waived (DOMAIN §5.1)."""
    accounted = sum(figures.get((name,), 0) for name in ("charged_minutes", "parked_minutes", "waived_minutes"))
    return figures.get(("approved_minutes",), 0) - accounted


def _position_metrics(stage: str, held: list[Partition]) -> Iterator[Metric]:
    lag = GaugeMetricFamily(
        "hourstream_lag_records",
        "Records of a topic partition that are not committed yet.",
        labels=("stage", "topic", "partition"),
    )
    running = GaugeMetricFamily("hourstream_partitions_running", "Partitions held and restored.", labels=("stage",))
    for partition in held:
        reader = partition.reader
        if reader is None:
            continue
        for topic, position in partition.committer.positions.items():
            end = max(reader.highwater(topic), 0)
            done = reader.reached(topic) if partition.taken is None else (position or 0)
            lag.add_metric((stage, topic, str(partition.number)), max(end - max(done, position or 0), 0))
    running.add_metric((stage,), sum(partition.running for partition in held))
    yield from (lag, running)


def status(process: BatchProcess, figures: Figures) -> dict[str, object]:
    """Where this worker stands, for `hourstream run` and its like; see `runtime.cli.quiet`."""
    held = list(process.partitions.held.values())
    return {
        "agent": process.name,
        "pid": os.getpid(),
        "partitions": {p.number: _partition_status(p) for p in held if p.reader is not None},
        "follows": {topic: end() for topic, end in process.follows.items()},
        "totals": [[*labels, total] for labels, total in sorted(figures.totals().items())],
    }


def _partition_status(partition: Partition) -> dict[str, object]:
    reader = partition.reader
    idle = reader is not None and partition.taken is None and not reader.buffer.records
    reached = {topic: reader.reached(topic) for topic in partition.committer.positions} if reader else {}
    return {"idle": idle and not partition.committer.has_due_work(), "reached": reached}
