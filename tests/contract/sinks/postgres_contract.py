"""What every sink with a database of its own must do besides, when the server fails in the middle."""

from abc import abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from common.errors import Unreachable
from sinks.contract import Sink
from storage.postgres import Pool, open_pool
from tests.contract.sinks.sink_charges import batch, charge
from tests.contract.sinks.sink_contract import Ledger, SinkContract
from topics.catalogue import CHARGES_TOPIC


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
            assert sink.write(offered).count(self.taken) == 50

    def test_a_server_that_is_gone_is_unreachable_and_not_well(self, database: str) -> None:
        with open_pool(database, timeout_seconds=0.5) as pool:
            pool.close()
            gone = type(self).build(pool)
            with pytest.raises(Unreachable):
                gone.write(batch(0, [charge("a")]))
            assert not gone.health().ok

    @staticmethod
    @abstractmethod
    def build(pool: Pool) -> Sink:
        """The sink under test."""

    @pytest.fixture
    def sink(self, pool: Pool) -> Sink:
        self.pool = pool
        return type(self).build(pool)


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
