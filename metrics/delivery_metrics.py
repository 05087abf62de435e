"""Deliveries as Prometheus metrics, from the totals of `sinks.delivery.stats`. Labels are target and result only."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import Metric

from metrics.metric_catalogue import counter, gauge

_NOW = {
    "waiting": "deliveries_waiting",
    "oldest_seconds": "deliveries_oldest_seconds",
    "refused": "deliveries_refused",
    "unreachable": "deliveries_unreachable",
    "breaker": "delivery_breaker",
    "paused_seconds": "delivery_paused_seconds",
}
_RUNNING = {
    "delivery_charges": ("posted", "refused", "cancelled"),
    "delivery_calls": ("answered", "unanswered"),
    "delivery_retries": ("retried",),
    "delivery_breaker_openings": ("opened",),
}
_TELLING = ("status_lag_seconds", "status_breaker")  # of targets that are polled for the status of invoices
_TOLD = {"status_looks": ("answered", "unanswered"), "status_events": ("told",)}


def delivery_metrics(figures: Mapping[tuple[str, ...], int]) -> Iterator[Metric]:
    """The metrics of the targets in `figures`; none where there is none."""
    targets: dict[str, dict[str, int]] = {}
    for labels, value in figures.items():
        if labels[0] == "delivery":
            _, what, target = labels
            targets.setdefault(target, {})[what] = value
    if not targets:
        return
    for what, name in _NOW.items():
        yield _present(name, what, targets)
    for name, results in _RUNNING.items():
        yield _running(name, "total_", results, targets)
    telling = {target: values for target, values in targets.items() if "status_lag_seconds" in values}
    if telling:
        for name in _TELLING:
            yield _present(name, name, telling)
        for name, results in _TOLD.items():
            yield _running(name, "total_status_", results, telling)


def _present(name: str, what: str, targets: Mapping[str, Mapping[str, int]]) -> Metric:
    present = gauge(name)
    for target, values in targets.items():
        present.add_metric((target,), values.get(what, 0))
    return present


def _running(name: str, prefix: str, results: Sequence[str], targets: Mapping[str, Mapping[str, int]]) -> Metric:
    running = counter(name)
    for target, values in targets.items():
        for result in results:
            running.add_metric((target, result), values.get(f"{prefix}{result}", 0))
    return running
