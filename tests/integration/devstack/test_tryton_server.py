"""The embedded Tryton: its start, what it keeps, and what becomes of a server that a killed run left behind."""

from pathlib import Path

import httpx2 as httpx
import psutil
import pytest

from devstack.stack import Stack
from devstack.tryton import TrytonServer
from tests.tryton_server import BOOKS, asked, client, needed


def test_a_start_ends_what_was_left_behind_and_keeps_its_database(stack: Stack, tmp_path: Path) -> None:
    needed()
    first = TrytonServer.start(tmp_path / "tryton", stack.settings, stack.postgres_url, BOOKS, database="tryton_again")
    left = psutil.Process(first.pid)
    client(first).create("party.party", {"name": "Kept"})
    with TrytonServer.start(
        tmp_path / "tryton", stack.settings, stack.postgres_url, BOOKS, database="tryton_again"
    ) as second:
        assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
        assert asked(second, "SELECT count(*) FROM party_party WHERE name = 'Kept'") == [(1,)]
        url = second.url
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    first.stop()
