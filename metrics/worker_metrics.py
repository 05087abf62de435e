"""A worker's own metrics: live figures for Prometheus, and positions for the command line.

Labels are bounded: stage, outcome, code, region, topic and partition; never a client, an engagement or a person.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.process_collector import ProcessCollector

from common.errors import Misconfigured, Unreachable
from common.isolation import ISOLATED
from metrics.delivery_metrics import delivery_metrics
from metrics.metric_catalogue import counter, gauge
from streaming.partitions import Partition
from streaming.process import BatchProcess, Figures
from streaming.stall_record import read_stalls
from streaming.transactions import TransactionalCommitter
from tables.windows import SPANS, totals, windows

_PROCESS = ProcessCollector(registry=CollectorRegistry())
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


def metrics(
    process: BatchProcess, figures: Figures, now: Callable[[], float] = time.time, state_dir: Path | None = None
) -> Iterator[Metric]:
    """All metrics of one worker process, for one scrape. Those of a sink whose database is down are left out."""
    stage, now_ms = process.name, int(now() * 1000)
    yield from _position_metrics(stage, list(process.partitions.held.values()), now_ms)
    yield from _state_metrics(stage, list(process.partitions.held.values()), state_dir)
    isolated = counter("isolated")
    for what, count in ISOLATED.counts().items():
        isolated.add_metric((stage, what), count)
    yield isolated
    yield from _stall_metrics(process)
    yield from _PROCESS.collect()
    try:
        found = [*_kept_metrics(stage, figures, now_ms)]
        reachable = True
    except (Unreachable, Misconfigured):
        found, reachable = [], False
    yield from found
    if not isinstance(figures, StateFigures):
        sink = gauge("sink_reachable")
        sink.add_metric((stage,), reachable)
        yield sink


def _kept_metrics(stage: str, figures: Figures, now_ms: int) -> Iterator[Metric]:
    """The figures wherever the process keeps them. Raises Unreachable."""
    yield from _window_metrics(stage, figures.windows(now_ms))
    totals = figures.totals()
    yield from _total_metrics(stage, totals)
    yield from delivery_metrics(totals)
    if isinstance(figures, OwnMetrics):
        yield from figures.metrics(now_ms)


def _window_metrics(stage: str, counts: dict[tuple[int, str], int]) -> Iterator[Metric]:
    records, failures = gauge("window_records"), gauge("window_failure_ratio")
    for outcome in ("received", "dead"):
        for span in SPANS:
            counts.setdefault((span, outcome), 0)
    for (span, outcome), count in sorted(counts.items()):
        records.add_metric((stage, outcome, str(span)), count)
    yield records
    for span in SPANS:
        received = counts.get((span, "received"), 0)
        failed = sum(counts.get((span, outcome), 0) for outcome in FAILURES)
        failures.add_metric((stage, str(span)), failed / received if received else 0.0)
    yield failures


def _total_metrics(stage: str, figures: dict[tuple[str, ...], int]) -> Iterator[Metric]:
    parked, minutes, waiting = gauge("parked_subjects"), gauge("parked_minutes"), gauge("waiting_records")
    for (name, *labels), total in sorted(figures.items()):
        if name == "parked":
            parked.add_metric((stage, *labels), total)
        elif name == "parked_minutes_by_code":
            minutes.add_metric((stage, *labels), total)
        elif name == "waiting":
            waiting.add_metric((stage, *labels), total)
    yield from (parked, minutes, waiting)
    if ("approved_minutes",) in figures:
        residue = gauge("conservation_residue_minutes")
        residue.add_metric((stage,), conservation_residue(figures))
        yield residue


def conservation_residue(figures: dict[tuple[str, ...], int]) -> int:
    """Approved minutes less those in charges, parked and waived (DOMAIN §5.1)."""
    accounted = sum(figures.get((name,), 0) for name in ("charged_minutes", "parked_minutes", "waived_minutes"))
    return figures.get(("approved_minutes",), 0) - accounted


def _position_metrics(stage: str, held: list[Partition], now_ms: int) -> Iterator[Metric]:
    lag, age, position = gauge("lag_records"), gauge("lag_seconds"), gauge("committed_offset")
    for partition in held:
        reader, number = partition.reader, str(partition.number)
        if reader is None:
            continue
        for topic, at in partition.committer.positions.items():
            end = max(reader.highwater(topic), 0)
            done = reader.reached(topic) if partition.taken is None else (at or 0)
            lag.add_metric((stage, topic, number), max(end - max(done, at or 0), 0))
            position.add_metric((stage, topic, number), at or 0)
        age.add_metric((stage, number), _lag_seconds(partition, now_ms))
    yield from (lag, age, position)


def _lag_seconds(partition: Partition, now_ms: int) -> float:
    """Age of the first record that is on its way or waits to be; the batch on its way was read before all others."""
    waiting = partition.taken or (partition.reader.buffer if partition.reader is not None else None)
    first = [] if waiting is None else waiting.records[:1]
    return max(now_ms - first[0].timestamp_ms, 0) / 1000 if first else 0.0


def _state_metrics(stage: str, held: list[Partition], state_dir: Path | None) -> Iterator[Metric]:
    assigned, running, rows = gauge("partitions_assigned"), gauge("partitions_running"), gauge("restored_rows")
    assigned.add_metric((stage,), len(held))
    running.add_metric((stage,), sum(partition.running for partition in held))
    for partition in held:
        if isinstance(partition.committer, TransactionalCommitter):
            rows.add_metric((stage, str(partition.number)), partition.committer.restored_rows)
    yield from (assigned, running, rows)
    if state_dir is not None:
        size = gauge("state_bytes")
        size.add_metric((stage,), sum(_size(file) for file in state_dir.rglob("*")))
        yield size


def _stall_metrics(process: BatchProcess) -> Iterator[Metric]:
    idle, number, last = gauge("idle_seconds"), counter("stalls"), gauge("last_stall_timestamp_seconds")
    idle.add_metric((process.name,), process.watchdog.idle_seconds())
    stalls = read_stalls(process.state_dir)
    number.add_metric((process.name,), stalls.number)
    if stalls.number:
        last.add_metric((process.name,), stalls.last)
    yield from (idle, number, last)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # RocksDB has just replaced it
        return 0


def status(process: BatchProcess, figures: Figures) -> dict[str, object]:
    """The position of this worker, for `hourstream run` and similar commands; see `operations.quiescence`."""
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
