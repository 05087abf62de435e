"""Series that make each alert fire, and those that do not, in the notation of `promtool test rules`."""

from typing import NamedTuple

Labels = dict[str, str]


class Case(NamedTuple):
    """Series by name, when they are looked at, and the labels of the alert that fires then (none: it must not)."""

    alert: str
    series: dict[str, str]
    at: str
    fires: Labels | None


_OLD_EXCEPTION = 'hourstream_exceptions_oldest_age_seconds{code="NO_RATE",region="EMEA"}'
_BACKLOG = 'hourstream_approval_backlog_oldest_age_seconds{approval_group="north"}'
_POSTED = 'hourstream_cycle_seconds_count{step="decided_to_posted",region="EMEA"}'
_FRESH = 'hourstream_cycle_seconds_bucket{step="decided_to_posted",region="EMEA",le="60.0"}'
_LAG = 'hourstream_lag_records{stage="settle",topic="time.entries",partition="0"}'
_OFFSET = 'hourstream_committed_offset{stage="settle",topic="time.entries",partition="0"}'
_ANSWERS = 'hourstream_posting_answers_total{system="journal",status="%s"}'
_DEAD = 'hourstream_window_records{stage="settle",outcome="dead",minutes="60"}'
_ISOLATED = 'hourstream_isolated_total{stage="settle",what="record"}'
_AGE = 'hourstream_lag_seconds{stage="%s",partition="0"}'
_READY, _BY_STATE = (
    'hourstream_ready_amount{currency="EUR"}',
    'hourstream_charges_amount{currency="EUR",state="posted"}',
)
_SETTLED = 'hourstream_lag_records{stage="metrics",topic="billing.ready",partition="0"}'
_RESIDUE, _FROM = "hourstream_conservation_residue_minutes", '{stage="settle",instance="%s"}'


def _burn(long: str, short: str, severity: str) -> Labels:
    return {"severity": severity, "long_window": long, "short_window": short}


