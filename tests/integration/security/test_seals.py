"""A byte altered of a charge on the broker's disk or in the database, or of a person's act: all found and named."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka.record.util import calc_crc32c
from click.testing import CliRunner
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from assurance.hash_chain import SEALS
from assurance.seal_heads import FileCopy
from assurance.seal_topic import read_seals
from assurance.seal_verify import verify
from assurance.sealed_tables import SEALED_TABLES, rows_from
from assurance.sealer import Sealer
from assurance.table_vs_topic import differing
from cli.main import main
from cli.seal import sealing
from devstack.kafka import Kafka
from invoicing.charge_projection import Projection
from schemas.codec import encode
from schemas.json_codec import from_json
from settings import Settings
from sinks.committer import Announcer
from storage.charge_batch import ChargeRow, SinkBatch
from storage.postgres import Pool, transaction
from streaming.batch import Output
from streaming.topic_reader import read_all
from streaming.transactions import producer_config
from tests.contract.sinks.delivering import await_that
from tests.contract.sinks.sink_charges import charge, fresh_pool
from topics.catalogue import CHARGES_TOPIC, TOPICS, spread_over
from topics.create import create_topics

KEY = b"kept elsewhere"
DECISIONS = "exception.decisions"
ONLY_CHARGES = (CHARGES_TOPIC,)
NOT_USED = ("invoices", "journal_postings", "api_tokens", "revenue_plans", "revenue_runs", "accounting_periods")
DECISION = {
    "decision_id": "d1",
    "engagement_id": "E-1",
    "subject": "time:1",
    "subject_revision": 1,
    "decision": "waive",
    "reason": "agreed",
    "by": "ann",
    "source": "console",
    "revision": 1,
    "occurred_at": "2025-03-01T00:00:00.000Z",
}
CHARGES = [charge(f"t{n}", f"{100 + n}.00") for n in range(6)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The broker's folder."""
    return tmp_path_factory.mktemp("sealed")


@pytest.fixture(scope="module")
def kafka(home: Path) -> Iterator[Kafka]:
    """A broker of its own, whose files are altered while it is stopped."""
    running = Kafka(home, Settings.load(home=home), lambda _: None, None)
    running.start()
    try:
        topics = spread_over(1)
        admin = AdminClient({"bootstrap.servers": running.broker, "log_level": 0})
        create_topics(admin, [topics[CHARGES_TOPIC], topics[DECISIONS], TOPICS[SEALS]], 1)
        publish(running.broker, CHARGES)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def heads(home: Path) -> Path:
    """The file of heads."""
    return home / "seals" / "heads"


def publish(broker: str, charges: list[Any]) -> None:
    """In one transaction, as settle does, and uncompressed, so that a test can alter a byte of it."""
    config = producer_config(broker) | {"compression.type": "none", "transactional.id": "test"}
    producer = Producer(config)
    producer.init_transactions(30)
    producer.begin_transaction()
    for each in charges:
        producer.produce(CHARGES_TOPIC, encode(CHARGES_TOPIC, each), each["engagement_id"].encode())
    producer.commit_transaction(30)


def test_a_second_sealer_takes_over_from_the_first(kafka: Kafka, heads: Path) -> None:
    first = Producer(producer_config(kafka.broker) | {"transactional.id": "hourstream-seal-0"})
    first.init_transactions(30)
    assert Sealer(kafka.broker, KEY, [FileCopy(heads)]).seal() == len(CHARGES)
    first.begin_transaction()
    first.produce(SEALS, b"late", b"late")
    with pytest.raises(KafkaException, match=r"fenced|newer instance"):
        first.commit_transaction(30)
    found = verify(kafka.broker, KEY, [FileCopy(heads)], ONLY_CHARGES)
    assert (found.all_faults, found.all_notices) == ([], [])


