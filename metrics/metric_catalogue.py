"""Every metric of a worker: name, kind, labels and meaning. docs/metrics.md is generated from it.

Names and units are as Prometheus recommends: base units (seconds, bytes, ratio), `_total` on counters. Minutes stay
minutes, because the rules count them, and an amount is in its `currency`. Labels are few and bounded: never a client,
an engagement or a person.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Described:
    """A metric. `of` names the workers that serve it; a counter is shown as `name_total`."""

    name: str
    kind: Kind
    says: str
    labels: tuple[str, ...]
    of: str

    @property
    def shown(self) -> str:
        """The name as used in a query."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _gauge(name: str, labels: str, says: str, of: str) -> Described:
    return Described(f"hourstream_{name}", "gauge", says, tuple(labels.split()), of)


def _counter(name: str, labels: str, says: str, of: str) -> Described:
    return Described(f"hourstream_{name}", "counter", says, tuple(labels.split()), of)


EVERY, TARGETS, LIFECYCLE, METRICS = "every worker", "delivery-*", "lifecycle", "metrics"
_EVERY_WORKER = (
    _gauge(
        "window_records",
        "stage outcome minutes",
        "Records by outcome in the last minutes, by the broker's append time.",
        EVERY,
    ),
    _gauge(
        "window_failure_ratio",
        "stage minutes",
        "Share of the records received in the last minutes that failed (dead letters, newly parked, refused).",
        EVERY,
    ),
    _gauge("lag_records", "stage topic partition", "Records of a topic partition that are not committed yet.", EVERY),
    _gauge(
        "lag_seconds",
        "stage partition",
        "Age of the oldest record read and not committed yet, by the broker's append time; 0 where there is none.",
        EVERY,
    ),
    _gauge(
        "committed_offset", "stage topic partition", "Next offset to commit: it stands still where nothing is.", EVERY
    ),
    _gauge("partitions_assigned", "stage", "Partitions assigned to this worker.", EVERY),
    _gauge("partitions_running", "stage", "Partitions held and restored.", EVERY),
    _gauge(
        "idle_seconds",
        "stage",
        "How long the worker's slowest part has been behind its end without progress, while the broker answered.",
        EVERY,
    ),
    _counter("stalls", "stage", "Times that the worker ended itself because it stalled, restarts included.", EVERY),
    _gauge("last_stall_timestamp_seconds", "stage", "When that last was; absent where it never was.", EVERY),
    _gauge("restored_rows", "stage partition", "Changelog rows read since the partition was assigned.", EVERY),
    _gauge("state_bytes", "stage", "Size of the worker's state on disk.", EVERY),
    _gauge("parked_subjects", "stage code region", "Subjects parked now.", "settle, intake"),
    _gauge("parked_minutes", "stage code region", "Worked minutes parked now.", "settle"),
    _gauge("waiting_records", "stage missing", "Source records that wait for a look-up.", "intake"),
    _gauge(
        "conservation_residue_minutes",
        "stage",
        "Approved worked minutes that are neither charged, parked nor waived. Anything but 0 is a defect.",
        "settle",
    ),
    _counter(
        "isolated",
        "stage what",
        "Isolated since the worker's start, so that the rest went on: records, scopes not settled, due steps.",
        EVERY,
    ),
    _gauge("sink_reachable", "stage", "Whether the sink's database answers: 1 or 0.", "erp, billing, delivery-*"),
)
_DELIVERY = (
    _gauge("deliveries_waiting", "target", "Charges that wait to be delivered.", TARGETS),
    _gauge("deliveries_oldest_seconds", "target", "How long the first of them has waited.", TARGETS),
    _gauge("deliveries_refused", "target", "Charges that the target refused and that are not repaired yet.", TARGETS),
    _gauge("deliveries_unreachable", "target", "Charges without success for longer than their budget.", TARGETS),
    _gauge("delivery_breaker", "target", "0: closed, 1: half-open, 2: open.", TARGETS),
    _gauge("delivery_paused_seconds", "target", "What is left of the pause the target asked for.", TARGETS),
    _counter("delivery_charges", "target result", "Charges by what the target made of them.", TARGETS),
    _counter("delivery_calls", "target result", "Calls by whether they were answered.", TARGETS),
    _counter("delivery_retries", "target result", "Calls that offered charges again.", TARGETS),
    _counter("delivery_breaker_openings", "target result", "How often the breaker opened.", TARGETS),
    _gauge(
        "status_lag_seconds",
        "target",
        "Time since all invoice statuses of the target were last known. Only of targets that can be polled.",
        TARGETS,
    ),
    _gauge("status_breaker", "target", "Of asking it: 0: closed, 1: half-open, 2: open.", TARGETS),
    _counter("status_looks", "target result", "Times it was asked, by whether it answered.", TARGETS),
    _counter("status_events", "target result", "States and payments it told.", TARGETS),
)
_LIFECYCLE = (
    _gauge("charges", "state", "Charges and reversals by state.", LIFECYCLE),
    _gauge("charges_amount", "state currency", "Their amounts, reversals deducted.", LIFECYCLE),
    Described(
        "hourstream_cycle_seconds",
        "histogram",
        "Time of charges from step to step.",
        ("step", "region"),
        "lifecycle; metrics: submitted_to_approved",
    ),
    _gauge(
        "window_cycles",
        "step minutes le",
        "Charges that completed a step in the last minutes, by the most seconds it took them.",
        LIFECYCLE,
    ),
    _gauge(
        "reconciliation_residue",
        "kind currency",
        "Amount of charges that no journal posting or invoice line has, nor a state explains. Not 0: a defect.",
        "billing",
    ),
    _gauge(
        "lifecycle_unknown_charges",
        "",
        "Charges that were posted or invoiced but are not known: 0 when every topic is read.",
        LIFECYCLE,
    ),
)
_FINANCE = (
    _counter("posted_minutes", "", "Billable minutes of charges that reached an ERP, reversals not deducted.", METRICS),
    _counter(
        "manual_minutes",
        "",
        "Those of them whose subject was ever parked, decided on or adjusted; all others are touchless.",
        METRICS,
    ),
    _gauge(
        "window_touchless_ratio",
        "minutes",
        "Share of the billable minutes posted in the last minutes that is touchless; none where none was posted.",
        METRICS,
    ),
    _counter("posting_answers", "system status", "Answers of ERPs to charges.", METRICS),
    _counter("time_entries", "source status", "Revisions of time entries by system of origin.", METRICS),
    _counter("exception_records", "code status", "Changes of exceptions: opened, resolved, waived.", METRICS),
    _gauge("approval_backlog_entries", "approval_group", "Time entries submitted and not decided on yet.", METRICS),
    _gauge("approval_backlog_minutes", "approval_group", "Minutes submitted and not decided on yet.", METRICS),
    _gauge(
        "approval_backlog_oldest_age_seconds",
        "approval_group",
        "Age of the oldest of them, from the day (UTC) it was submitted on; 0 where there is none.",
        METRICS,
    ),
    _gauge(
        "unbilled_amount",
        "region currency state",
        "Approved and not invoiced: charged and waiting for an invoice, or parked and at stake.",
        METRICS,
    ),
    _gauge(
        "wip_amount",
        "region currency age_days",
        "Charges not invoiced yet, reversals deducted, by age of their work date.",
        METRICS,
    ),
    _gauge("wip_minutes", "region age_days", "Their billable minutes.", METRICS),
    _gauge("exceptions_open", "code region", "Subjects parked now, of every stage.", METRICS),
    _gauge("exceptions_minutes", "code region", "Their worked minutes.", METRICS),
    _gauge("exceptions_amount", "code region currency", "What is at stake with them, where it can be told.", METRICS),
    _gauge("exceptions_oldest_age_seconds", "code region", "Age of the oldest of them, to the minute.", METRICS),
    _gauge(
        "utilization_ratio",
        "region",
        "Billable minutes by capacity, of the latest four weeks (Monday to Sunday) with charged time.",
        METRICS,
    ),
    _gauge(
        "worked_minutes", "region work", "Charged time of those four weeks: billable or non_billable work.", METRICS
    ),
    _gauge("capacity_minutes", "region", "Four times the weekly capacity of all consultants that have one.", METRICS),
    _gauge("ready_charges", "", "Charges and reversals on billing.ready.", METRICS),
    _gauge("ready_amount", "currency", "Their amounts, reversals deducted.", METRICS),
    _gauge("unposted_charges", "", "Those of them that no ERP has posted yet.", METRICS),
    _gauge("unposted_amount", "currency", "Their amounts, reversals deducted.", METRICS),
)
CATALOGUE: dict[str, Described] = {each.name: each for each in (*_EVERY_WORKER, *_DELIVERY, *_LIFECYCLE, *_FINANCE)}


