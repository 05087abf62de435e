"""Deliveries as Prometheus metrics, of the totals `sinks.delivery.figures` gives. Labels are target and result only."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_NOW = {
    "waiting": ("hourstream_deliveries_waiting", "Charges that wait to be delivered."),
    "oldest_seconds": ("hourstream_deliveries_oldest_seconds", "How long the first of them has waited."),
    "refused": ("hourstream_deliveries_refused", "Charges that the target refused and nobody has mended yet."),
    "unreachable": ("hourstream_deliveries_unreachable", "Charges offered in vain for longer than their budget."),
    "breaker": ("hourstream_delivery_breaker", "0: closed, 1: half-open, 2: open."),
    "paused_seconds": ("hourstream_delivery_paused_seconds", "What is left of the pause the target asked for."),
}
_RUNNING = {
    "hourstream_delivery_charges": ("Charges by what the target made of them.", ("posted", "refused", "cancelled")),
    "hourstream_delivery_calls": ("Calls by whether they were answered.", ("answered", "unanswered")),
    "hourstream_delivery_retries": ("Calls that offered charges again.", ("retried",)),
    "hourstream_delivery_breaker_openings": ("How often the breaker opened.", ("opened",)),
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
    for what, (name, says) in _NOW.items():
        gauge = GaugeMetricFamily(name, says, labels=("target",))
        for target, values in targets.items():
            gauge.add_metric((target,), values.get(what, 0))
        yield gauge
    for name, (says, results) in _RUNNING.items():
        counter = CounterMetricFamily(name, says, labels=("target", "result"))
        for target, values in targets.items():
            for result in results:
                counter.add_metric((target, result), values.get(f"total_{result}", 0))
        yield counter
