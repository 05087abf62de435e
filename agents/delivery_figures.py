"""Deliveries as Prometheus metrics, of the totals `sinks.delivery.figures` gives. Labels are target and result only."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric

from agents.metric_catalogue import counter, gauge

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
        present = gauge(name)
        for target, values in targets.items():
            present.add_metric((target,), values.get(what, 0))
        yield present
    for name, results in _RUNNING.items():
        running = counter(name)
        for target, values in targets.items():
            for result in results:
                running.add_metric((target, result), values.get(f"total_{result}", 0))
        yield running
