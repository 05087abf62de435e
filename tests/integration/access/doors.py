"""A console with real data in a real database, and what people and machines come in to it with."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

import httpx2 as httpx

from cli.console import serving
from console.access import tokens
from console.access.settings import AccessSettings
from console.access.user import ROLES, User
from invoicing.charge_projection import Projection
from settings import Settings
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import batch, charge
from tests.integration.sinks.test_warehouse import entry, parked, take
from warehouse.aggregates import sum_up
from warehouse.writer import Warehouse

AMOUNT = "987.65"
OWNER = User("test", frozenset(ROLES), sees_rates=True, via="test")
CLIENT, SECRET = "hourstream-console", "a secret / with: signs"
ROLES_OF = {"staff": "viewer", "ops": "operator+names", "lead": "admin+rates+names"}


def fill(pool: Pool) -> None:
    """Nine exceptions of three engagements, one worth `AMOUNT`; a time entry; a charge of `AMOUNT`; an invoice."""
    worth = {"amount_at_stake": Decimal(AMOUNT)}
    stuck = [parked(n, f"time:{n}", f"E{n % 3}", minutes=60 + n, **(worth if n == 5 else {})) for n in range(9)]
    take(Warehouse(pool), [*stuck, entry(0)])
    Projection(pool).write(batch(0, [charge("1", AMOUNT, engagement_id="E1")]))
    with pool.connection() as connection:
        ((run,),) = connection.execute(
            "INSERT INTO hourstream.invoice_runs (cut_off, issue_date, end_offsets, run_at)"
            " VALUES ('2025-03-31', '2025-04-01', '{}', now()) RETURNING run"
        ).fetchall()
        connection.execute(
            "INSERT INTO hourstream.invoices (invoice_id, document, run, kind, status, legal_entity, year, sequence,"
            " client_id, engagement_id, currency, issue_date, net, tax, rounding, payable, seller, buyer, credits)"
            " VALUES ('LE-1-2025-1', 'LE-1-2025-1', %s, 'invoice', 'issued', 'LE-1', 2025, 1, 'C-1', 'E1', 'EUR',"
            " '2025-04-01', %s, 0, 0, %s, '{}', '{}', '{}')",
            (run, AMOUNT, AMOUNT),
        )
        connection.execute(
            "INSERT INTO hourstream.invoice_charges SELECT 'LE-1-2025-1', charge_id FROM hourstream.charges"
        )
    sum_up(pool)


def token(pool: Pool, role: str, *, sees_rates: bool = True) -> str:
    """A new token of a role."""
    name = f"{role}-{datetime.now(UTC).timestamp()}"
    return tokens.create(pool, name, role, sees_rates=sees_rates, days=1, by=OWNER)


@contextmanager
def machine(address: str, bearer: str) -> Iterator[httpx.Client]:
    """A client of the interface."""
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {bearer}"}, timeout=60) as client:
        yield client


@contextmanager
def console(pool: Pool, *, broker: str = "127.0.0.1:1", **access: object) -> Iterator[str]:
    """The console's address; everybody logs in."""
    settings = Settings.load(broker=broker)
    with serving(settings, pool, port=0, access=AccessSettings.load(**access)) as address:
        yield address


def at_provider(issuer: str, **changed: object) -> dict[str, object]:
    """Settings of logging in there."""
    settings: dict[str, object] = {
        "oidc_issuer": issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, "oidc_roles": ROLES_OF,
    }  # fmt: skip
    return settings | changed


@contextmanager
def browser(address: str) -> Iterator[httpx.Client]:
    """One that keeps cookies, and shows where it is sent."""
    with httpx.Client(base_url=address, headers={"Accept": "text/html"}, timeout=60) as client:
        yield client


def log_in(client: httpx.Client, who: str, onwards: str = "/") -> httpx.Response:
    """Through the mock provider and back; the answer to what came back."""
    begun = client.get("/login", params={"next": onwards})
    assert begun.status_code == 303, begun.text
    allowed = httpx.post(begun.headers["location"], data={"sub": who}, timeout=60)
    assert allowed.status_code == 302, allowed.text
    return client.get(allowed.headers["location"])


def csrf(client: httpx.Client, path: str = "/") -> str:
    """The token of this login's forms, as its pages carry it."""
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def acts(pool: Pool) -> Sequence[tuple[str, str, str]]:
    """(who, act, what) of the audit, in order."""
    with pool.connection() as connection:
        rows = connection.execute("SELECT name, act, subject FROM hourstream.acts ORDER BY act_id").fetchall()
    return [(str(name), str(act), str(subject)) for name, act, subject in rows]