@pytest.fixture
def projected(kafka: Kafka, database: str) -> Iterator[Pool]:
    """A database into which the charges were projected."""
    with fresh_pool(database) as pool:
        rows = [
            ChargeRow(record.offset, record.timestamp_ms, each)
            for record, each in zip(read_all(kafka.broker, [CHARGES_TOPIC]), CHARGES, strict=False)
        ]
        Projection(pool).write(SinkBatch(CHARGES_TOPIC, 0, 0, rows[-1].offset + 1, rows))
        yield pool


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("amount", Decimal("102.01")),
        ("derivation", "card RC-1 line 1 (All)"),
        ("po_number", "PO-1"),
        ("components", json.dumps([])),
        ("decided_at", "2025-03-15 00:00:00.001+00"),
    ],
)
def test_a_row_altered_in_the_database_is_found(kafka: Kafka, projected: Pool, column: str, value: object) -> None:
    assert list(differing(projected, kafka.broker)) == []
    with transaction(projected) as cursor:
        cursor.execute(
            f"UPDATE hourstream.charges SET {column} = %s WHERE charge_id = %s",  # noqa: S608 - names of this test
            (value, CHARGES[2]["charge_id"]),
        )
    [told] = differing(projected, kafka.broker)
    assert told == f"hourstream.charges {CHARGES[2]['charge_id']} is not what billing.ready[0]@2 says: {column}"


def test_a_row_taken_out_or_put_in_is_found(kafka: Kafka, projected: Pool) -> None:
    first, last = CHARGES[0]["charge_id"], CHARGES[5]["charge_id"]
    with transaction(projected) as cursor:
        cursor.execute("DELETE FROM hourstream.charges WHERE charge_id = ANY(%s)", ([first, last],))
        cursor.execute(
            "UPDATE hourstream.charges SET record_offset = 900 WHERE charge_id = %s", (CHARGES[3]["charge_id"],)
        )
    assert sorted(differing(projected, kafka.broker)) == sorted(
        [
            f"hourstream.charges has lost {first} of billing.ready[0]@0",
            f"hourstream.charges has lost {last} of billing.ready[0]@5",
            f"hourstream.charges {CHARGES[3]['charge_id']} comes from no record of billing.ready[0]",
        ]
    )


ACT = (
    "INSERT INTO hourstream.acts (name, via, act, subject, reason) VALUES (%s, 'console', 'waive', 'time:1', 'agreed')"
)


def test_what_the_tables_owner_does_to_acts_of_people_is_found(
    kafka: Kafka, heads: Path, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "key").chmod(0o600)
    for name, value in {
        "BROKER": kafka.broker,
        "POSTGRES_URL": database,
        "HOME": str(tmp_path / "home"),
        "SEAL_KEY_FILE": str(tmp_path / "key"),
        "SEAL_HEADS_FILE": str(heads),
    }.items():
        monkeypatch.setenv(f"HOURSTREAM_{name}", value)
    decided = from_json(DECISIONS, DECISION)
    Announcer(kafka.broker).publish([Output(DECISIONS, b"E-1", encode(DECISIONS, decided))])
    with fresh_pool(database) as pool:
        with transaction(pool) as cursor:
            for name in ("ann", "bob", "cy", "dee"):
                cursor.execute(ACT, (name,))
            cursor.execute("INSERT INTO hourstream.delivery_replays (by, reason, selection) VALUES ('ann', 'x', '{}')")
        with transaction(pool) as cursor:
            cursor.execute("SELECT nextval(pg_get_serial_sequence('hourstream.acts', 'act_id'))")  # stays free
            cursor.execute(ACT, ("eve",))
        sealed = CliRunner().invoke(main, ["seal"])
        assert sealed.exit_code == 0, sealed.output
        assert (tmp_path / "home" / "run" / "sealed").stat().st_mtime > time.time() - 300
        with sealing(Settings.load(), kafka.broker, pool, 0.2):  # as `hourstream up` does
            with transaction(pool) as cursor:
                cursor.execute(ACT, ("fay",))
            await_that(lambda: sealed_acts(kafka) == 6, lambda: f"{sealed_acts(kafka)} acts are sealed")
        sound = CliRunner().invoke(main, ["verify", "--json"])
        assert sound.exit_code == 0, sound.output
        counts = {each["topic"]: (each["sealed"], each["open"]) for each in json.loads(sound.stdout)["partitions"]}
        assert counts == {
            CHARGES_TOPIC: (len(CHARGES), 0),
            DECISIONS: (1, 0),
            "hourstream.acts": (6, 0),
            "hourstream.delivery_replays": (1, 0),
            **{f"hourstream.{name}": (0, 0) for name in NOT_USED},
        }
        with transaction(pool) as cursor:
            cursor.execute("DROP TRIGGER acts_are_kept ON hourstream.acts")
            cursor.execute("UPDATE hourstream.acts SET reason = 'agreed by Ann' WHERE name = 'bob'")
            cursor.execute("DELETE FROM hourstream.acts WHERE name = 'cy'")
            cursor.execute(
                "INSERT INTO hourstream.acts (act_id, name, via, act, subject, reason)"
                " OVERRIDING SYSTEM VALUE VALUES (5, 'zoe', 'console', 'map', 'x', 'y')"
            )
            cursor.execute("UPDATE hourstream.acts SET at = at + interval '1 microsecond' WHERE name = 'dee'")
            cursor.execute("UPDATE hourstream.delivery_replays SET by = 'bob'")
        found = CliRunner().invoke(main, ["verify", "--json"])
    assert found.exit_code == 1
    assert [fault.partition(" since")[0] for fault in json.loads(found.stdout)["faults"]] == [
        "hourstream.acts[0]@2 was altered",
        "hourstream.acts[0]@3 is gone",
        "hourstream.acts[0]@4 was altered",
        "hourstream.acts[0]@5 was added",
        "hourstream.delivery_replays[0]@1 was altered",
    ]


