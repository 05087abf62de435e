"""The metrics worker over state in memory: the same figures in any order of topics, and what they come to."""

import itertools
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.metrics import process_batch
from metrics.finance_metrics import Finance, finance_metrics
from metrics.metric_catalogue import CATALOGUE, departs_from_catalogue, page
from rating.model.master_records import master
from rating.model.masters import Masters
from schemas.codec import encode
from schemas.json_codec import from_json
from settings import CHECKOUT
from streaming.batch import Batch, Record
from streaming.state import MemoryRows, State
from tables.rollup_sums import sums
from tables.windows import totals, windows
from tests.contract.sinks.sink_charges import charge, reversal
from tests.unit.agents.test_charge_states import Said, posting, ready
from tests.unit.tables.contents import client, consultant, engagement, line

NOW = datetime(2025, 4, 30, 12, tzinfo=UTC)
MARCH = date(2025, 3, 14)  # 47 days before
OLD, NEW = charge("old", "100.00", work_date=date(2024, 12, 2)), charge("new", "40.00", work_date=MARCH)
PARKED_ONCE = charge("healed", "7.50", work_date=MARCH, billable_minutes=30)
BACK = reversal(NEW)


def state(of: Any, what: str, revision: int) -> Said:  # noqa: ANN401 - a charge
    """What lifecycle says of a charge."""
    dates = {f"{each}_at" for each in ("posted", "invoiced", "sent", "part_paid", "disputed", "paid", "voided")}
    names = ("charge_id", "engagement_id", "subject", "reverses", "client_id", "legal_entity", "region", "period")
    value = {name: of[name] for name in (*names, "currency", "amount")}
    empty = dict.fromkeys(("reversed_by", "invoice_id", *dates))
    told = {"state": what, "postings": [], "revision": revision, "decided_at": NOW, "changed_at": NOW}
    return "charge.states", {**value, **empty, **told}


def exception(subject: str, status: str, code: str = "NO_RATE", minutes: int = 45, severity: str | None = None) -> Said:
    """An exception as settle tells it, first seen two days ago."""
    value = {
        "exception_id": "X", "engagement_id": "E-1", "subject": subject, "revision": 1, "code": code, "message": "",
        "missing": None, "amount_at_stake": Decimal("12.34"), "minutes": minutes, "status": status,
        "first_seen": NOW - timedelta(days=2), "attempts": 1, "owner": "", "region": "EMEA", "severity": severity,
    }  # fmt: skip
    return "billing.exceptions", value


def entry(name: str, status: str, revision: int, at: str) -> Said:
    """A revision of a time entry of two hours."""
    value = {
        "entry_id": name, "engagement_id": "E-1", "task_id": "T", "consultant_id": "P-1", "work_date": "2025-04-01",
        "minutes": 120, "billable": True, "status": status, "source": "tock", "revision": revision, "occurred_at": at,
    }  # fmt: skip
    return "time.entries", from_json("time.entries", value)


HISTORY: tuple[Said, ...] = (
    *(ready(each) for each in (OLD, NEW, BACK, PARKED_ONCE)),
    *(posting(each) for each in (OLD, NEW, PARKED_ONCE)),
    state(OLD, "posted", 1),
    state(OLD, "invoiced", 2),
    state(OLD, "voided", 3),
    state(NEW, "invoiced", 1),
    exception("time:healed", "resolved"),
    exception("time:stuck", "open"),
    entry("waits", "submitted", 1, "2025-04-20T08:00:00Z"),
    entry("decided", "submitted", 1, "2025-04-20T08:00:00Z"),
    entry("decided", "approved", 2, "2025-04-20T10:00:00Z"),
)


class Agent:
    """One partition of the agent."""

    def __init__(self) -> None:
        self.rows, self._offsets = MemoryRows(), itertools.count(1)

    def hears(self, *said: Said) -> None:
        """One batch."""
        records = [self._record(topic, value) for topic, value in said]
        under_way = State(self.rows)
        assert process_batch(Batch(0, 0, {}, {}, records), under_way) == []
        self.rows.commit(under_way)

    def _record(self, topic: str, value: dict[str, Any]) -> Record:
        at = int(NOW.timestamp() * 1000)
        return Record(topic, 0, next(self._offsets), at, value["engagement_id"].encode(), encode(topic, value), ())

    def shows(self, masters: Masters | None = None) -> dict[tuple[str, ...], float]:
        """{(metric, label...): value} of the page."""
        now_ms = int(NOW.timestamp() * 1000)
        finance = Finance(masters or MASTERS, windows(self.rows.items(), now_ms), now_ms)
        finance.sums.update(sums(self.rows.items()))
        finance.totals.update(totals(self.rows.items()))
        shown = {}
        for family in finance_metrics(finance):
            assert list(departs_from_catalogue(family)) == []
            for sample in family.samples:
                shown[sample.name.removeprefix("hourstream_"), *sample.labels.values()] = sample.value
        return shown


def _masters() -> Masters:
    people = consultant("P-1", None)
    people[1]["weekly_capacity_minutes"] = 600
    lines = [line(client()), line(engagement("E-1", approval_group="north")), line(people)]
    records = [(one["topic"], one["key"], from_json(one["topic"], one["value"])) for one in lines]
    return Masters.empty().with_records((topic, key, master(topic, value)) for topic, key, value in records)


