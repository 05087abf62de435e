"""The stream under real Prometheus: figures equal to the books, panels that show something, alerts that fire."""

import os
import signal
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from assurance.ledger_reader import net_charge
from cli.worker import FOR_THE_CONSOLE
from devstack.prometheus_targets import targets
from metrics.metric_catalogue import departs_from_catalogue
from ops.grafana.dashboards import DASHBOARDS
from rating.unbilled_work import AGE_BUCKETS
from storage.postgres import transaction
from tests.integration.ops.watching import ALERTMANAGER, PROMETHEUS, Watched, until, watching
from tests.integration.stream.running import Running, running
from tests.unit.tables.contents import MASTERS, SELLER, consultant, engagement, entry, line, task
from warehouse.aggregates import sum_up
from warehouse.queries import unbilled
from warehouse.reports import client_totals

pytestmark = [
    pytest.mark.skipif(not PROMETHEUS or not ALERTMANAGER, reason="Debian's prometheus and -alertmanager are missing"),
    pytest.mark.timeout(600),
]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(frozen=True, slots=True)
class Live:
    """The stream and who watches it."""

    stream: Running
    watched: Watched


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Some of everything: charged, invoiced, parked and healed, waived, waiting for approval, rejected."""
    home = tmp_path_factory.mktemp("live")
    with (
        running(home, also=FOR_THE_CONSOLE) as stream,
        watching(stream.settings.home, tmp_path_factory.mktemp("watching")) as watched,
    ):
        people = consultant("C1", "Engineer")
        people[1]["weekly_capacity_minutes"] = 2400
        stream.takes(*(stream.next_revision(content) for content in [*MASTERS, SELLER]))
        grouped = engagement("E1", approval_group="north")
        stream.takes(stream.next_revision(people), stream.next_revision(grouped))
        stream.takes(
            *(line(entry("E1", f"charged-{n}", 90, f"2024-01-{n + 1:02}")) for n in range(20)),
            line(entry("E2", "capped", 300)),
            line(entry("E1", "training", 480, billable=False)),
            line(entry("E1", "waiting", 75, status="submitted")),
            line(entry("E1", "turned-down", 15, status="rejected")),
            line(entry("E1", "stuck", 45, task_id="E1-T-NEVER")),
            line(entry("E1", "given-up", 30, task_id="E1-T-NEVER")),
            line(entry("E1", "early", 60, task_id="E1-T5")),
            line(entry("E1", "approved-late", 60, status="submitted")),
        )
        stream.takes(line(entry("E1", "approved-late", 60), revision=2), line(task("E1", 5)))
        waived = stream.hourstream(
            "exceptions", "waive", "E1", "time:given-up", "--reason", "too small", "--by", "lead"
        )
        assert waived.exit_code == 0, waived.output
        cut_off = ("--cut-off", "2024-01-10", "--issue-date", "2024-02-01", "--out", str(home / "invoices"))
        assert stream.hourstream("invoice", "run", *cut_off).exit_code == 0
        stream.takes(line(entry("E1", "charged-0", 120, "2024-01-01"), revision=2))  # reverses what was invoiced
        stream.rest()
        yield Live(stream, watched)


def page(stream: Running, name: str) -> Samples:
    """{(name, labels): value} of a worker's metrics page; held to the catalogue on the way."""
    with urllib.request.urlopen(f"http://{targets(stream.settings.home)[name]}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    ours = [family for family in families if family.name.startswith("hourstream_")]
    assert [wrong for family in ours for wrong in departs_from_catalogue(family)] == []
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in ours for one in family.samples}


def summed(samples: Samples, name: str, *by: str, **having: str) -> dict[tuple[str, ...], float]:
    """The samples of a metric, added up by labels."""
    found = Counter[tuple[str, ...]]()
    for (of, labels), value in samples.items():
        told = dict(labels)
        if of == f"hourstream_{name}" and having.items() <= told.items():
            found[tuple(told[label] for label in by)] += value  # type: ignore[assignment]  # a Counter of floats
    return {labels: pytest.approx(value, abs=1e-6) for labels, value in found.items() if value}