def sealed_acts(kafka: Kafka) -> int:
    """How many acts have a seal."""
    return read_seals(kafka.broker, KEY).found["hourstream.acts", 0][-1].seal.records


def test_an_act_that_is_still_being_written_is_waited_for(database: str) -> None:
    table = SEALED_TABLES["hourstream.acts"]
    with fresh_pool(database) as pool, psycopg.connect(database) as slow, ThreadPoolExecutor(1) as threads:
        slow.execute(ACT, ("slow",))  # has the first number, and is not committed
        with transaction(pool) as cursor:
            cursor.execute(ACT, ("quick",))
        reading = threads.submit(lambda: [record.offset for record in rows_from(pool, table, 0)])
        with pytest.raises(TimeoutError):
            reading.result(0.5)
        slow.commit()
        assert reading.result(30) == [1, 2]
        assert [record.offset for record in rows_from(pool, table, 2)] == [2]


def alter(log: Path, was: bytes, now: bytes) -> None:
    """Replace bytes in a segment and mend the checksum of their batch, as somebody who knows how would."""
    content = bytearray(log.read_bytes())
    where = content.index(was)
    content[where : where + len(was)] = now
    start = 0
    while not start <= where < (end := start + 12 + int.from_bytes(content[start + 8 : start + 12], "big")):
        start = end
    content[start + 17 : start + 21] = calc_crc32c(bytes(content[start + 21 : end])).to_bytes(4, "big")
    log.write_bytes(content)


def test_a_byte_altered_on_the_brokers_disk_is_found(kafka: Kafka, home: Path, heads: Path) -> None:
    copies = [FileCopy(heads)]
    sealer = Sealer(kafka.broker, KEY, copies)
    sealer.seal()
    assert sealer.seal() == 0
    for name, each in (("later", sealer), ("by another", Sealer(kafka.broker, KEY, copies)), ("and back", sealer)):
        publish(kafka.broker, [charge(name)])
        assert each.seal() == 1
    [sound] = verify(kafka.broker, KEY, copies, ONLY_CHARGES).chains
    assert (sound.sealed, sound.open, sound.faults) == (9, 0, ())
    publish(kafka.broker, [charge("not sealed")])
    assert [each.open for each in verify(kafka.broker, KEY, copies, ONLY_CHARGES).chains] == [1]

    kafka.stop()
    [log] = (home / "data" / "billing.ready-0").glob("*.log")
    alter(log, b"time:t3", b"time:t9")
    kafka.start()

    records = list(read_all(kafka.broker, [CHARGES_TOPIC]))
    assert b"time:t9" in (records[3].value or b"")  # the broker and its clients notice nothing
    [found] = verify(kafka.broker, KEY, copies, ONLY_CHARGES).chains
    [told] = found.faults
    assert told.startswith(f"billing.ready[0]@{records[3].offset} was altered since it was sealed at ")
    assert found.head == sound.head
