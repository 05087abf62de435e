"""One byte of a stored charge altered on the broker's disk, and one in the database: both are found and named."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiokafka.record.util import calc_crc32c
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from runtime.embedded.kafka import Kafka
from runtime.plane.transactional import producer_config
from runtime.reading import read_all
from runtime.seals import SEALS, seal_all, verify
from runtime.settings import Settings
from schemas.codec import encode
from sinks.billing.projection import Projection
from sinks.contract import CHARGES_TOPIC, ChargeRow, SinkBatch
from sinks.database import Pool, transaction
from sinks.stored import differing
from tests.contract.sinks.sink_charges import charge, fresh_pool
from topics.catalogue import TOPICS, spread_over
from topics.create import create_topics

KEY = b"kept elsewhere"
CHARGES = [charge(f"t{n}", f"{100 + n}.00") for n in range(6)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The broker's folder."""
    return tmp_path_factory.mktemp("sealed")


@pytest.fixture(scope="module")
def kafka(home: Path) -> Iterator[Kafka]:
    """A broker of its own, whose files are altered while it is stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
        running = Kafka(home, Settings.load(home=home), lambda _: None, None)
        running.start()
        try:
            topics = spread_over(1)
            admin = AdminClient({"bootstrap.servers": running.broker, "log_level": 0})
            create_topics(admin, [topics[CHARGES_TOPIC], TOPICS[SEALS]], 1)
            publish(running.broker, CHARGES)
            yield running
        finally:
            running.stop()


def publish(broker: str, charges: list[Any]) -> None:
    """In one transaction, as settle does, and uncompressed, so that a test can alter a byte of it."""
    config = producer_config(broker) | {"compression.type": "none", "transactional.id": "test"}
    producer = Producer(config)
    producer.init_transactions(30)
    producer.begin_transaction()
    for each in charges:
        producer.produce(CHARGES_TOPIC, encode(CHARGES_TOPIC, each), each["engagement_id"].encode())
    producer.commit_transaction(30)


def test_a_second_sealer_takes_over_from_the_first(kafka: Kafka) -> None:
    first = Producer(producer_config(kafka.broker) | {"transactional.id": "hourstream-seal-0"})
    first.init_transactions(30)
    assert seal_all(kafka.broker, KEY) == len(CHARGES)
    first.begin_transaction()
    first.produce(SEALS, b"late", b"late")
    with pytest.raises(KafkaException, match=r"fenced|newer instance"):
        first.commit_transaction(30)
    assert [each.faults for each in verify(kafka.broker, KEY)] == [()]


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


def test_a_byte_altered_on_the_brokers_disk_is_found(kafka: Kafka, home: Path) -> None:
    seal_all(kafka.broker, KEY)
    assert seal_all(kafka.broker, KEY) == 0
    publish(kafka.broker, [charge("later")])
    assert seal_all(kafka.broker, KEY) == 1
    [sound] = verify(kafka.broker, KEY)
    assert (sound.sealed, sound.open, sound.faults) == (7, 0, ())
    publish(kafka.broker, [charge("not sealed")])
    assert [each.open for each in verify(kafka.broker, KEY)] == [1]

    kafka.stop()
    [log] = (home / "data" / "billing.ready-0").glob("*.log")
    alter(log, b"time:t3", b"time:t9")
    kafka.start()

    records = list(read_all(kafka.broker, [CHARGES_TOPIC]))
    assert b"time:t9" in (records[3].value or b"")  # the broker and its clients notice nothing
    [found] = verify(kafka.broker, KEY)
    [told] = found.faults
    assert told.startswith(f"billing.ready[0]@{records[3].offset} was altered since it was sealed at ")
    assert found.head == sound.head
