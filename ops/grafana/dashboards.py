"""The dashboards: Executive, Operations, Sinks, Sources, State. What a query asks for is in docs/metrics.md."""

from ops.grafana.panels import Dashboard, Panel, Query, Row

_MONEY, _MINUTES, _SHARE, _COUNT = "short", "m", "percentunit", "short"
_SECONDS, _BYTES = "s", "bytes"


def _stat(title: str, says: str, unit: str, expr: str, bad: float | None = None, low: bool = False) -> Panel:
    return Panel(title, says, unit, "stat", (Query(expr),), bad, low)


def _lines(title: str, says: str, unit: str, *queries: tuple[str, str]) -> Panel:
    return Panel(title, says, unit, "lines", tuple(Query(*query) for query in queries))


def _bars(title: str, says: str, unit: str, expr: str, legend: str) -> Panel:
    return Panel(title, says, unit, "bars", (Query(expr, legend),))


def _within(step: str, quantile: float) -> str:
    counts = f'sum by (le) (hourstream_cycle_seconds_bucket{{step="{step}"}})'
    return f"histogram_quantile({quantile}, {counts})"


_TOUCHLESS = "1 - sum(hourstream_manual_minutes_total) / (sum(hourstream_posted_minutes_total) > 0)"

EXECUTIVE = Dashboard(
    "executive",
    "Executive",
    "How much of the work is billed, how fast, and what waits.",
    (
        Row(
            "Now",
            (
                _stat("Touchless share",
                      "Billable minutes that reached the ERP with no manual act, of all that reached it.",
                      _SHARE, _TOUCHLESS, 0.95, low=True),
                _stat("Utilization", "Billable minutes by capacity, of the latest four weeks with charged time.",
                      _SHARE,
                      "sum(hourstream_worked_minutes{work=\"billable\"}) / (sum(hourstream_capacity_minutes) > 0)"
                      " or vector(0)"),
                _stat("Exceptions open", "Subjects that are parked and cannot be billed.",
                      _COUNT, "sum(hourstream_exceptions_open) or vector(0)", 1),
                _stat("Cycle time, median", "From the decision on a charge to its payment.",
                      _SECONDS, f"{_within('decided_to_paid', 0.5)} or vector(0)"),
            ),
        ),
        Row(
            "Not billed yet",
            (
                _bars("Unbilled by currency",
                      "Approved and not invoiced: charged, or parked and at stake. In the currency named.",
                      _MONEY, "sum by (currency, state) (hourstream_unbilled_amount)", "{{currency}} {{state}}"),
                _bars("WIP by region and age",
                      "Charges not invoiced yet, by days since the work. In the currency named.",
                      _MONEY, "sum by (region, currency, age_days) (hourstream_wip_amount)",
                      "{{region}} {{age_days}} d, {{currency}}"),
                _bars("WIP minutes by region", "Billable minutes not invoiced yet.",
                      _MINUTES, "sum by (region) (hourstream_wip_minutes)", "{{region}}"),
                _bars("At stake by cause", "Amounts that are parked, in the currency named.",
                      _MONEY, "sum by (code, currency) (hourstream_exceptions_amount) or vector(0)",
                      "{{code}} {{currency}}"),
            ),
        ),
        Row(
            "Over time",
            (
                _lines("Minutes that reached the ERP", "Billable minutes a day; manual ones needed a person.", _MINUTES,
                       ("sum(increase(hourstream_posted_minutes_total[1d]))", "all"),
                       ("sum(increase(hourstream_manual_minutes_total[1d]))", "manual")),
                _lines("Cycle time", "Half of the charges, and nine of ten, took at most that long from step to step.",
                       _SECONDS,
                       (_within("decided_to_posted", 0.9), "decided to posted, 90 %"),
                       (_within("posted_to_invoiced", 0.5), "posted to invoiced, 50 %"),
                       (_within("posted_to_invoiced", 0.9), "posted to invoiced, 90 %")),
            ),
        ),
    ),
)  # fmt: skip