def as_floats(sums: Counter[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    """Sums that are not zero, comparable to those of a metrics page."""
    return {labels: float(amount) for labels, amount in sums.items() if amount}


def test_the_figures_are_those_of_the_books(live: Live) -> None:
    stream = live.stream
    books, shown, settled = stream.books(), page(stream, "metrics"), page(stream, "settle")
    ledger = books.ledger()
    records = [record for each in books.charges.values() for record in each]
    charged = Counter[tuple[str, ...]]()
    for each in books.charges.values():
        if (net := net_charge(each)) is not None:
            charged[str(net["currency"]),] += Decimal(str(net["amount"]))  # type: ignore[assignment]
    assert summed(shown, "ready_amount", "currency") == {key: float(amount) for key, amount in charged.items()}
    assert summed(shown, "ready_charges")[()] == len(records)
    assert summed(shown, "unposted_charges") == {}
    by_state = page(stream, "lifecycle")
    assert summed(by_state, "charges_amount", "currency") == summed(shown, "ready_amount", "currency")

    open_ = Counter[tuple[str, ...]]()
    for row in client_totals(stream.pool):
        open_[row.currency,] += row.open  # type: ignore[assignment]
    waiting = {key: float(amount) for key, amount in open_.items()}
    assert waiting
    assert waiting["EUR",] < float(charged["EUR",])
    assert summed(shown, "wip_amount", "currency") == waiting
    assert summed(shown, "unbilled_amount", "currency", state="charged") == waiting

    sum_up(stream.pool)
    with transaction(stream.pool) as cursor:
        aged = [each for each in unbilled.aged(cursor, datetime.now(UTC).date()) if each.stage != "submitted"]
    by_stage, by_age, minutes_by_age = (
        Counter[tuple[str, ...]](),
        Counter[tuple[str, ...]](),
        Counter[tuple[str, ...]](),
    )
    for one in aged:
        by_stage[one.region, one.currency, one.stage] += one.amount  # type: ignore[assignment]
        if one.stage == "charged":
            by_age[one.region, one.currency, AGE_BUCKETS[one.bucket]] += one.amount  # type: ignore[assignment]
            minutes_by_age[one.region, AGE_BUCKETS[one.bucket]] += one.minutes
    assert {stage for _, _, stage in by_stage} == {"charged", "parked"}
    assert summed(shown, "unbilled_amount", "region", "currency", "state") == as_floats(by_stage)
    assert summed(shown, "wip_amount", "region", "currency", "age_days") == as_floats(by_age)
    assert summed(shown, "wip_minutes", "region", "age_days") == as_floats(minutes_by_age)

    parked = Counter(str(one["code"]) for one in ledger if one["state"] == "parked")
    minutes = sum(int(str(one["worked_minutes"])) for one in ledger if one["state"] == "parked")
    beside = sum(1 for one in ledger if one["state"] == "charged" and one["code"])  # a part above a cap
    assert parked
    assert summed(shown, "exceptions_open")[()] == sum(parked.values()) + beside
    assert summed(shown, "exceptions_minutes")[()] == minutes
    assert summed(settled, "parked_minutes")[()] == minutes
    assert summed(settled, "conservation_residue_minutes") == {}

    pending = [fact for fact in books.facts.values() if getattr(fact, "status", None) == "submitted"]
    assert summed(shown, "approval_backlog_entries", "approval_group") == {("north",): len(pending)}
    assert summed(shown, "approval_backlog_minutes")[()] == sum(fact.minutes for fact in pending)  # type: ignore[union-attr]
    assert summed(shown, "cycle_seconds_count", step="submitted_to_approved")[()] == 1

    posted = sum(r["billable_minutes"] for r in records if r["reverses"] is None)  # type: ignore[misc]
    manual = sum(
        r["billable_minutes"]  # type: ignore[misc]
        for (engagement_id, subject), each in books.charges.items()
        for r in each
        if r["reverses"] is None and (engagement_id, subject) in books.exceptions
    )
    assert 0 < manual < posted
    for name in stream.workers.names:
        page(stream, name)  # held to the catalogue
    assert summed(shown, "posted_minutes_total")[()] == posted
    assert summed(shown, "manual_minutes_total")[()] == manual


def test_every_query_of_every_panel_shows_something(live: Live) -> None:
    live.stream.takes(line(entry("E1", "seen-arriving", 60)))
    until(lambda: live.watched.query("hourstream:freshness_error:ratio_1h"), "a rate of what was just posted")
    until(lambda: live.watched.query("hourstream:sync_failure:ratio_1h"), "a rate of answers")
    empty = [
        f"{dashboard.title}: {panel.title}: {query.expr}"
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
        for query in panel.queries
        if not live.watched.query(query.expr)
    ]
    assert empty == []
    assert live.watched.unhealthy_rules() == []
    assert live.watched.value('sum(up{job="hourstream"})') == len(live.stream.workers.names)
    until(
        lambda: (
            live.watched.value("sum(hourstream_ready_charges)") == sum(map(len, live.stream.books().charges.values()))
        ),
        "Prometheus has what the books have",
    )


@pytest.mark.parametrize("name", ["metrics", "settle", "erp"])
def test_killing_a_worker_changes_no_figure(live: Live, name: str) -> None:
    live.stream.takes(line(entry("E1", f"before-killing-{name}", 60)))
    before = _lasting(page(live.stream, name))
    live.stream.kill(name)
    assert _lasting(page(live.stream, name)) == before
    assert any(value for (of, _), value in before.items() if of == "hourstream_window_records")


def _lasting(samples: Samples) -> Samples:
    """Without what is of the process, and what goes with the time of day: the last one and five minutes, ages."""
    passing = ("lag", "restored_rows", "state_bytes", "_age_seconds", "partitions_", "committed_offset")
    return {
        (name, labels): value
        for (name, labels), value in samples.items()
        if not any(part in name for part in passing) and dict(labels).get("minutes", "60") == "60"
    }


def test_an_alert_fires_when_something_breaks_and_ends_when_it_is_mended(live: Live) -> None:
    stream, webhook = live.stream, live.watched.webhook
    aging = {"code": "UNKNOWN_TASK", "region": "EMEA"}
    stream.takes(line(entry("E1", "breaks", 45, task_id="E1-T9")))
    until(lambda: webhook.heard("HourstreamExceptionsAging", "firing", **aging), "the exception is told of")
    (told, *_) = [
        one
        for one in webhook.told
        if {"alertname": "HourstreamExceptionsAging", **aging}.items() <= one["labels"].items()
    ]
    assert (Path(__file__).parents[3] / told["annotations"]["runbook"]).exists()
    assert told["annotations"]["summary"] == "UNKNOWN_TASK of EMEA is not mended"

    stream.takes(line(task("E1", 9)), line(_task_never()))  # what it waited for, and what else waits for a task
    until(lambda: webhook.heard("HourstreamExceptionsAging", "resolved", **aging), "it is mended")
    assert stream.state("time:breaks") == "charged"


def _task_never() -> tuple[str, dict[str, object]]:
    topic, value = task("E1", 10)
    return topic, value | {"task_id": "E1-T-NEVER", "code": "N"}


def test_dead_letters_and_a_frozen_worker_are_told_of(live: Live) -> None:
    stream, webhook = live.stream, live.watched.webhook
    stream.send("time.entries", b"E1", b"\xde\xad", [])
    frozen = stream.workers.process("erp").pid
    os.kill(frozen, signal.SIGSTOP)
    try:
        until(lambda: webhook.heard("HourstreamWorkerDown", "firing", worker="erp"), "a worker that does not answer")
        until(lambda: webhook.heard("HourstreamDeadLetters", "firing", stage="settle"), "a poison record")
    finally:
        os.kill(frozen, signal.SIGCONT)
    until(lambda: webhook.heard("HourstreamWorkerDown", "resolved", worker="erp"), "it answers again")
    assert not webhook.heard("HourstreamConservationResidue", "firing")
    assert not webhook.heard("HourstreamUnknownCharges", "firing")