CASES: tuple[Case, ...] = (
    Case(
        "HourstreamWorkerDown",
        {'up{job="hourstream",worker="erp"}': "1x4 0x40"},
        "5m",
        {"job": "hourstream", "worker": "erp", "severity": "page"},
    ),
    Case("HourstreamWorkerDown", {'up{job="hourstream",worker="erp"}': "1x4 0x4 1x40"}, "5m", None),
    Case("HourstreamMetricsMissing", {"up": "1x60"}, "12m", {"severity": "ticket"}),
    Case("HourstreamMetricsMissing", {"hourstream_posted_minutes_total": "0x60"}, "12m", None),
    Case(
        "HourstreamConservationResidue",
        {_RESIDUE + _FROM % "a": "-15x60"},
        "6m",
        {"stage": "settle", "severity": "page"},
    ),
    Case(
        "HourstreamConservationResidue", {_RESIDUE + _FROM % "a": "-15x60", _RESIDUE + _FROM % "b": "15x60"}, "6m", None
    ),
    Case(
        "HourstreamReconciliationResidue",
        {_READY: "100x80", _BY_STATE: "99.99x80", _SETTLED: "0x80"},
        "17m",
        {"currency": "EUR", "severity": "page"},
    ),
    Case("HourstreamReconciliationResidue", {_READY: "100x80", _BY_STATE: "99x80", _SETTLED: "3x80"}, "17m", None),
    Case(
        "HourstreamBooksDoNotTie",
        {'hourstream_reconciliation_residue{kind="posting",currency="EUR"}': "0x4 -1x60"},
        "7m",
        {"kind": "posting", "currency": "EUR", "severity": "page"},
    ),
    Case(
        "HourstreamBooksDoNotTie",
        {'hourstream_reconciliation_residue{kind="posting",currency="EUR"}': "0x60"},
        "7m",
        None,
    ),
    Case("HourstreamUnknownCharges", {"hourstream_lifecycle_unknown_charges": "2x80"}, "17m", {"severity": "page"}),
    Case("HourstreamUnknownCharges", {"hourstream_lifecycle_unknown_charges": "2x8 0x80"}, "17m", None),
    Case(
        "HourstreamCommitStalled",
        {_LAG: "10x60", _OFFSET: "5x60"},
        "8m",
        {"stage": "settle", "topic": "time.entries", "partition": "0", "severity": "page"},
    ),
    Case("HourstreamCommitStalled", {_LAG: "10x60", _OFFSET: "5+5x60"}, "8m", None),
    Case(
        "HourstreamWorkerStalled",
        {'hourstream_idle_seconds{stage="settle"}': "121x60"},
        "8m",
        {"stage": "settle", "severity": "ticket"},
    ),
    Case("HourstreamWorkerStalled", {'hourstream_idle_seconds{stage="settle"}': "60x60"}, "8m", None),
    Case(
        "HourstreamWorkerStalled",
        {'hourstream_last_stall_timestamp_seconds{stage="settle"}': "60x60"},
        "8m",
        {"stage": "settle", "severity": "ticket"},
    ),
    Case("HourstreamWorkerStalled", {'hourstream_last_stall_timestamp_seconds{stage="settle"}': "60x60"}, "32m", None),
    Case(
        "HourstreamRestoreSlow",
        {
            'hourstream_partitions_running{stage="settle"}': "1x60",
            'hourstream_partitions_assigned{stage="settle"}': "4x60",
        },
        "12m",
        {"stage": "settle", "severity": "ticket"},
    ),
    Case(
        "HourstreamRestoreSlow",
        {
            'hourstream_partitions_running{stage="settle"}': "4x60",
            'hourstream_partitions_assigned{stage="settle"}': "4x60",
        },
        "12m",
        None,
    ),
    Case("HourstreamProcessingLag", {_AGE % "settle": "301x60"}, "6m", {"stage": "settle", "severity": "page"}),
    Case("HourstreamProcessingLag", {_AGE % "erp": "301x60"}, "6m", None),
    Case("HourstreamSinkLag", {_AGE % "erp": "301x60"}, "6m", {"stage": "erp", "severity": "page"}),
    Case("HourstreamSinkLag", {_AGE % "delivery-tryton": "299x60"}, "6m", None),
    Case(
        "HourstreamSinkUnreachable",
        {'hourstream_sink_reachable{stage="erp"}': "1x4 0x60"},
        "5m",
        {"stage": "erp", "severity": "page"},
    ),
    Case("HourstreamSinkUnreachable", {'hourstream_sink_reachable{stage="erp"}': "1x60"}, "5m", None),
    Case(
        "HourstreamBreakerOpen",
        {'hourstream_delivery_breaker{target="tryton"}': "2x60"},
        "6m",
        {"target": "tryton", "severity": "page"},
    ),
    Case("HourstreamBreakerOpen", {'hourstream_delivery_breaker{target="tryton"}': "1x60"}, "6m", None),
    Case(
        "HourstreamDeliveriesFailed",
        {
            'hourstream_deliveries_refused{target="tryton"}': "0x80",
            'hourstream_deliveries_unreachable{target="tryton"}': "1x80",
        },
        "17m",
        {"target": "tryton", "severity": "ticket"},
    ),
    Case(
        "HourstreamDeliveriesFailed",
        {
            'hourstream_deliveries_refused{target="tryton"}': "0x80",
            'hourstream_deliveries_unreachable{target="tryton"}': "0x80",
        },
        "17m",
        None,
    ),
    Case(
        "HourstreamStatusesStale",
        {'hourstream_status_lag_seconds{target="tryton"}': "3601x80"},
        "17m",
        {"target": "tryton", "severity": "ticket"},
    ),
    Case("HourstreamStatusesStale", {'hourstream_status_lag_seconds{target="tryton"}': "61x80"}, "17m", None),
    Case(
        "HourstreamSyncFailures",
        {_ANSWERS % "posted": "0+9x480", _ANSWERS % "refused": "0+1x480"},
        "90m",
        {"system": "journal", "severity": "ticket"},
    ),
    Case("HourstreamSyncFailures", {_ANSWERS % "posted": "0+99x480", _ANSWERS % "refused": "0+1x480"}, "90m", None),
    Case("HourstreamDeadLetters", {_DEAD: "0x4 1x60"}, "3m", {"stage": "settle", "severity": "ticket"}),
    Case("HourstreamDeadLetters", {_DEAD: "0x60"}, "3m", None),
    Case(
        "HourstreamIsolated",
        {_ISOLATED: "0x4 1x300"},
        "10m",
        {"stage": "settle", "what": "record", "severity": "page"},
    ),
    Case("HourstreamIsolated", {_ISOLATED: "1x60"}, "1m", {"stage": "settle", "what": "record", "severity": "page"}),
    Case("HourstreamIsolated", {_ISOLATED: "1x480"}, "70m", None),
    Case(
        "HourstreamExceptionsAging",
        {_OLD_EXCEPTION: "604801x500"},
        "62m",
        {"code": "NO_RATE", "region": "EMEA", "severity": "ticket"},
    ),
    Case("HourstreamExceptionsAging", {_OLD_EXCEPTION: "600000x500"}, "62m", None),
    Case(
        "HourstreamApprovalBacklogOld",
        {_BACKLOG: "432001x500"},
        "62m",
        {"approval_group": "north", "severity": "ticket"},
    ),
    Case("HourstreamApprovalBacklogOld", {_BACKLOG: "430000x500"}, "62m", None),
    # 80 % manual of 5 % allowed: both windows of the fastest burn, and none where the short one has recovered.
    Case(
        "HourstreamTouchlessBudgetBurns",
        {"hourstream_posted_minutes_total": "0+10x260", "hourstream_manual_minutes_total": "0+8x260"},
        "62m",
        _burn("1h", "5m", "page"),
    ),
    Case(
        "HourstreamTouchlessBudgetBurns",
        {"hourstream_posted_minutes_total": "0+10x260", "hourstream_manual_minutes_total": "0+0.4x260"},
        "62m",
        None,
    ),
    Case("HourstreamFreshnessBudgetBurns", {_POSTED: "0+10x260", _FRESH: "0+8x260"}, "62m", _burn("1h", "5m", "page")),
    Case("HourstreamFreshnessBudgetBurns", {_POSTED: "0+1000x260", _FRESH: "0+995x260"}, "62m", None),
)
