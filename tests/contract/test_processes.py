"""What each process is declared to read is what its code reads; who writes what is known for every topic."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from typing import Any, cast

import pytest
from schema_records import sample

from accounting.posting_periods import PostingPeriods, periods_of
from cli.schemas import DOCUMENT, processes
from cli.worker import AGENTS, FOR_THE_CONSOLE
from invoicing.charge_columns import CHARGE_COLUMNS
from rating.model.facts import FACT_TYPES
from rating.model.master_records import MASTER_TYPES
from schemas import codec
from schemas.released import read_contracts
from sinks.journal import Journal, booked
from sinks.routing_file import rows_of
from sinks.routing_policy import Routes, RoutingPolicy
from storage.charge_batch import ChargeRow
from streaming.state import MemoryRows, State
from tables.charge_status import ChargeEvent, ChargeHistories
from tables.finance_rollup import Overview
from tables.windows import Tally
from topics.catalogue import MASTERS, METRICS_INPUTS, SETTLE_INPUTS, TOPICS
from topics.catalogue_page import document
from topics.consumers import PROCESSES, WHOLE
from warehouse import events

DECLARED = {process.name: process for process in PROCESSES}


class Watched(dict[str, Any]):
    """A record that remembers which of its fields were asked for."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(record)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever the record holds
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        if name in self:  # asked of every topic's record alike
            self.asked.add(name)
        return super().get(name, default)


def watched(topic: str) -> Watched:
    return Watched(sample(codec.shape(topic)))


def test_the_journal_reads_what_is_declared() -> None:
    """With routes that look at everything routes may look at."""
    charge = watched("billing.ready")
    charge["reverses"] = None
    everything = RoutingPolicy(
        ("journal",), frozenset("x"), frozenset({charge["region"]}), frozenset("x"), date.min, date.max
    )
    rows = [ChargeRow(0, 0, cast(Any, charge))]
    assert rows_of("journal", Routes(("elsewhere",), (everything,)), rows, lambda _: ()) == rows
    charged = (booked(row.charge, row.offset, "journal", 0) for row in rows)
    periods = periods_of(charged, PostingPeriods(()), {})
    list(Journal(cast(Any, None))._offered(rows, periods))
    assert charge.asked == set(DECLARED["erp"].reads["billing.ready"])


def test_the_projection_reads_what_is_declared() -> None:
    assert set(CHARGE_COLUMNS) == {field.name for field in codec.shape("billing.ready").fields}
    assert DECLARED["billing"].reads["billing.ready"] == WHOLE


@pytest.mark.parametrize("topic", DECLARED["lifecycle"].reads)
def test_the_lifecycle_reads_what_is_declared(topic: str) -> None:
    record = watched(topic)

    class Rows:
        def load(self, keys: Iterator[bytes]) -> None:
            list(keys)

        def get(self, key: bytes) -> bytes | None:
            return None

    histories = ChargeHistories(cast(Any, Rows()), Tally())
    histories.apply([ChargeEvent(topic, record, 0)])
    assert record.asked == set(DECLARED["lifecycle"].reads[topic])


@pytest.mark.parametrize("topic", METRICS_INPUTS)
def test_the_metrics_worker_reads_what_is_declared(topic: str) -> None:
    record = watched(topic)
    overview = Overview(State(MemoryRows()), Tally())
    overview.load([(topic, record)])
    overview.take(topic, record, 0)
    assert record.asked == set(DECLARED["metrics"].reads[topic])


@pytest.mark.parametrize("topic", SETTLE_INPUTS)
def test_settle_takes_every_field_of_a_fact(topic: str) -> None:
    taken = {field.name for field in fields(FACT_TYPES[topic])} - {"origin"}
    assert taken == {field.name for field in codec.shape(topic).fields}
    assert DECLARED["settle"].reads[topic] == WHOLE


@pytest.mark.parametrize("topic", sorted(set(MASTERS) & MASTER_TYPES.keys()))
def test_masters_are_taken_whole(topic: str) -> None:
    assert {field.name for field in fields(MASTER_TYPES[topic])} == {field.name for field in codec.shape(topic).fields}
    assert DECLARED["masters"].reads[topic] == DECLARED["settle"].reads[topic] == WHOLE


def test_every_worker_is_declared() -> None:
    assert {*AGENTS, *FOR_THE_CONSOLE} <= DECLARED.keys()
    assert set(events.TOPICS) == DECLARED["warehouse"].reads.keys()


def test_every_topic_is_known_to_somebody() -> None:
    known = {topic for process in PROCESSES for topic in (*process.reads, *process.writes, *process.passes)}
    assert known == set(TOPICS)


def test_the_catalogue_document_is_current() -> None:
    assert DOCUMENT.read_text("utf-8") == document(read_contracts(), processes()), (
        "run `hourstream schemas catalogue --write`"
    )
