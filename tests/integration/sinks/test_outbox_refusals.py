"""An outbox row that its topic does not take is set aside; what is behind it is announced, through a real Kafka."""

import json
import secrets

import pytest
from confluent_kafka.admin import AdminClient

from devstack.stack import Stack
from schemas.codec import decode_for
from sinks.committer import Announcer, OutboxFeeder
from sinks.journal import POSTINGS_TOPIC
from sinks.outbox import Outbox
from storage.postgres import Pool
from streaming.dead_letters import DEAD_LETTERS
from streaming.topic_reader import read_all
from tests.contract.sinks.delivering import await_that
from topics.catalogue import spread_over
from topics.create import create_topics

GOOD = {
    "posting_id": "p", "charge_id": "", "engagement_id": "E-1", "system": "journal", "status": "posted",
    "reference": "JRN-1", "reason": None, "at": "2025-04-01T12:00:00.000Z", "source": "journal", "revision": 1,
    "occurred_at": "2025-04-01T12:00:00.000Z",
}  # fmt: skip


@pytest.fixture
def broker(stack: Stack) -> str:
    topics = spread_over(1)
    wanted = [topics[POSTINGS_TOPIC], topics[DEAD_LETTERS]]
    create_topics(AdminClient({"bootstrap.servers": stack.broker}), wanted, 1)
    return stack.broker


def test_rows_that_no_record_can_be_made_of_are_set_aside(pool: Pool, broker: str) -> None:
    mark = secrets.token_hex(4)
    large = secrets.token_hex(600_000)
    rows = [
        GOOD | {"charge_id": f"{mark}-1"},
        GOOD | {"charge_id": f"{mark}-2", "revision": "one"},
        GOOD | {"charge_id": f"{mark}-3", "reason": large},
        GOOD | {"charge_id": f"{mark}-4"},
    ]
    with pool.connection() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO hourstream.outbox (topic, key, value) VALUES (%s, 'E-1', %s)",
            [(POSTINGS_TOPIC, json.dumps(row)) for row in rows],
        )
    outbox = Outbox(pool, POSTINGS_TOPIC)
    OutboxFeeder(f"feeder-{mark}", outbox, Announcer(broker))
    await_that(lambda: outbox.unsent() == 0, lambda: "the outbox is not emptied")

    announced = [decode_for(POSTINGS_TOPIC, r.value or b"")["charge_id"] for r in read_all(broker, [POSTINGS_TOPIC])]
    assert [each for each in announced if each.startswith(mark)] == [f"{mark}-1", f"{mark}-4"]
    letters = [decode_for(DEAD_LETTERS, record.value or b"") for record in read_all(broker, [DEAD_LETTERS])]
    ours = [letter for letter in letters if letter["stage"] == f"feeder-{mark}"]
    assert len(ours) == 2
    assert all(f"row {letter['offset']} of hourstream.outbox" in letter["error"] for letter in ours)
    assert sorted(letter["topic"] for letter in ours) == [POSTINGS_TOPIC] * 2
