"""The rules of Prometheus: what is recorded and what is alerted on. `python -m ops.prometheus` writes them.

Every alert has a severity (page: wake someone; ticket: within the working day), a summary, a description, and a
runbook of its own name in ops/runbooks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.prometheus.slo import Objective, Rule

RUNBOOKS = "ops/runbooks"
_DAY = 86_400
_SINKS = 'stage=~"erp.*|billing|delivery-.*"'
_NOT_SINKS = 'stage!~"erp.*|billing|delivery-.*"'


def _duration(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds == round(seconds) else f"{seconds * 1000:.0f}ms"


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of an installation. `pace` shortens every wait: tests do not wait for minutes."""

    touchless: float = 0.95
    fresh: float = 0.99
    fresh_seconds: int = 60
    exceptions_seconds: float = 7 * _DAY
    backlog_seconds: float = 5 * _DAY
    lag_seconds: float = 300
    status_seconds: float = 3600
    interval_seconds: int = 15
    pace: float = 1.0

    def wait(self, minutes: float) -> str:
        """A duration as Prometheus writes it."""
        return _duration(minutes * 60 * self.pace)

    def look_back(self, minutes: float) -> str:
        """The range of a query: long enough for some samples."""
        return _duration(max(minutes * 60 * self.pace, 5 * self.interval_seconds))


def objectives(tuning: Tuning) -> tuple[Objective, ...]:
    """The service levels."""
    posted = '{step="decided_to_posted"'
    within = f'{posted},le="{float(tuning.fresh_seconds)}"}}'
    return (
        Objective(
            "touchless",
            "HourstreamTouchlessBudgetBurns",
            tuning.touchless,
            "sum(rate(hourstream_manual_minutes_total[{w}]))",
            "sum(rate(hourstream_posted_minutes_total[{w}]))",
            "Too many hours need manual work before they are billed",
            f"{tuning.touchless:.0%} of the billable minutes are to reach the ERP with no manual act.",
        ),
        Objective(
            "freshness",
            "HourstreamFreshnessBudgetBurns",
            tuning.fresh,
            f"(sum(rate(hourstream_cycle_seconds_count{posted}}}[{{w}}])) - "
            f"sum(rate(hourstream_cycle_seconds_bucket{within}[{{w}}])))",
            f"sum(rate(hourstream_cycle_seconds_count{posted}}}[{{w}}]))",
            "Charges reach the ERP too late",
            f"{tuning.fresh:.0%} of the charges are to be posted within {tuning.fresh_seconds} s of what caused them.",
        ),
    )


def recorded() -> Iterator[Rule]:
    """Expressions that panels and alerts share."""
    for name, expr in {
        # Two processes that fold the charges apart from each other, and the books must be the same.
        "reconciliation_residue:amount": "sum by (currency) (hourstream_ready_amount)"
        " - sum by (currency) (hourstream_charges_amount)",
        "touchless:ratio_1d": "1 - sum(increase(hourstream_manual_minutes_total[1d]))"
        " / (sum(increase(hourstream_posted_minutes_total[1d])) > 0)",
        # An ERP that has never refused has no series of refusals: that is 0, not nothing.
        "sync_failure:ratio_1h": '(sum by (system) (increase(hourstream_posting_answers_total{status="refused"}[1h]))'
        " or 0 * sum by (system) (increase(hourstream_posting_answers_total[1h])))"
        " / (sum by (system) (increase(hourstream_posting_answers_total[1h])) > 0)",
        "lag:seconds": "max by (stage) (hourstream_lag_seconds)",
    }.items():
        yield {"record": f"hourstream:{name}", "expr": expr}


