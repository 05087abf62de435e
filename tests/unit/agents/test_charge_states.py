"""The lifecycle agent over state in memory: whatever comes when, the last state told of each charge is the same."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import Metric

from agents.charge_status import LifecycleFigures, process_batch
from metrics.worker_metrics import OwnMetrics
from rating.model.ids import posting_id
from schemas.codec import decode_for, encode
from streaming.batch import Batch, Output, Record
from streaming.state import MemoryRows, State
from tables.cycle_times import is_cycle
from tables.windows import totals, windows
from tests.contract.sinks.sink_charges import charge, reversal

DAY = datetime(2025, 3, 15, tzinfo=UTC)
Said = tuple[str, dict[str, Any]]  # topic, value


def ready(of: Mapping[str, Any]) -> Said:
    """The charge as it is on its topic."""
    lineage = {**of["lineage"], "masters": [], "rules_version": "1"}
    return "billing.ready", {**of, "lineage": lineage}


def posting(of: Mapping[str, Any], status: str = "posted", revision: int = 1, minutes: int = 1) -> Said:
    """The journal's answer to a charge, so many minutes after it was decided."""
    at = DAY + timedelta(minutes=minutes)
    said = {"posting_id": posting_id(of["charge_id"], "journal"), "charge_id": of["charge_id"], "status": status}
    reason = "NO_LEGAL_ENTITY" if status == "refused" else None
    told = {"engagement_id": of["engagement_id"], "system": "journal", "reference": "JRN-1", "reason": reason, "at": at}
    return "erp.postings", said | told | {"source": "journal", "revision": revision, "occurred_at": at}


def status(name: str, what: str, revision: int, *charges: Mapping[str, Any], days: int = 1) -> Said:
    """What became of an invoice, so many days after its charges were decided."""
    at = DAY + timedelta(days=days)
    said = {"invoice_id": name, "engagement_id": charges[0]["engagement_id"], "status": what, "at": at}
    listed = {"charge_ids": [one["charge_id"] for one in charges], "amount": 100, "currency": "EUR"}
    told = said | listed | {"source": "hourstream", "revision": revision, "occurred_at": at}
    return "invoice.status", told | {"amount": charges[0]["amount"]}


class Agent:
    """One partition of the agent."""

    def __init__(self) -> None:
        self.rows, self._offsets = MemoryRows(), itertools.count(1)

    def hears(self, *said: Said) -> list[dict[str, Any]]:
        """The states told of one batch."""
        records = [self._record(topic, value) for topic, value in said]
        return [decode_for("charge.states", output.value or b"") for output in self.takes(records)]

    def takes(self, records: Sequence[Record]) -> list[Output]:
        """The outputs of one batch of records."""
        state = State(self.rows)
        outputs = process_batch(Batch(0, 0, {}, {}, records), state)
        self.rows.commit(state)
        return outputs

    def _record(self, topic: str, value: dict[str, Any]) -> Record:
        offset = next(self._offsets)
        return Record(topic, 0, offset, 60_000 * offset, value["engagement_id"].encode(), encode(topic, value), ())

    def totals(self) -> dict[tuple[str, ...], int]:
        """The running totals that are not 0."""
        return {labels: total for labels, total in totals(self.rows.items()).items() if total}


ONE, TWO = charge("one", "100.00"), charge("two", "40.00")
BACK = reversal(ONE)
HISTORY: tuple[Said, ...] = (
    ready(ONE),
    ready(TWO),
    ready(BACK),
    posting(ONE),
    posting(TWO, "refused"),
    posting(TWO, "posted", revision=2, minutes=30),
    posting(BACK, minutes=90),
    status("INV-1", "issued", 1, ONE, TWO),
    status("INV-1", "voided", 2, ONE, TWO, days=2),
    status("INV-2", "issued", 1, ONE, days=3),
    status("INV-2", "part_paid", 2, ONE, days=20),
    status("INV-2", "paid", 3, ONE, days=40),
)


def last_states(agent: Agent, batches: Iterable[Sequence[Said]]) -> dict[str, dict[str, Any]]:
    """What was told last of each charge, but for the number of the state and its time, which depend on the order."""
    told: dict[str, dict[str, Any]] = {}
    for batch in batches:
        for state in agent.hears(*batch):
            before = told.get(state["charge_id"], {"revision": 0})
            assert state["revision"] == before["revision"] + 1
            told[state["charge_id"]] = state
    return {name: {**state, "revision": 0, "changed_at": DAY} for name, state in told.items()}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_in_any_order_and_however_often_the_last_states_are_the_same(data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(HISTORY), max_size=6))
    heard = data.draw(st.permutations([*HISTORY, *again]))
    size = data.draw(st.integers(1, 6))
    agent, straight = Agent(), Agent()
    states = last_states(agent, [heard[start : start + size] for start in range(0, len(heard), size)])
    assert states == last_states(straight, [HISTORY])
    assert agent.hears(*HISTORY) == []
    counted = {labels: total for labels, total in agent.totals().items() if not labels[0].startswith("cycle")}
    assert counted == {
        ("charges", "paid"): 1,
        ("charges", "voided"): 1,
        ("charges", "posted"): 1,
        ("charge_amount", "paid", "EUR"): 100_000_000,
        ("charge_amount", "voided", "EUR"): 40_000_000,
        ("charge_amount", "posted", "EUR"): -100_000_000,
    }
    assert (states[ONE["charge_id"]]["reversed_by"], states[BACK["charge_id"]]["reverses"]) == (
        BACK["charge_id"],
        ONE["charge_id"],
    )


