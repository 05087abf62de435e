"""Commands typed beside a running stack use it, and leave it running."""

from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from devstack.errors import StackError
from devstack.stack import Stack
from settings import Settings


def test_a_second_process_joins_the_running_stack_and_leaves_it_running(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path, broker=None, postgres_url=None)
    with Stack.start(settings) as running:
        with Stack.start(settings, join=True) as joined:
            assert (joined.broker, joined.postgres_url) == (running.broker, running.postgres_url)
        assert AdminClient({"bootstrap.servers": running.broker}).list_topics(timeout=10).brokers
        with psycopg.connect(running.postgres_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(StackError, match="already runs"):
            Stack.start(settings)