OPERATIONS = Dashboard(
    "operations",
    "Operations",
    "What arrives, what is done with it, what is stuck, and whether everything is accounted for.",
    (
        Row(
            "Is it right?",
            (
                _stat("Conservation residue",
                      "Approved minutes neither charged, parked nor waived. Anything but 0 is a defect.",
                      _MINUTES, "sum(hourstream_conservation_residue_minutes)", 1),
                _stat("Reconciliation residue",
                      "Charges published less charges by state, while nothing is on its way: 0.",
                      _MONEY, "max(abs(hourstream:reconciliation_residue:amount))", 0.01),
                _stat("Unknown charges", "Posted or invoiced, but never charged: 0.",
                      _COUNT, "sum(hourstream_lifecycle_unknown_charges)", 1),
                _stat("Alerts firing", "Of all severities.", _COUNT, 'count(ALERTS{alertstate="firing"}) or vector(0)',
                      1),
            ),
        ),
        Row(
            "Throughput",
            (
                _lines("Records a minute", "Received by each stage, by the broker's append time.", "cpm",
                       ('sum by (stage) (hourstream_window_records{outcome="received",minutes="5"}) / 5', "{{stage}}")),
                _lines("Failures",
                       "Share of the records of the last five minutes that failed: dead, newly parked, refused.",
                       _SHARE,
                       ('max by (stage) (hourstream_window_failure_ratio{minutes="5"})', "{{stage}}")),
                _lines("Lag", "Records not committed yet.", _COUNT, ("sum by (stage) (hourstream_lag_records)",
                       "{{stage}}")),
                _lines("Lag in seconds", "Age of the oldest record that is not committed.", _SECONDS,
                       ("hourstream:lag:seconds", "{{stage}}")),
            ),
        ),
        Row(
            "End to end",
            (
                _lines("Submitted to approved", "Nine of ten entries took at most that long.", _SECONDS,
                       (_within("submitted_to_approved", 0.9) + " or vector(0)", "90 %")),
                _lines("Decided to posted", "Nine of ten charges, and 99 of 100, took at most that long.", _SECONDS,
                       (_within("decided_to_posted", 0.9), "90 %"), (_within("decided_to_posted", 0.99), "99 %")),
                _lines("Charges by state", "Charges and reversals.", _COUNT, ("sum by (state) (hourstream_charges)",
                       "{{state}}")),
                _lines("Budget spent by the hour", "Bad share of the last hour by service level.", _SHARE,
                       ("hourstream:touchless_error:ratio_1h or vector(0)", "touchless"),
                       ("hourstream:freshness_error:ratio_1h or vector(0)", "freshness")),
            ),
        ),
        Row(
            "Stuck",
            (
                _bars("Exceptions by code", "Subjects parked now.", _COUNT,
                      "sum by (code, region) (hourstream_exceptions_open) or vector(0)", "{{code}} {{region}}"),
                _bars("Minutes parked by code", "Worked minutes that wait.", _MINUTES,
                      "sum by (code) (hourstream_exceptions_minutes) or vector(0)", "{{code}}"),
                _bars("Oldest exception by code", "How long the oldest has waited.", _SECONDS,
                      "max by (code) (hourstream_exceptions_oldest_age_seconds) or vector(0)", "{{code}}"),
                _bars("Dead letters of the last hour", "Records no agent could use, by who read them.", _COUNT,
                      'sum by (stage) (hourstream_window_records{outcome="dead",minutes="60"})', "{{stage}}"),
            ),
        ),
        Row(
            "Approvals",
            (
                _bars("Minutes to approve", "Submitted and not decided on, by approval group.", _MINUTES,
                      "sum by (approval_group) (hourstream_approval_backlog_minutes)", "{{approval_group}}"),
                _bars("Oldest to approve", "How long the oldest has been submitted, by approval group.", _SECONDS,
                      "max by (approval_group) (hourstream_approval_backlog_oldest_age_seconds)", "{{approval_group}}"),
            ),
        ),
    ),
)  # fmt: skip

SINKS = Dashboard(
    "sinks",
    "Sinks",
    "The ERP journal, billing, and targets outside.",
    (
        Row(
            "Now",
            (
                _stat("Not posted", "Charges that no ERP has posted yet.", _COUNT, "sum(hourstream_unposted_charges)"),
                _stat("Sinks that answer", "Databases of sinks: 1 each.", _COUNT, "sum(hourstream_sink_reachable)", 1,
                      low=True),
                _stat("Refused in the last hour", "Share of the ERPs' answers.", _SHARE,
                      "max(hourstream:sync_failure:ratio_1h) or vector(0)", 0.05),
                _stat("Breakers open", "Targets that are not called for now.", _COUNT,
                      "sum(hourstream_delivery_breaker == bool 2) or vector(0)", 1),
            ),
        ),
        Row(
            "Journal and billing",
            (
                _lines("Answers of ERPs", "A second, by system and answer.", "cps",
                       ("sum by (system, status) (rate(hourstream_posting_answers_total[5m]))",
                       "{{system}} {{status}}")),
                _lines("Written", "Records of the last five minutes by outcome.", _COUNT,
                       ('sum by (stage, outcome) (hourstream_window_records{stage=~"erp.*|billing",minutes="5"})',
                        "{{stage}} {{outcome}}")),
                _lines("Lag", "Age of the oldest charge that is not written.", _SECONDS,
                       ('hourstream:lag:seconds{stage=~"erp.*|billing|delivery-.*"}', "{{stage}}")),
                _bars("Not posted, by currency", "Amounts that no ERP has posted yet, reversals deducted.", _MONEY,
                      "sum by (currency) (hourstream_unposted_amount)", "{{currency}}"),
            ),
        ),
        Row(
            "Targets outside",
            (
                _lines("Waiting", "Charges in the queue of each target.", _COUNT,
                       ("sum by (target) (hourstream_deliveries_waiting) or vector(0)", "{{target}}")),
                _lines("Oldest waiting", "How long the first of them has waited.", _SECONDS,
                       ("max by (target) (hourstream_deliveries_oldest_seconds) or vector(0)", "{{target}}")),
                _lines("Breaker", "0 closed, 1 half-open, 2 open.", _COUNT,
                       ("max by (target) (hourstream_delivery_breaker) or vector(0)", "{{target}}")),
                _lines("Calls", "A second, answered or not.", "cps",
                       ("sum by (target, result) (rate(hourstream_delivery_calls_total[5m])) or vector(0)",
                        "{{target}} {{result}}")),
                _lines("Statuses", "How long ago each reported all statuses of its invoices.", _SECONDS,
                       ("max by (target) (hourstream_status_lag_seconds) or vector(0)", "{{target}}")),
            ),
        ),
    ),
)  # fmt: skip

