"""What becomes of a partition's state when the broker forgets: deletions, a topic, a transactional id."""

import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streaming.batch import Batch, Output
from streaming.changelog import ChangelogReplaced
from streaming.reader import reader_config
from streaming.state import State
from streaming.transactions import TransactionalCommitter
from tests.faults.faust_holes.subjects import PATIENCE, read

Rows = Mapping[bytes, bytes | None]
EAGER_COMPACTION = {
    "cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.0",
    "max.compaction.lag.ms": "100", "delete.retention.ms": "100",
}  # fmt: skip


class App:
    """One partition of an app whose batches hold what a test wants written."""

    def __init__(self, broker: str, **config: str) -> None:
        self.broker, self.name, self.reached = broker, f"limits-{secrets.token_hex(3)}", 0
        self.source, self.output, self.changelog = (f"{self.name}.{end}" for end in ("in", "out", "log"))
        self.admin = AdminClient({"bootstrap.servers": broker})
        self.make(self.source)
        self.make(self.output)
        self.make(self.changelog, **(config or {"cleanup.policy": "compact"}))

    def make(self, topic: str, **config: str) -> None:
        self.admin.create_topics([NewTopic(topic, 1, 1, config=config)])[topic].result(30)

    def open(self, home: Path) -> TransactionalCommitter:
        self.rows: Rows = {}
        committer = TransactionalCommitter(
            self.name, 0, (self.source,), broker=self.broker, changelog=self.changelog, state_dir=home,
            decide=lambda: self._decide,
        )  # fmt: skip
        committer.fence()
        committer.open()
        return committer

    def _decide(self, batch: Batch, state: State) -> list[Output]:
        for key, value in self.rows.items():
            if value is None:
                state.delete(key)
            else:
                state.put(key, value)
        return [Output(self.output, None, b"%d" % batch.ends[self.source])]

    def commit(self, committer: TransactionalCommitter, rows: Rows) -> None:
        """The next batch."""
        self.rows, start = rows, committer.positions[self.source] or 0
        committer.process(Batch(0, 0, {self.source: start}, {self.source: start + 1}, []))


def rows_of(committer: TransactionalCommitter) -> dict[bytes, bytes]:
    """The rows that a rule wrote."""
    return {key: value for key, value in committer.store.scan(b"") if key[:1] != b"\0"}


@pytest.fixture
def app(forgetful: str) -> App:
    return App(forgetful)


def test_a_deleted_row_stays_deleted_when_state_is_restored_from_nothing(app: App, tmp_path: Path) -> None:
    first = app.open(tmp_path / "first")
    app.commit(first, {b"a": b"1", b"b": b"2"})
    app.commit(first, {b"a": None})
    first.close()
    second = app.open(tmp_path / "second")
    assert rows_of(second) == {b"b": b"2"}
    assert second.positions == {app.source: 2}
    second.close()


def test_a_store_that_missed_a_deletion_is_restored_from_the_beginning(forgetful: str, tmp_path: Path) -> None:
    """The deletion's record is gone from the changelog before the old store comes back."""
    app = App(forgetful, **EAGER_COMPACTION)
    present = app.open(tmp_path / "present")
    app.commit(present, {b"a": b"1", b"b": b"2"})
    present.close()
    shutil.copytree(tmp_path / "present", tmp_path / "away")

    present = app.open(tmp_path / "present")
    app.commit(present, {b"a": None})
    deadline, number = time.monotonic() + PATIENCE, 0
    while b"a" in keys_of(app):
        assert time.monotonic() < deadline, "the broker does not forget the deletion"
        time.sleep(0.2)
        number += 1
        app.commit(present, {b"c": b"%d" % number})  # a new record ends a segment, and only ended ones are compacted
    present.close()

    back = app.open(tmp_path / "away")
    assert rows_of(back) == {b"b": b"2", b"c": b"%d" % number}
    back.close()


def keys_of(app: App) -> set[bytes]:
    """Every key that the changelog still tells of, deletions included."""
    consumer, keys = Consumer(reader_config(app.broker, "limits-read")), set()
    consumer.assign([TopicPartition(app.changelog, 0, 0)])
    while (message := consumer.poll(20)) is not None and message.error() is None:  # a deletion is false to Python
        keys.add(message.key())
    assert message is not None
    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
    consumer.close()
    return keys


@pytest.mark.parametrize("records", [0, 100], ids=["shorter", "longer"])
def test_a_changelog_made_anew_is_refused(app: App, tmp_path: Path, records: int) -> None:
    one = app.open(tmp_path)
    app.commit(one, {b"a": b"1"})
    one.close()
    app.admin.delete_topics([app.changelog])[app.changelog].result(30)
    time.sleep(0.5)
    app.make(app.changelog, **{"cleanup.policy": "compact"})
    producer = Producer({"bootstrap.servers": app.broker})
    for number in range(records):
        producer.produce(app.changelog, b"0", b"%d" % number)
    assert producer.flush(30) == 0
    with pytest.raises(ChangelogReplaced, match="made anew"):
        app.open(tmp_path)


def test_a_partition_idle_until_its_transactional_id_expires_loses_nothing(app: App, tmp_path: Path) -> None:
    """The first commit after a week of silence may fail and so end the process; its next life makes up for it."""
    idle = app.open(tmp_path)
    app.commit(idle, {b"a": b"1"})
    time.sleep(7)
    try:
        app.commit(idle, {b"a": b"2"})
        print("the idle producer went on")
    except KafkaException as refusal:
        print(f"the idle producer was refused: {refusal}")
        idle.close()
        idle = app.open(tmp_path)
        assert idle.positions == {app.source: 1}
        app.commit(idle, {b"a": b"2"})
    app.commit(idle, {b"a": b"3"})
    assert rows_of(idle) == {b"a": b"3"}
    assert read(app.broker, app.output) == [b"1", b"2", b"3"]
    idle.close()
