"""Faults of a rule, and sizes that a broker refuses, through a real Kafka: the worker goes on, nothing else is lost."""

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from common.isolation import ISOLATED
from devstack.stack import Stack
from schemas.codec import decode_for
from streaming.batch import Batch, Output, Record
from streaming.dead_letters import DEAD_LETTERS
from streaming.decider import Decide
from streaming.state import State
from streaming.topic_reader import read_all
from streaming.transactions import TransactionalCommitter
from topics.catalogue import TOPICS
from topics.create import create_topics

LARGE = 1_200_000  # bytes; a topic takes 1,048,588 in one record


class App:
    """One partition of an app, with topics of its own."""

    def __init__(self, broker: str, home: Path) -> None:
        self.broker, self.home, self.name = broker, home, f"isolation-{secrets.token_hex(3)}"
        self.output, self.changelog = f"{self.name}.out", f"{self.name}.log"
        admin = AdminClient({"bootstrap.servers": broker})
        wanted = [NewTopic(self.output, 1, 1), NewTopic(self.changelog, 1, 1, config={"cleanup.policy": "compact"})]
        create_topics(admin, [TOPICS[DEAD_LETTERS]], 1)
        for made in admin.create_topics(wanted).values():
            made.result(30)

    def open(self, make: Callable[[], Decide], due: bool = False) -> TransactionalCommitter:
        committer = TransactionalCommitter(
            self.name, 0, (self.name,), broker=self.broker, changelog=self.changelog, state_dir=self.home,
            decide=make, due=lambda _: due,
        )  # fmt: skip
        committer.fence()
        committer.open()
        return committer

    def takes(self, committer: TransactionalCommitter, values: Iterable[bytes]) -> None:
        """The next batch."""
        start = committer.positions[self.name] or 0
        records = [
            Record(self.name, 0, start + n, 1_700_000_000_000, b"key-%d" % (start + n), value, [("h", b"\x00")])
            for n, value in enumerate(values)
        ]
        ends = {self.name: start + len(records)}
        committer.process(Batch(0, 0, {self.name: start}, ends, records))

    def outputs(self) -> list[bytes | None]:
        return [record.value for record in read_all(self.broker, [self.output])]

    def letters(self) -> list[dict[str, object]]:
        decoded = (decode_for(DEAD_LETTERS, r.value or b"") for r in read_all(self.broker, [DEAD_LETTERS]))
        return [letter for letter in decoded if letter["topic"] == self.name]


@pytest.fixture
def app(stack: Stack, tmp_path: Path) -> App:
    return App(stack.broker, tmp_path)


class Echo:
    """Publishes each value and counts it in the state; fails of a marked one, after it has changed everything."""

    def __init__(self, output: str) -> None:
        self.output, self.count = output, None  # type: str, int | None

    def __call__(self, batch: Batch, state: State) -> list[Output]:
        if self.count is None:
            self.count = int(state.get(b"count") or 0)
        outputs = []
        for record in batch.records:
            self.count += 1
            state.put(b"count", b"%d" % self.count)
            outputs.append(Output(self.output, None, record.value))
            if record.value == b"poison":
                raise ZeroDivisionError("a defect of the rule")
        return outputs


def test_a_record_that_a_rule_fails_of_is_set_aside_and_the_rest_committed(app: App) -> None:
    before = ISOLATED.counts()["record"]
    committer = app.open(lambda: Echo(app.output))
    app.takes(committer, [b"a", b"poison", b"b", b"c", b"poison"])
    app.takes(committer, [b"d"])
    assert app.outputs() == [b"a", b"b", b"c", b"d"]
    assert committer.store.get(b"count") == b"4"
    assert committer.positions == {app.name: 6}
    assert ISOLATED.counts()["record"] == before + 2
    assert [(letter["offset"], letter["key"], letter["value"]) for letter in app.letters()] == [
        (1, b"key-1", b"poison"),
        (4, b"key-4", b"poison"),
    ]
    letter = app.letters()[0]
    assert letter["error"] == "ZeroDivisionError: a defect of the rule"
    assert letter["headers"] == [{"key": "h", "value": b"\x00"}]
    committer.close()

    again = app.open(lambda: Echo(app.output))  # the next life begins behind the bad records
    assert again.positions == {app.name: 6}
    again.close()


def test_an_output_that_the_broker_refuses_for_its_size_is_set_aside(app: App) -> None:
    def decide(batch: Batch, state: State) -> list[Output]:
        outputs = []
        for record in batch.records:
            state.put(b"last", record.value or b"")
            size = LARGE if record.value == b"large" else 10
            outputs.append(Output(app.output, None, (record.value or b"") + secrets.token_bytes(size)))
        return outputs

    committer = app.open(lambda: decide)
    app.takes(committer, [b"a", b"large", b"b", b"large"])
    app.takes(committer, [b"c"])
    assert [value[:1] for value in app.outputs() if value] == [b"a", b"b", b"c"]
    assert [letter["offset"] for letter in app.letters()] == [1, 3]
    assert all("TooLarge" in str(letter["error"]) for letter in app.letters())
    assert committer.store.get(b"last") == b"c"
    committer.close()


def test_a_row_of_the_state_that_grows_beyond_a_record_is_kept_in_parts(app: App) -> None:
    def decide(batch: Batch, state: State) -> list[Output]:
        for record in batch.records:
            state.put(b"row", (state.get(b"row") or b"") + (record.value or b""))
        return []

    committer = app.open(lambda: decide)
    parts = [secrets.token_bytes(100_000) for _ in range(30)]
    app.takes(committer, parts)
    assert State(committer.store).get(b"row") == b"".join(parts)
    assert app.letters() == []
    committer.close()
    (tmp := app.home / "elsewhere").mkdir()
    app.home = tmp
    restored = app.open(lambda: decide)
    assert State(restored.store).get(b"row") == b"".join(parts)  # the changelog holds the same
    restored.close()


def test_a_large_row_is_no_reason_to_set_anything_aside(app: App) -> None:
    def decide(batch: Batch, state: State) -> list[Output]:
        for record in batch.records:
            state.put(record.value or b"", b"0" * LARGE if record.value == b"even" else secrets.token_bytes(LARGE))
        return []

    committer = app.open(lambda: decide)
    app.takes(committer, [b"even", b"random"])
    state = State(committer.store)
    assert state.get(b"even") == b"0" * LARGE
    assert len(state.get(b"random") or b"") == LARGE
    assert app.letters() == []
    committer.close()


def test_due_work_that_fails_does_not_loop_and_stops_no_record(app: App) -> None:
    def decide(batch: Batch, _state: State) -> list[Output]:
        if batch.due:
            raise KeyError("a defect of the due step")
        return [Output(app.output, None, record.value) for record in batch.records]

    committer = app.open(lambda: decide, due=True)
    assert committer.has_due_work()
    app.takes(committer, [])
    assert not committer.has_due_work()
    app.takes(committer, [b"a", b"b"])
    assert (app.outputs(), app.letters()) == ([b"a", b"b"], [])
    committer.close()
