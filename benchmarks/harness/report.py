"""`report.md`: the medians as a table, the ratios, settle at scale, and how it all was measured."""

from collections.abc import Mapping, Sequence
from typing import Any

_METHOD = """\
## How it is measured

- One machine, one embedded Kafka broker; the contenders take turns, A B A B, a round after the other. Figures are
  medians over the rounds; latency and restore are taken in the first round.
- The job: Avro in (13 fields, Confluent framing, 5 % repeated ids, 4 partitions), 2,000 projects and 20,000 dated rates
  in memory, repeats dropped by an id in persistent state (RocksDB with a changelog topic), Avro out (20 fields, the
  amount exact to the cent). `bare_loop` keeps no state and drops nothing. `settle` is the settle agent as it ships, on
  the same entries, projects and rates: corrections, lineage, derivation, live figures and all.
- A backlog is written in one transaction, so that it appears in one moment; the window ends when a reader of committed
  records has its last output. CPU-seconds are user + system of the worker and its children; broker, load and reader
  are not in them. A warm-up backlog comes first, which for the JVM is its time to compile.
- Latency: from the broker's append time of the input to the moment a reader of committed records holds the output.
- Restore: the worker stopped, its state deleted, started again; rows of its changelog a second, by its own account.
- Every output is checked: each distinct id once (every record once for `bare_loop`), and the sum of the amounts equal
  to the generator's to the cent. A run that fails the check ends the benchmark.
- Kafka Streams' settings, and which of them were compared with others and which were not, are told in
  `benchmarks/contenders/kafka_streams/build.py`.
- CPU-seconds are not free of the machine either: what else runs on its cores costs caches. The load average above says
  how far a difference may be read.
"""


def markdown(results: Mapping[str, Any]) -> str:
    """The report of the content of latest.json."""
    machine = results["machine"]
    lines = [
        "# Side by side",
        "",
        f"Begun {results['began']}. {machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB,"
        f" Python {machine['python']}, {machine['java']}, Kafka and Kafka Streams {machine['kafka']}. Load average at"
        f" the start: {machine['load_average_at_start']}. Rounds: {results['knobs']['rounds']}, of"
        f" {results['knobs']['records']:,} records after {results['knobs']['warmup']:,} to warm up.",
        "",
        "![Records a CPU-second](report.svg)",
        "",
        *table(results),
        "",
        "| ratio of records a CPU-second | |",
        "|---|---|",
        *(f"| `{name}` | {value:.2f} |" for name, value in results["ratios"].items()),
        "",
        *_scale(results.get("settle_at_scale")),
        _METHOD,
    ]
    return "\n".join(lines)


def table(results: Mapping[str, Any]) -> Sequence[str]:
    """A row a contender."""
    guarantees = {run["contender"]: run["guarantee"] for run in results["runs"]}
    rates = {run["contender"]: run["latency_rate"] for run in results["runs"] if run["latency_rate"]}
    rows = [
        "| contender | guarantee | records/s | records per CPU-second | peak MiB | p50 / p99 ms | restored rows/s |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, median in results["medians"].items():
        latency = "-"
        if median["latency_p50_ms"] is not None:
            rate = "" if rates[name] == results["knobs"]["latency_rate"] else f" at {rates[name]}/s"
            latency = f"{median['latency_p50_ms']:,.0f} / {median['latency_p99_ms']:,.0f}{rate}"
        cells = [
            name, guarantees[name], f"{median['records_per_second']:,.0f}", f"{median['records_per_cpu_second']:,.0f}",
            f"{median['peak_bytes'] / (1 << 20):,.0f}", latency, _number(median["restored_rows_per_second"]),
        ]  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _scale(scale: Mapping[str, Any] | None) -> Sequence[str]:
    if scale is None:
        return []
    return [
        f"## Settle with {scale['subjects']:,} subjects",
        "",
        "| | |",
        "|---|---:|",
        f"| filling it, records per CPU-second | {scale['fill_records_per_cpu_second']:,.0f} |",
        f"| CPU a record at 10,000 subjects | {scale['microseconds_at_10_000']:,.0f} us |",
        f"| CPU a record at {scale['subjects']:,} subjects | {scale['microseconds_at_subjects']:,.0f} us |",
        f"| ratio of the two | {scale['cost_ratio']:.2f} |",
        f"| peak memory of the worker | {scale['peak_bytes'] / (1 << 20):,.0f} MiB |",
        f"| restart with its state on disk | {scale['warm_restart_seconds']:.1f} s |",
        f"| restart without | {scale['cold_restart_seconds']:.1f} s |",
        f"| of that the restore | {scale['restored_rows']:,} rows in {scale['restore_seconds']:.1f} s,"
        f" {scale['restored_rows_per_second']:,.0f} a second |",
        "",
    ]
