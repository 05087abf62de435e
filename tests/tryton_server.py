"""A real Tryton for tests, prepared for the charges that tests make; and its books, asked of its own database."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from devstack import tryton_environment
from devstack.stack import Stack
from devstack.tryton import Company, TrytonBooks, TrytonCurrency, TrytonServer
from sinks.delivery.secret_ref import Secret
from sinks.http.client import Calls
from sinks.tryton.client import TrytonClient
from sinks.tryton.rpc import TrytonRpc

BOOKS = TrytonBooks(
    companies=(Company("LE-1", "Legal Entity 1", "EUR", "DE"), Company("LE-2", "Legal Entity 2", "USD", "US")),
    currencies=(
        TrytonCurrency("EUR"),
        TrytonCurrency("USD", 2, "1.25"),
        TrytonCurrency("JPY", 0, "150"),
        TrytonCurrency("KWD", 3, "0.33"),
    ),
    taxes=(("S", "20"), ("S", "19"), ("S", "25"), ("Z", "0"), ("AE", "0"), ("O", "0")),
    years=(2024, 2025, 2026, 2027),
)


def needed() -> None:
    """Skip where there is no environment for a Tryton."""
    if not tryton_environment.is_ready():
        pytest.skip("Tryton's environment is not there or not of this lock: `make tryton` makes it")


@contextmanager
def server(stack: Stack, folder: Path) -> Iterator[TrytonServer]:
    """A running Tryton on the stack's PostgreSQL; skips where there is no environment for it."""
    needed()
    with TrytonServer.start(folder, stack.settings, stack.postgres_url, BOOKS) as running:
        yield running


def client(tryton: TrytonServer, url: str | None = None) -> TrytonClient:
    """Its REST interface with the key of deliveries; `url` where it is reached another way."""
    return TrytonClient(url or tryton.url, Secret.of(f"file:{tryton.secret('delivery-key')}"), Calls(5, 60, None))


def payer(tryton: TrytonServer) -> TrytonRpc:
    """Its JSON-RPC as the user who records payments."""
    password = Secret.of(f"file:{tryton.secret('payment-password')}")
    return TrytonRpc(tryton.url, "hourstream-payment", password, Calls(5, 60, None))


def emptied(tryton: TrytonServer) -> None:
    """No charge, invoice or move is left; masters stay."""
    with psycopg.connect(tryton.database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE hourstream_charge, account_invoice, account_move CASCADE")


def asked(tryton: TrytonServer, query: LiteralString, *parameters: object) -> list[tuple[object, ...]]:
    """What Tryton's own database says."""
    with psycopg.connect(tryton.database_url) as connection:
        return connection.execute(query, parameters).fetchall()


def amounts(tryton: TrytonServer, query: LiteralString) -> dict[str, Decimal]:
    """A query of (name, amount) as a mapping."""
    return {str(name): Decimal(str(amount)) for name, amount in asked(tryton, query)}
