"""Pages over the read models: every row once, wrong questions answered, nothing shown or done without the right."""

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cli.console import serving
from console.access.user import User
from invoicing.charge_projection import Projection
from settings import Settings
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import batch, charge, fresh_pool
from tests.integration.sinks.test_warehouse import entry, parked, take
from warehouse.aggregates import sum_up
from warehouse.writer import Warehouse

ROWS = 130


@pytest.fixture(scope="module")
def pool(database: str) -> Iterator[Pool]:
    """130 exceptions, many first seen at the same moment, and a charge worth 987.65."""
    with fresh_pool(database) as opened:
        warehouse = Warehouse(opened)
        take(warehouse, [parked(n, f"time:{n}", minutes=n % 7, amount_at_stake=None) for n in range(ROWS)] + [entry(0)])
        Projection(opened).write(batch(0, [charge("1", "987.65", engagement_id="E1")]))
        sum_up(opened)
        yield opened


@contextmanager
def console(
    pool: Pool, settings: Settings, *roles: str, sees_rates: bool = True, sees_names: bool = True
) -> Iterator[str]:
    """Its address, for a person with these roles."""
    user = User("ada", frozenset(roles), sees_rates, sees_names=sees_names)
    with serving(settings, pool, port=0, everybody=user) as address:
        yield address


@pytest.fixture(scope="module")
def settings(stack: object) -> Settings:
    """No broker is asked: nothing here may be published."""
    return Settings.load(broker="127.0.0.1:1")


@pytest.fixture(scope="module")
def address(pool: Pool, settings: Settings) -> Iterator[str]:
    """The console of somebody who may look and see rates."""
    with console(pool, settings, "viewer") as started:
        yield started


def get(address: str) -> tuple[int, str]:
    """(status, page)."""
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - on loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def post(address: str, **fields: str) -> tuple[int, str]:
    """(status, page)."""
    body = urllib.parse.urlencode(fields).encode()
    return get(urllib.request.Request(address, body))  # type: ignore[arg-type]  # noqa: S310


@pytest.mark.parametrize("by", ["age", "minutes"])
def test_paging_shows_every_exception_once(address: str, by: str) -> None:
    seen: list[str] = []
    next_page: str | None = f"/exceptions?by={by}"
    while next_page:
        code, page = get(address + next_page)
        assert code == 200, page
        seen += re.findall(r'href="/exceptions/([0-9a-f-]{36})"', page)
        found = re.search(r'<a rel="next" href="([^"]+)"', page)
        next_page = found[1].replace("&amp;", "&") if found else None
    assert len(seen) == len(set(seen)) == ROWS


@pytest.mark.parametrize(
    "path",
    [
        "/exceptions?status=anything",
        "/exceptions?by=amount",
        "/exceptions?after=x&value=;drop",
        "/exceptions?after=x&value=2025-13-99T99:99",
        "/exceptions?code=" + "x" * 400,
        "/causes?page=0",
        "/causes?page=99999999999999999999",
        "/unbilled?stage=paid",
        "/throughput?by=second",
        "/charge",
    ],
)
def test_a_wrong_question_is_told_so(address: str, path: str) -> None:
    code, page = get(address + path)
    assert code == 422, page
    assert "<h1>" in page
    assert "Traceback" not in page


@pytest.mark.parametrize("word", ["' OR 1=1 --", "<script>alert(1)</script>", "%", "\\", "😀", "a'b\"c"])
def test_what_is_written_is_only_ever_looked_for(address: str, word: str) -> None:
    quoted = urllib.parse.quote(word)
    for path in (f"/search?q={quoted}", f"/exceptions?client={quoted}", f"/causes?engagement={quoted}"):
        code, page = get(address + path)
        assert code == 200
        assert "<script>alert" not in page
    assert get(f"{address}/trace?subject={quoted}&engagement={quoted}")[0] == 404
    assert get(f"{address}/exceptions/{quoted}")[0] == 404


def test_nul_bytes_are_no_question(address: str) -> None:
    for path in ("/search?q=a%00b", "/exceptions?code=a%00b", "/trace?subject=%00"):
        assert get(address + path)[0] == 422, path


def test_rates_and_amounts_are_hidden_from_those_without_the_right(pool: Pool, settings: Settings) -> None:
    with pool.connection() as connection:
        ((charge_id,),) = connection.execute("SELECT charge_id FROM hourstream.charges").fetchall()
    pages = "/ /causes /exceptions /unbilled /reconciliation /trace?subject=time:1&engagement=E1"
    files = "/causes.csv /exceptions.csv /unbilled.csv /reconciliation.csv"
    paths = [*pages.split(), *files.split(), f"/charge?id={charge_id}"]
    amounts = re.compile(r"987[.,]65|card RC-1")
    with console(pool, settings, "viewer", sees_rates=True) as address:
        open_to = [path for path in paths if amounts.search(get(address + path)[1])]
    assert {"/", "/unbilled", "/reconciliation", f"/charge?id={charge_id}"} <= set(open_to)
    with console(pool, settings, "viewer", sees_rates=False) as address:
        for path in paths:
            code, page = get(address + path)
            assert code == 200
            assert not amounts.search(page), path


def test_a_viewer_decides_nothing(address: str) -> None:
    assert post(f"{address}/decisions", decision="waive", reason="x", ids="a")[0] == 403
    assert post(f"{address}/mappings", system="s", kind="task", code="c", canonical_id="i", reason="x")[0] == 403
    assert "Waive" not in get(f"{address}/exceptions")[1]


def test_nobody_sees_anything_where_nobody_logged_in(pool: Pool, settings: Settings) -> None:
    with serving(settings, pool, port=0) as address:
        for path in ("/", "/causes", "/exceptions.csv", "/search?q=1"):
            assert get(address + path)[0] == 401