def alerts(tuning: Tuning) -> Iterator[Rule]:
    """All but those of the service levels."""
    wait = tuning.wait

    def alert(name: str, severity: str, minutes: float, expr: str, summary: str, description: str) -> Rule:
        return {
            "alert": f"Hourstream{name}",
            "expr": expr,
            "for": wait(minutes),
            "labels": {"severity": severity},
            "annotations": {"summary": summary, "description": description},
        }

    yield alert(
        "WorkerDown", "page", 2, 'up{job="hourstream"} == 0',
        "The worker {{ $labels.worker }} does not answer",
        "Prometheus gets no figures from {{ $labels.worker }} at {{ $labels.instance }}. What it does stands still.",
    )  # fmt: skip
    yield alert(
        "MetricsMissing", "ticket", 10, "absent(hourstream_posted_minutes_total)",
        "No worker serves the finance metrics",
        "No metrics worker is there, so touchless share, WIP and exceptions are not known.",
    )  # fmt: skip
    yield alert(
        "ConservationResidue", "page", 5, "sum by (stage) (hourstream_conservation_residue_minutes) != 0",
        "Minutes are not accounted for",
        "{{ $value }} approved minutes are neither charged, parked nor waived. This is a defect, not load.",
    )  # fmt: skip
    yield alert(
        "ReconciliationResidue", "page", 15,
        "abs(hourstream:reconciliation_residue:amount) > 0.005"
        ' and on () sum(hourstream_lag_records{stage=~"metrics|lifecycle"}) == 0',
        "Two readings of the charges differ in {{ $labels.currency }}",
        "The charges published and the charges by state differ by {{ $value }} {{ $labels.currency }}.",
    )  # fmt: skip
    yield alert(
        "BooksDoNotTie", "page", 5, "sum by (kind, currency) (hourstream_reconciliation_residue) != 0",
        "The books do not tie in {{ $labels.currency }}",
        "{{ $value }} {{ $labels.currency }} of charges: no {{ $labels.kind }} has them, and no state explains it.",
    )  # fmt: skip
    yield alert(
        "UnknownCharges", "page", 15, "sum(hourstream_lifecycle_unknown_charges) > 0",
        "Something was posted or invoiced that was never charged",
        "{{ $value }} charges were answered for or invoiced, but are not on billing.ready.",
    )  # fmt: skip
    yield alert(
        "CommitStalled", "page", 2,
        f"hourstream_lag_records > 0 and changes(hourstream_committed_offset[{tuning.look_back(5)}]) == 0",
        "{{ $labels.stage }} does not get on with {{ $labels.topic }}",
        "{{ $value }} records of {{ $labels.topic }}[{{ $labels.partition }}] wait, and nothing has been committed.",
    )  # fmt: skip
    yield alert(
        "WorkerStalled", "ticket", 0,
        "hourstream_idle_seconds > 120 or time() - hourstream_last_stall_timestamp_seconds < 1800",
        "{{ $labels.stage }} hangs, or has ended because it did",
        "Part of {{ $labels.stage }} is behind committed data and does not advance. It ends itself and restarts.",
    )  # fmt: skip
    yield alert(
        "RestoreSlow", "ticket", 10, "hourstream_partitions_running < hourstream_partitions_assigned",
        "{{ $labels.stage }} is still restoring its state",
        "Only {{ $value }} of its partitions run at {{ $labels.instance }}.",
    )  # fmt: skip
    yield alert(
        "ProcessingLag", "page", 5, f"hourstream:lag:seconds{{{_NOT_SINKS}}} > {tuning.lag_seconds:g}",
        "{{ $labels.stage }} is behind",
        "Its oldest record has waited for {{ $value | humanizeDuration }}.",
    )  # fmt: skip
    yield alert(
        "SinkLag", "page", 5, f"hourstream:lag:seconds{{{_SINKS}}} > {tuning.lag_seconds:g}",
        "The sink {{ $labels.stage }} is behind",
        "Its oldest charge has waited for {{ $value | humanizeDuration }}. Nothing is lost; it waits on the topic.",
    )  # fmt: skip
    yield alert(
        "SinkUnreachable", "page", 2, "hourstream_sink_reachable == 0",
        "The database of {{ $labels.stage }} does not answer",
        "Charges wait on their topic until it does.",
    )  # fmt: skip
    yield alert(
        "BreakerOpen", "page", 5, "hourstream_delivery_breaker == 2",
        "Deliveries to {{ $labels.target }} are suspended",
        "Its breaker is open: too many calls were not answered. Charges wait in its queue.",
    )  # fmt: skip
    yield alert(
        "DeliveriesFailed", "ticket", 15,
        "hourstream_deliveries_refused + hourstream_deliveries_unreachable > 0",
        "{{ $labels.target }} has not taken charges",
        "{{ $value }} charges were refused by it, or offered without success for longer than their budget.",
    )  # fmt: skip
    yield alert(
        "StatusesStale", "ticket", 15, f"hourstream_status_lag_seconds > {tuning.status_seconds:g}",
        "{{ $labels.target }} does not report the status of invoices",
        "Payments and voids there are not known here since {{ $value | humanizeDuration }}.",
    )  # fmt: skip
    yield alert(
        "SyncFailures", "ticket", 15, "hourstream:sync_failure:ratio_1h > 0.05",
        "{{ $labels.system }} refuses charges",
        "{{ $value | humanizePercentage }} of its answers of the last hour were refusals.",
    )  # fmt: skip
    yield alert(
        "DeadLetters", "ticket", 0,
        'sum by (stage) (hourstream_window_records{outcome="dead",minutes="60"}) > 0',
        "{{ $labels.stage }} has set records aside",
        "{{ $value }} records of the last hour could not be read or broke their contract. They are on dead.letters.",
    )  # fmt: skip
    yield alert(
        "Isolated", "page", 0,
        "sum by (stage, what) (increase(hourstream_isolated_total[1h])) > 0"
        # A worker that began within the hour and isolated something before it was first asked.
        " or sum by (stage, what) (hourstream_isolated_total unless hourstream_isolated_total offset 1h) > 0",
        "{{ $labels.stage }} met an unexpected error",
        "It isolated the cause ({{ $labels.what }}) and continues. This is a defect: the log has the traceback.",
    )  # fmt: skip
    yield alert(
        "ExceptionsAging", "ticket", 60,
        f"max by (code, region) (hourstream_exceptions_oldest_age_seconds) > {tuning.exceptions_seconds:g}",
        "{{ $labels.code }} of {{ $labels.region }} is not mended",
        "The oldest has waited for {{ $value | humanizeDuration }}: work that is done and not billed.",
    )  # fmt: skip
    yield alert(
        "ApprovalBacklogOld", "ticket", 60,
        "max by (approval_group) (hourstream_approval_backlog_oldest_age_seconds)"
        f" > {tuning.backlog_seconds:g}",
        "{{ $labels.approval_group }} has time to approve",
        "The oldest was submitted {{ $value | humanizeDuration }} ago.",
    )  # fmt: skip


def rules(tuning: Tuning | None = None) -> dict[str, object]:
    """The content of the rule file."""
    tuning = tuning or Tuning()
    levels = objectives(tuning)
    alerting = [*alerts(tuning), *(rule for level in levels for rule in level.alerts())]
    for rule in alerting:
        rule["annotations"]["runbook"] = f"{RUNBOOKS}/{rule['alert']}.md"
    interval = f"{tuning.interval_seconds}s"
    return {
        "groups": [
            {
                "name": "hourstream-recorded",
                "interval": interval,
                "rules": [*recorded(), *(rule for level in levels for rule in level.recorded())],
            },
            {"name": "hourstream-alerts", "interval": interval, "rules": alerting},
        ]
    }
