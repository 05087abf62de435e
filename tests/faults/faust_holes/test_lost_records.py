"""Records that Faust 0.15.3 loses or doubles by itself, with no fault but the one named; and that the plane does not.

The stock cases are strict: should a later Faust close a hole, its test says so.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from common.exit_codes import EXIT_CRASHED
from devstack.kafka import Kafka
from devstack.stack import Stack
from tests.faults.faust_holes.conftest import held_by, scenario
from tests.faults.faust_holes.subjects import END, Subject, firsts


@scenario("raises", "an event is acknowledged in `finally`, so one whose agent raised is never seen again")
def test_a_record_whose_agent_raises_is_not_lost(app: Subject) -> None:
    app.topics()
    app.publish(b"0", b"1", b"2", b"3")
    app.start()
    assert sorted([*app.finish(), *app.set_aside()]) == [b"0", b"1", b"2", b"3", END]


@scenario("refused", "a send that the broker refuses is a line in the log, and the offset is committed")
def test_a_record_whose_output_is_refused_is_not_lost(app: Subject) -> None:
    app.topics(max_message_bytes="1000")
    app.publish(b"0", b"1", b"2")
    app.start()
    app.wait(lambda: app.committed() >= 3 or bool(app.endings), "it neither went on nor ended")
    larger = ConfigEntry("max.message.bytes", "10000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, app.output, incremental_configs=[larger])
    app.admin.incremental_alter_configs([resource])[resource].result(30)
    assert firsts(app.finish()) | set(app.set_aside()) == {b"0", b"1", b"2", END}


@scenario("told", "`await topic.send()` returns when the record is in the client's buffer, not when the broker has it")
def test_what_is_said_to_be_published_is_at_the_broker(app: Subject) -> None:
    app.topics()
    app.publish(b"0")
    app.start(**app.strike("committed"))
    app.process.wait(30)
    assert app.outputs() == [b"0"]


@held_by("`producer.flush()` gives up after 0.1 s without progress, and says nothing")
def test_flush_returns_when_everything_is_at_the_broker(stack: Stack, tmp_path: Path, kind: str) -> None:
    app = Subject(kind, "flush", stack.broker, tmp_path)
    app.topics()
    app.start().said("ready")
    with silent(stack.kafka):
        app.say("go")
        time.sleep(1.0)
    app.process.wait(30)
    app.kill()
    assert len(app.outputs()) == 20


@contextmanager
def silent(kafka: Kafka) -> Iterator[None]:
    """A broker that is there and does not answer."""
    broker = kafka.pid
    if broker is None:
        raise RuntimeError("no broker runs")
    os.kill(broker, SIGSTOP)
    try:
        yield
    finally:
        os.kill(broker, SIGCONT)


@scenario(
    "in_flight",
    "a commit may pass an event in flight: of the acked offsets only a gap of two or more before them is seen",
)
def test_a_commit_does_not_pass_a_record_in_flight(app: Subject) -> None:
    app.topics()
    app.publish(b"0", b"1", b"2")
    app.start()
    app.wait((app.home / "slow").exists, "the first record was not taken")
    app.until(lambda: app.committed() >= 2, seconds=4)
    app.kill()
    app.start()
    assert sorted(app.finish()) == [b"0", b"1", b"2", END]


@scenario(
    "eos_store", "exactly_once writes a table's row to RocksDB at once, long before the transaction that it belongs to"
)
def test_no_record_counts_twice_in_a_table(app: Subject) -> None:
    app.topics()
    app.publish(b"0", b"1", b"2")
    app.start(**app.strike("flushed"))
    app.wait(lambda: (app.home / "total-2").exists(), "nothing was counted")
    app.kill()
    app.start()
    app.publish(END)
    total = app.home / "total-end"
    app.wait(total.exists, "the last record was not counted")
    assert total.read_text() == "4"


@scenario(
    "eos_outputs", "exactly_once sends an output outside every transaction, unless the app reads the output's topic too"
)
def test_no_record_gives_two_outputs(app: Subject) -> None:
    app.topics()
    app.publish(b"0", b"1", b"2")
    app.start(**app.strike("flushed"))
    app.wait(lambda: len(app.outputs()) >= 3 or bool(app.endings), "nothing was published, nothing ended")
    app.kill()
    app.start()
    assert sorted(app.finish()) == [b"0", b"1", b"2", END]


@scenario(
    "eos_partition",
    "exactly_once puts an output into the transaction of the partition it goes to, its offset into another one",
)
def test_an_output_is_committed_with_the_offset_it_came_of(app: Subject) -> None:
    app.topics(partitions=2)
    app.publish(b"0", b"1", b"2")
    app.start()
    app.wait(lambda: app.committed() >= 3, "nothing was committed")
    assert sorted(app.outputs()) == [b"0", b"1", b"2"]


@scenario(
    "eos_fence", "exactly_once fences a transactional id, and what a replaced worker still sends is in no transaction"
)
def test_a_replaced_worker_can_publish_nothing(app: Subject) -> None:
    app.topics()
    app.publish(b"0", b"1", b"2")
    app.start(**app.strike("flushed", SIGSTOP))
    app.wait(app.frozen, "it did not come to the moment at which it is replaced")
    rival = app.rival()
    try:
        rival.start(HOURSTREAM_FAULTS="")
        rival.finish()
    finally:
        rival.kill()
    os.kill(app.process.pid, SIGCONT)
    app.until(lambda: len(app.outputs()) > 4 or bool(app.endings), seconds=10)
    assert sorted(app.outputs()) == [b"0", b"1", b"2", END]


@scenario("retention", "a position that retention deleted is replaced by the next one there is, without a word")
def test_records_deleted_unread_do_not_pass_in_silence(app: Subject) -> None:
    app.topics()
    app.publish(b"0")
    app.start()
    app.wait(lambda: app.committed() >= 1, "nothing was committed")
    app.kill()
    app.publish(b"1", b"2", b"3")
    gone = TopicPartition(app.source, 0, 3)
    app.admin.delete_records([gone])[gone].result(30)
    app.start()
    app.wait(lambda: b"3" in app.outputs() or bool(app.endings), "it neither went on nor ended")
    assert EXIT_CRASHED in app.endings


@scenario(
    "unequal", "topics of different partition counts are read side by side, each key's records by different workers"
)
def test_topics_of_unequal_partition_counts_are_refused(app: Subject) -> None:
    app.topics({f"{app.name}.in2": 2})
    app.publish(b"0")
    app.start()
    app.wait(lambda: bool(app.outputs()) or bool(app.endings), "it neither worked nor ended")
    assert app.endings
    assert not app.outputs()


@scenario("poll", "while its agent is busy nobody asks aiokafka for records, and it leaves the group in silence")
def test_a_busy_worker_stays_in_its_group(app: Subject) -> None:
    app.topics()
    app.publish(*(b"%d" % n for n in range(10)))
    app.start()
    app.wait(lambda: app.members() == 1, "it did not join")
    app.until(lambda: app.members() == 0, seconds=5)
    assert not app.endings
    assert app.members() == 1


@scenario("table", "the web server shows every table's rows to whoever asks, unless told otherwise")
def test_state_is_not_served(app: Subject) -> None:
    app.topics()
    app.publish(b"0")
    app.start()
    app.wait(lambda: b"0" in app.outputs() and app.page("/") is not None, "it does not work")
    assert app.page("/table/") != 200
