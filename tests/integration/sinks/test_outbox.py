"""The outbox: in order, nothing lost, wherever feeder or sink dies."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection
from psycopg.rows import TupleRow

from sinks.outbox import Outbox, OutboxRow
from storage.postgres import Pool

TOPIC = "erp.postings"


def queue(connection: Connection[TupleRow], *keys: str, topic: str = TOPIC) -> None:
    """Queue a row a key, within the connection's transaction."""
    for key in keys:
        connection.execute("INSERT INTO hourstream.outbox (topic, key, value) VALUES (%s, %s, '{}')", (topic, key))


class Broker:
    """Takes rows as the broker would: at once, or after failing a number of times."""

    def __init__(self, failures: int = 0) -> None:
        self.taken: list[str] = []
        self._failures = failures

    def publish(self, rows: Sequence[OutboxRow]) -> None:
        self.taken += [row.key for row in rows]
        if self._failures:
            self._failures -= 1
            raise ConnectionError("no answer")


def test_rows_go_out_in_order_and_once(pool: Pool) -> None:
    with pool.connection() as connection:
        queue(connection, "a", "b", "c")
    broker, outbox = Broker(), Outbox(pool, TOPIC)
    assert outbox.unsent() == 3
    assert [outbox.feed(broker.publish, limit=2) for _ in range(3)] == [2, 1, 0]
    assert broker.taken == ["a", "b", "c"]
    assert outbox.unsent() == 0


def test_each_topic_has_its_own_rows(pool: Pool) -> None:
    with pool.connection() as connection:
        queue(connection, "a")
        queue(connection, "b", topic="invoice.status")
    broker = Broker()
    assert Outbox(pool, "invoice.status").drain(broker.publish) == 1
    assert broker.taken == ["b"]
    assert Outbox(pool, TOPIC).unsent() == 1


def test_without_the_brokers_answer_rows_stay_and_are_repeated_in_order(pool: Pool) -> None:
    with pool.connection() as connection:
        queue(connection, "a", "b")
    broker, outbox = Broker(failures=1), Outbox(pool, TOPIC)
    with pytest.raises(ConnectionError):
        outbox.feed(broker.publish)
    assert outbox.unsent() == 2
    assert outbox.drain(broker.publish) == 2
    assert broker.taken == ["a", "b", "a", "b"]


def test_one_process_feeds_at_a_time(pool: Pool) -> None:
    with pool.connection() as connection:
        queue(connection, "a")
    broker, other = Broker(), Broker()

    def publish(rows: Sequence[OutboxRow]) -> None:
        assert Outbox(pool, TOPIC).feed(other.publish) == 0
        broker.publish(rows)

    assert Outbox(pool, TOPIC).feed(publish) == 1
    assert (broker.taken, other.taken) == (["a"], [])


def test_a_row_committed_after_later_ones_were_sent_is_not_lost(pool: Pool) -> None:
    broker, outbox = Broker(), Outbox(pool, TOPIC)
    with pool.connection() as slow:
        queue(slow, "slow")
        with pool.connection() as quick:
            queue(quick, "quick")
        outbox.drain(broker.publish)
    outbox.drain(broker.publish)
    assert broker.taken == ["quick", "slow"]


def test_pruning_takes_only_what_was_sent(pool: Pool) -> None:
    outbox = Outbox(pool, TOPIC)
    with pool.connection() as connection:
        queue(connection, "a", "b")
    outbox.feed(Broker().publish, limit=1)
    assert outbox.prune(datetime.now(UTC) - timedelta(days=1)) == 0
    assert outbox.prune(datetime.now(UTC) + timedelta(days=1)) == 1
    assert outbox.unsent() == 1
