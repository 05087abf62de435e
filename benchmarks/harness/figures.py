"""Figures of runs: what one run measured, medians over rounds, ratios between contenders."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

RATIOS = {
    "enrich_vs_kafka_streams_eos": ("hourstream", "kafka_streams_eos"),
    "enrich_vs_kafka_streams_alo": ("hourstream", "kafka_streams_alo"),
    "enrich_vs_bare_loop": ("hourstream", "bare_loop"),
    "settle_vs_kafka_streams_eos": ("settle", "kafka_streams_eos"),
}


@dataclass
class Run:
    """One contender in one round. Seconds, bytes, milliseconds; None where it was not measured."""

    contender: str
    round: int
    guarantee: str
    records: int
    outputs: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int = 0
    checked: str = ""
    latency_rate: int | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    restored_rows: int | None = None
    restore_seconds: float | None = None

    @property
    def a_second(self) -> float:
        """Records a second of wall time."""
        return self.records / self.seconds

    @property
    def a_cpu_second(self) -> float:
        """Records a second of the worker's own CPU time."""
        return self.records / self.cpu_seconds

    @property
    def restored_a_second(self) -> float | None:
        """Changelog rows a second; None without a restore."""
        if self.restored_rows is None or not self.restore_seconds:
            return None
        return self.restored_rows / self.restore_seconds

    def as_json(self) -> dict[str, object]:
        """All fields, and the three rates."""
        rates = {"records_per_second": self.a_second, "records_per_cpu_second": self.a_cpu_second}
        return {**asdict(self), **rates, "restored_rows_per_second": self.restored_a_second}


def median_of(values: Sequence[float | None]) -> float | None:
    """The median of the measured values; None without values."""
    measured = [value for value in values if value is not None]
    return statistics.median(measured) if measured else None


def summary(runs: Sequence[Run]) -> dict[str, float | None]:
    """Medians over the rounds of one contender."""
    return {
        "records_per_second": median_of([run.a_second for run in runs]),
        "records_per_cpu_second": median_of([run.a_cpu_second for run in runs]),
        "peak_bytes": median_of([float(run.peak_bytes) for run in runs]),
        "latency_p50_ms": median_of([run.latency_p50_ms for run in runs]),
        "latency_p99_ms": median_of([run.latency_p99_ms for run in runs]),
        "restored_rows_per_second": median_of([run.restored_a_second for run in runs]),
    }


def ratios(summaries: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    """Records per CPU-second of ours over the peer's, of the pairs that both ran."""
    found = {}
    for name, (ours, peer) in RATIOS.items():
        mine = summaries.get(ours, {}).get("records_per_cpu_second")
        theirs = summaries.get(peer, {}).get("records_per_cpu_second")
        if mine is not None and theirs:
            found[name] = mine / theirs
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; ValueError for no values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
