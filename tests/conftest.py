"""The servers every integration test shares: one Kafka and one PostgreSQL a test session."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from common.private import UMASK
from devstack.postgres import with_database
from devstack.stack import Stack
from devstack.tryton import TrytonServer
from settings import Settings
from tests.tryton_server import emptied, server


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The embedded stack in a folder of its own, or the servers HOURSTREAM_BROKER and HOURSTREAM_POSTGRES_URL name."""
    with Stack.start(Settings.load(home=tmp_path_factory.mktemp("stack"))) as running:
        yield running


@pytest.fixture(scope="session")
def tryton_server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    """One Tryton for all tests, on the stack's PostgreSQL."""
    with server(stack, tmp_path_factory.mktemp("tryton")) as running:
        yield running


@pytest.fixture
def tryton(tryton_server: TrytonServer) -> TrytonServer:
    """That Tryton, without any charge, invoice or move."""
    emptied(tryton_server)
    return tryton_server


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[str]:
    """Address of a fresh, empty database of this test module."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(stack.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield with_database(stack.postgres_url, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def pytest_configure() -> None:
    """Brokers of tests are young: what a JVM spends on its second compiler never comes back."""
    os.umask(UMASK)  # as the command line sets it: keys that a test writes are its owner's alone
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`: a skipped test fails the run, for machines that have everything."""
    parser.addoption("--no-skips", action="store_true", help="fail when any test was skipped")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hold `--no-skips`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