def test_nothing_is_told_of_a_charge_that_is_not_known_yet() -> None:
    agent = Agent()
    assert agent.hears(posting(ONE), status("INV-1", "issued", 1, ONE)) == []
    assert agent.totals() == {("unknown_charges",): 1}
    (told,) = agent.hears(ready(ONE))
    assert (told["state"], told["invoice_id"], told["revision"]) == ("invoiced", "INV-1", 1)
    (answer,) = told["postings"]
    assert answer.pop("at") == DAY + timedelta(minutes=1)
    assert answer == {"system": "journal", "status": "posted", "reference": "JRN-1", "reason": None}
    assert ("unknown_charges",) not in agent.totals()


def test_each_step_of_a_charge_is_timed_once() -> None:
    agent = Agent()
    for said in HISTORY:
        agent.hears(said)
    cycles = {labels: n for labels, n in agent.totals().items() if labels[0] == "cycle"}
    # 1, 30 and 90 minutes to be posted; a day to be invoiced, of which the void takes nothing back; 37 days to be paid.
    assert cycles == {
        ("cycle", "decided_to_posted", "EMEA", "2"): 1,
        ("cycle", "decided_to_posted", "EMEA", "4"): 1,
        ("cycle", "decided_to_posted", "EMEA", "5"): 1,
        ("cycle", "posted_to_invoiced", "EMEA", "6"): 2,
        ("cycle", "invoiced_to_paid", "EMEA", "11"): 1,
        ("cycle", "decided_to_paid", "EMEA", "11"): 1,
    }
    now_ms = 60_000 * len(HISTORY)
    recent = {outcome: n for (span, outcome), n in windows(agent.rows.items(), now_ms).items() if span == 60}
    assert sum(n for outcome, n in recent.items() if is_cycle(outcome)) == 7
    assert (recent["received"], recent["paid"], recent["voided"]) == (len(HISTORY), 1, 2)


def test_its_metrics_are_histograms_and_gauges_of_bounded_labels() -> None:
    agent = Agent()
    agent.hears(*HISTORY)

    class Figures(LifecycleFigures):
        def __init__(self) -> None: ...

        def _rows(self) -> list[dict[bytes, bytes]]:
            return [dict(agent.rows)]

    figures = Figures()
    assert isinstance(figures, OwnMetrics)
    found: dict[str, Metric] = {metric.name: metric for metric in figures.metrics(60_000 * len(HISTORY))}
    charges = {sample.labels["state"]: sample.value for sample in found["hourstream_charges"].samples}
    assert {state: n for state, n in charges.items() if n} == {"paid": 1, "voided": 1, "posted": 1}
    cycles = found["hourstream_cycle_seconds"].samples
    by_bound = {
        sample.labels["le"]: sample.value
        for sample in cycles
        if sample.name.endswith("_bucket") and sample.labels["step"] == "decided_to_posted"
    }
    assert (by_bound["10.0"], by_bound["60.0"], by_bound["3600.0"], by_bound["+Inf"]) == (0, 1, 2, 3)
    sums = {sample.labels["step"]: sample.value for sample in cycles if sample.name.endswith("_sum")}
    assert sums["decided_to_posted"] == 121 * 60
    recent = {
        (sample.labels["step"], sample.labels["minutes"]): sample.value
        for sample in found["hourstream_window_cycles"].samples
        if sample.labels["le"] == "+Inf"
    }
    assert (recent["decided_to_posted", "60"], recent["decided_to_paid", "60"]) == (3, 1)
    labels = {name for metric in found.values() for sample in metric.samples for name in sample.labels}
    assert labels == {"state", "currency", "step", "region", "le", "minutes"}
    assert not any(is_cycle(outcome) for _, outcome in figures.windows(60_000))


def test_what_is_no_record_is_a_dead_letter() -> None:
    agent = Agent()
    (letter,) = agent.takes([Record("erp.postings", 0, 1, 60_000, b"E-1", b"\0\0", [("h", b"v")])])
    assert letter.topic == "dead.letters"
    assert windows(agent.rows.items(), 60_000)[1, "dead"] == 1
