"""Every sink against the one contract, and those of PostgreSQL against a server that fails in the middle."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from sinks.billing.projection import Projection
from sinks.contract import CHARGES_TOPIC, Sink, SinkBatch, Unreachable
from sinks.database import Pool, open_pool
from sinks.erp.journal import Journal
from sinks.memory import MemorySink
from tests.contract.sinks.sink_charges import batch, charge
from tests.contract.sinks.sink_contract import Ledger, SinkContract


class TestMemory(SinkContract):
    """The sink in memory."""

    @pytest.fixture
    def sink(self) -> Sink:
        return MemorySink()

    def ledger(self, sink: Sink) -> Ledger:
        assert isinstance(sink, MemorySink)
        return {key: (each["amount"], each["worked_minutes"]) for key, each in sink.posted.items()}


class PostgresContract(SinkContract):
    """A sink with a database of its own: besides, nothing is left of a batch that the server broke off."""

    pool: Pool
    table: LiteralString
    written_last: LiteralString

    def ledger(self, sink: Sink) -> Ledger:
        query = sql.SQL("SELECT charge_id, amount, worked_minutes FROM {}").format(
            sql.Identifier("hourstream", self.table)
        )
        with self.pool.connection() as connection:
            return {key: (amount, minutes) for key, amount, minutes in connection.execute(query).fetchall()}

    def test_nothing_is_left_of_a_batch_broken_off_between_rows_and_commit(self, sink: Sink) -> None:
        sink.write(batch(0, [charge("before")], end=1))
        offered = batch(1, [charge(str(n)) for n in range(50)])
        with ThreadPoolExecutor(1) as threads:
            with _stuck_at(self.pool, self.written_last):
                writing = threads.submit(sink.write, offered)
                _terminate_the_waiting(self.pool)
                with pytest.raises(Unreachable):
                    writing.result(30)
            assert sink.positions(CHARGES_TOPIC, 0) == 1
            assert list(self.ledger(sink)) == [charge("before")["charge_id"]]
            assert sink.write(offered).count("posted") == 50

    def test_a_server_that_is_gone_is_unreachable_and_not_well(self, database: str) -> None:
        with open_pool(database, timeout_seconds=0.5) as pool:
            pool.close()
            gone = type(self).build(pool)
            with pytest.raises(Unreachable):
                gone.write(batch(0, [charge("a")]))
            assert not gone.health().ok

    @staticmethod
    def build(pool: Pool) -> Sink:
        """The sink under test."""
        raise NotImplementedError

    @pytest.fixture
    def sink(self, pool: Pool) -> Sink:
        self.pool = pool
        return type(self).build(pool)


class TestJournal(PostgresContract):
    """The ERP journal."""

    table = "journal_postings"
    written_last = "outbox"
    build = staticmethod(Journal)


class TestProjection(PostgresContract):
    """The projection that invoices read."""

    table = "charges"
    written_last = "charges"
    build = staticmethod(Projection)


@contextmanager
def _stuck_at(pool: Pool, table: LiteralString) -> Iterator[None]:
    """Nobody else gets to write that table meanwhile."""
    with pool.connection() as connection, connection.transaction():
        connection.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(sql.Identifier("hourstream", table)))
        yield


def _terminate_the_waiting(pool: Pool) -> None:
    """End the server process that waits for a table lock, once there is one."""
    with psycopg.connect(pool.conninfo, autocommit=True) as connection:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'relation'"
        )
        while not connection.execute(query).fetchall():
            connection.execute("SELECT pg_sleep(0.02)")


def test_a_batch_out_of_order_is_no_batch() -> None:
    rows = batch(0, [charge("a"), charge("b")]).rows
    with pytest.raises(ValueError, match="offset 0 comes after 1"):
        SinkBatch(CHARGES_TOPIC, 0, 0, 5, rows[::-1])
    with pytest.raises(ValueError, match="ends at 1"):
        SinkBatch(CHARGES_TOPIC, 0, 0, 1, rows)
    with pytest.raises(ValueError, match="offset 0 comes after 4"):
        SinkBatch(CHARGES_TOPIC, 0, 5, 9, rows)