def gauge(name: str) -> GaugeMetricFamily:
    """A new family of the catalogue, without its prefix `hourstream_`."""
    described = CATALOGUE[f"hourstream_{name}"]
    return GaugeMetricFamily(described.name, described.says, labels=described.labels)


def counter(name: str) -> CounterMetricFamily:
    """The same of a counter."""
    described = CATALOGUE[f"hourstream_{name}"]
    return CounterMetricFamily(described.name, described.says, labels=described.labels)


def histogram(name: str) -> HistogramMetricFamily:
    """The same of a histogram."""
    described = CATALOGUE[f"hourstream_{name}"]
    return HistogramMetricFamily(described.name, described.says, labels=described.labels)


def departs_from_catalogue(family: Metric) -> Iterator[str]:
    """Differences between a served metric family and the catalogue."""
    described = CATALOGUE.get(family.name)
    if described is None:
        yield f"{family.name} is not in the catalogue"
        return
    if (family.type, family.documentation) != (described.kind, described.says):
        yield f"{family.name} is served as {family.type}: {family.documentation}"
    for sample in family.samples:
        if set(sample.labels) - {"le"} != set(described.labels) - {"le"}:
            yield f"{sample.name} has the labels {sorted(sample.labels)}"


def page() -> str:
    """docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Made by `hourstream metrics`; a test holds it to the code. Every worker serves its own on `/metrics`, beside",
        "Python's `process_*` (CPU, memory). Windows go by the broker's append time and are kept in the worker's own",
        "state or its sink's database, in the transaction that they count: they are there right after a restart. Ages",
        "are of business dates. No label names a client, an engagement or a person.",
        "",
        "| metric | kind | labels | of | says |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{each.shown}` | {each.kind} | {' '.join(each.labels) or '-'} | {each.of} | {each.says} |"
        for each in CATALOGUE.values()
    ]
    return "\n".join(lines) + "\n"
