"""State that Faust 0.15.3 does not get back, drops by the clock, or keeps where and as large as nobody asked for."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faust
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from faust.assignor.client_assignment import ClientAssignment
from faust.assignor.partition_assignor import PartitionAssignor
from faust.stores.rocksdb import RocksDBOptions

from devstack.stack import Stack
from streaming.batch import Record
from streaming.state import MemoryRows, State
from streaming.store import Store
from streaming.topic_follower import TopicTableReader
from tables.windows import Tally, windows
from tests.faults.faust_holes.conftest import held_by, scenario
from tests.faults.faust_holes.subjects import Subject

OLD = 1_420_070_400  # 2015-01-01, epoch seconds: history, read again today
MINUTE = 60
PARTITIONS = 4


@scenario(
    "table_recovery",
    "recovery waits for the record at the last offset; where a transaction wrote it, that is a marker: for ever",
)
def test_a_table_is_recovered_from_a_changelog_written_in_transactions(app: Subject) -> None:
    """GlobalTable's own docstring warns of an endless recovery with several instances; one is enough for this one."""
    app.topics({f"{app.name}-totals-changelog": 1})
    for changelog in (app.changelog, f"{app.name}-totals-changelog"):
        producer = Producer({"bootstrap.servers": app.broker, "transactional.id": changelog})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(changelog, b"1", b'"a"')
        producer.commit_transaction(30)
    app.publish(b"0")
    app.start()
    app.until(lambda: bool(app.outputs()), seconds=16)
    assert app.outputs() == [b"0"]


@held_by("the assignor asks for the changelog by the name Faust would have given it: KeyError", raises=KeyError)
def test_every_worker_reads_the_topic_that_was_named(stack: Stack, tmp_path: Path, kind: str) -> None:
    if kind == "stock":
        app = stock_app(tmp_path)
        app.GlobalTable("masters", partitions=1, changelog_topic=app.topic("masters.named", partitions=1))
        worker = ClientAssignment(actives={}, standbys={})
        PartitionAssignor(app)._global_table_standby_assignments({"worker": worker}, {"masters.named": 1})
        read = worker.actives["masters.named"] == [0]
    else:
        read = follows(stack.broker, "masters.named")
    assert read


def follows(broker: str, topic: str) -> bool:
    """Whether the plane's follower reads a topic whole, whose end is a transaction's marker."""
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": broker, "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"1", b"a")
    producer.commit_transaction(30)
    seen: list[Record] = []
    follower = TopicTableReader(broker, topic, lambda records, end: seen.extend(records))
    follower.start()
    follower.wait(20)
    follower.stop()
    return [record.key for record in seen] == [b"a"]


@held_by("what a window keeps is measured by the wall clock, so history that is read again has expired on arrival")
def test_history_that_is_read_again_keeps_its_windows(tmp_path: Path, kind: str) -> None:
    kept = stock_window if kind == "stock" else plane_window
    assert kept(tmp_path, OLD, restart=False, later=0)


@held_by("when windows end is known in memory only, so those from before a restart are never closed")
def test_windows_from_before_a_restart_are_closed(tmp_path: Path, kind: str) -> None:
    now = int(time.time())
    kept = stock_window if kind == "stock" else plane_window
    if kept(tmp_path, now - 86_400, restart=False, later=86_400):
        pytest.fail("it is not closed without a restart either")
    assert not kept(tmp_path, now - 86_400, restart=True, later=86_400)


def stock_window(home: Path, at: int, *, restart: bool, later: int) -> bool:
    """Whether a figure of the minute `at` is still there after Faust's clean-up."""

    def table(name: str) -> faust.Table:
        return stock_app(home, store="memory://").Table(name, default=int).tumbling(MINUTE, expires=300).table

    window, key = table("windows"), ("charged", (float(at), float(at + MINUTE)))
    window.data[key] = 1
    window._maybe_set_key_ttl(key, 0)
    if restart:  # what recovery brings back is the rows
        rows, window = dict(window.data), table("windows")
        window.data.update(rows)
    asyncio.get_event_loop().run_until_complete(window._del_old_keys())
    return key in window.data


def plane_window(home: Path, at: int, *, restart: bool, later: int) -> bool:
    """The same of the project's windows, when another record comes `later` seconds after that minute."""
    rows = MemoryRows()
    for moment in [at, at + later]:
        tally = Tally()
        tally.count("charged", moment * 1000)
        state = State(rows)
        tally.write(state)
        rows.commit(state)
        if restart:
            rows = MemoryRows(rows)
    return bool(windows(rows.items(), at * 1000)[1, "charged"])


@held_by("the address `memory://` is false to Python, so a table that asks for it gets the app's RocksDB")
def test_what_is_asked_to_be_in_memory_is_on_no_disk(tmp_path: Path, kind: str) -> None:
    if kind == "stock":
        assert stock_app(tmp_path, store="rocksdb://").Table("scratch", store="memory://").data is not None
    else:
        state = State(MemoryRows())
        state.put(b"scratch", b"1")
    assert not list(tmp_path.rglob("*scratch*"))


@held_by("every partition of every table has a block cache of its own, of 2 GiB")
def test_many_partitions_share_one_small_block_cache(tmp_path: Path, kind: str) -> None:
    """What all block caches of a worker may grow to, were each partition's its own."""
    opened: Callable[[Path], int] = stock_cache if kind == "stock" else plane_cache
    assert sum(opened(tmp_path / str(number)) for number in range(PARTITIONS)) <= 512 << 20


def stock_cache(path: Path) -> int:
    """Bytes of one partition's block cache."""
    database = RocksDBOptions().open(path)
    size = int(database.property_int_value("rocksdb.block-cache-capacity"))
    database.close()
    return size


def plane_cache(path: Path) -> int:
    """Bytes of the block cache that one partition uses, together with all others."""
    store = Store(path)
    size = int(store._db.property_int_value("rocksdb.block-cache-capacity"))
    store.close()
    return size


def stock_app(home: Path, store: str = "memory://") -> faust.App:
    """An app that is never started."""
    return faust.App("never-started", broker="kafka://127.0.0.1:1", store=store, datadir=str(home))


@pytest.fixture(autouse=True)
def _a_loop() -> Iterator[None]:
    """Faust's apps ask for the thread's event loop when they are made."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