MASTERS = _masters()


def heard(batches: Iterable[tuple[Said, ...]]) -> Agent:
    """An agent that was told so."""
    agent = Agent()
    for batch in batches:
        agent.hears(*batch)
    return agent


@pytest.fixture(scope="module")
def shown() -> dict[tuple[str, ...], float]:
    """The page after the history."""
    return heard([HISTORY]).shows()


@settings(max_examples=50, deadline=None)
@given(st.permutations(HISTORY), st.integers(1, len(HISTORY)))
def test_in_any_order_of_topics_the_figures_are_the_same(said: list[Said], size: int) -> None:
    batches = [tuple(said[at : at + size]) for at in range(0, len(said), size)]
    assert heard(batches).shows() == heard([HISTORY]).shows()


def test_minutes_of_what_somebody_had_to_touch_are_manual(shown: dict[tuple[str, ...], float]) -> None:
    assert (shown["posted_minutes_total",], shown["manual_minutes_total",]) == (150, 30)
    assert shown["window_touchless_ratio", "60"] == 0.8
    assert shown["posting_answers_total", "journal", "posted"] == 3


def test_what_is_not_invoiced_is_wip_by_age_and_a_voided_invoice_frees_it(
    shown: dict[tuple[str, ...], float],
) -> None:
    assert shown["wip_amount", "EMEA", "EUR", "91-180"] == 100
    assert shown["wip_amount", "EMEA", "EUR", "31-60"] == 7.5 - 40  # the reversal of what is invoiced: to be credited
    assert shown["wip_minutes", "EMEA", "31-60"] == 30 - 60
    assert shown["unbilled_amount", "EMEA", "EUR", "charged"] == 67.5
    assert shown["unbilled_amount", "EMEA", "EUR", "parked"] == 12.34
    assert (shown["ready_amount", "EUR"], shown["unposted_amount", "EUR"]) == (107.5, -40)


def test_exceptions_and_submitted_time_are_there_until_they_are_decided(shown: dict[tuple[str, ...], float]) -> None:
    assert shown["exceptions_open", "NO_RATE", "EMEA"] == 1
    assert shown["exceptions_minutes", "NO_RATE", "EMEA"] == 45
    assert shown["exceptions_amount", "NO_RATE", "EMEA", "EUR"] == 12.34
    assert shown["exceptions_oldest_age_seconds", "NO_RATE", "EMEA"] == 2 * 86_400
    assert shown["approval_backlog_entries", "north"] == 1
    assert shown["approval_backlog_minutes", "north"] == 120
    assert shown["approval_backlog_oldest_age_seconds", "north"] == 10.5 * 86_400
    assert shown["cycle_seconds_sum", "submitted_to_approved", ""] == 7200

    agent = heard([HISTORY])
    agent.hears(exception("time:stuck", "resolved"), entry("waits", "withdrawn", 2, "2025-04-21T08:00:00Z"))
    assert not [labels for labels in agent.shows() if labels[0].startswith("exceptions_")]
    assert agent.shows()["approval_backlog_oldest_age_seconds", "north"] == 0
    assert not any(parts[0].startswith(("backlog", "exception")) for parts in sums(agent.rows.items()))


def test_utilization_is_of_the_latest_weeks_with_time(shown: dict[tuple[str, ...], float]) -> None:
    assert shown["worked_minutes", "EMEA", "billable"] == 30  # what was reversed is not worked, December is long ago
    assert shown["capacity_minutes", "EMEA"] == 4 * 600
    assert shown["utilization_ratio", "EMEA"] == 30 / 2400


def test_labels_are_bounded_whatever_the_masters_say() -> None:
    many = [line(engagement(f"M{n}", approval_group=f"group {n}")) for n in range(200)]
    records = [(one["topic"], one["key"], from_json(one["topic"], one["value"])) for one in many]
    masters = MASTERS.with_records((topic, key, master(topic, value)) for topic, key, value in records)
    groups = {labels[1] for labels in heard([HISTORY]).shows(masters) if labels[0] == "approval_backlog_entries"}
    assert len(groups) <= 53
    forbidden = {
        "client",
        "client_id",
        "engagement",
        "engagement_id",
        "consultant",
        "consultant_id",
        "subject",
        "person",
    }
    assert not [each.name for each in CATALOGUE.values() if forbidden & set(each.labels)]


def test_the_page_of_the_catalogue_is_current() -> None:
    assert (CHECKOUT / "docs" / "metrics.md").read_text(encoding="utf-8") == page()


def test_a_warning_is_counted_apart_and_touches_nothing() -> None:
    agent = heard([(exception("overlap:1", "open", "OVERLAPPING_TIME", severity="warning"),)])
    shown = agent.shows()
    assert shown["warnings_open", "OVERLAPPING_TIME"] == 1
    on_hold = ("exceptions_open", "exceptions_minutes", "exceptions_amount", "exceptions_oldest_age_seconds")
    assert not [name for name, *_ in shown if name in on_hold]
    assert not [name for name in shown if name == ("unbilled_amount", "EMEA", "EUR", "parked")]
    agent.hears(exception("overlap:1", "resolved", "OVERLAPPING_TIME", severity="warning"))
    assert ("warnings_open", "OVERLAPPING_TIME") not in agent.shows()