SOURCES = Dashboard(
    "sources",
    "Sources",
    "What comes in, from where, and what cannot be mapped.",
    (
        Row(
            "In",
            (
                _lines("Time entries", "Revisions a second by system of origin.", "cps",
                       ("sum by (source) (rate(hourstream_time_entries_total[5m]))", "{{source}}")),
                _bars("Time entries so far", "Revisions by system of origin and status.", _COUNT,
                      "sum by (source, status) (hourstream_time_entries_total)", "{{source}} {{status}}"),
                _lines("Intake", "Source records of the last five minutes by outcome.", _COUNT,
                       ('sum by (outcome) (hourstream_window_records{stage="intake",minutes="5"})', "{{outcome}}")),
                _lines("Masters", "Master records of the last five minutes by outcome.", _COUNT,
                       ('sum by (outcome) (hourstream_window_records{stage="masters",minutes="5"})', "{{outcome}}")),
            ),
        ),
        Row(
            "Not mapped",
            (
                _bars("Waiting for a look-up", "Source records that wait for another one.", _COUNT,
                      "sum by (missing) (hourstream_waiting_records) or vector(0)", "{{missing}}"),
                _bars("Codes not mapped", "Open exceptions of intake.", _COUNT,
                      'sum by (code) (hourstream_parked_subjects{stage="intake"}) or vector(0)', "{{code}}"),
                _lines("Exceptions told", "Changes a second, by code and status.", "cps",
                       ("sum by (code, status) (rate(hourstream_exception_records_total[5m])) or vector(0)",
                        "{{code}} {{status}}")),
                _lines("Lag of intake", "Source records not committed yet.", _COUNT,
                       ('sum by (topic) (hourstream_lag_records{stage="intake"})', "{{topic}}")),
            ),
        ),
    ),
)  # fmt: skip

STATE = Dashboard(
    "state",
    "State",
    "The workers, their partitions, state and memory.",
    (
        Row(
            "Workers",
            (
                _stat("Workers up", "Workers that answer.", _COUNT, 'sum(up{job="hourstream"})', 1, low=True),
                _stat("Workers down", "Workers that do not answer.", _COUNT,
                      'count(up{job="hourstream"} == 0) or vector(0)', 1),
                _stat("Partitions restoring", "Assigned and not running yet.", _COUNT,
                      "sum(hourstream_partitions_assigned) - sum(hourstream_partitions_running)", 1),
                _stat("State on disk", "Of all workers.", _BYTES, "sum(hourstream_state_bytes)"),
            ),
        ),
        Row(
            "Over time",
            (
                _lines("Partitions", "Restored and running, by stage.", _COUNT,
                       ("sum by (stage) (hourstream_partitions_running)", "{{stage}}")),
                _lines("Restored rows", "Changelog rows read since the partitions were assigned.", _COUNT,
                       ("sum by (stage) (hourstream_restored_rows)", "{{stage}}")),
                _lines("Committed", "Records a second, by stage.", "cps",
                       ("sum by (stage) (rate(hourstream_committed_offset[5m]))", "{{stage}}")),
                _lines("State on disk", "By stage.", _BYTES, ("sum by (stage) (hourstream_state_bytes)", "{{stage}}")),
                _lines("Memory", "Resident, by worker.", _BYTES,
                       ('max by (worker) (process_resident_memory_bytes{job="hourstream"})', "{{worker}}")),
                _lines("CPU", "Cores, by worker.", "none",
                       ('sum by (worker) (rate(process_cpu_seconds_total{job="hourstream"}[5m]))', "{{worker}}")),
            ),
        ),
    ),
)  # fmt: skip

DASHBOARDS = (EXECUTIVE, OPERATIONS, SINKS, SOURCES, STATE)
