"""Many users at once: every page is answered, nobody keeps the others out, and a wait ends with an answer."""

import asyncio
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from benchmarks.console_pages import fill as fill_large
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from tests.integration.access.doors import console, machine, token

USERS = 200
SUBJECTS = 20_000


@pytest.fixture(scope="module")
def pool(database: str) -> Iterator[Pool]:
    """A database as the console's benchmark fills it, smaller."""
    with open_pool(database) as opened:
        migrate(opened)
        fill_large(opened, SUBJECTS, lambda _: None)
        yield opened


def slowest(address: str, bearer: str) -> str:
    """The page that takes longest alone."""
    paths = ("/", "/causes", "/exceptions", "/exceptions?by=minutes", "/unbilled", "/throughput", "/reconciliation")
    took = {}
    with machine(address, bearer) as client:
        for path in paths:
            client.get(path)
            began = time.perf_counter()
            assert client.get(path).status_code == 200
            took[path] = time.perf_counter() - began
    return max(took, key=took.__getitem__)


async def crowd(address: str, path: str, headers: dict[str, str], number: int) -> list[tuple[int, float]]:
    """(status, seconds) of that many requests that are sent at the same moment."""
    limits = httpx.Limits(max_connections=number)
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=120, limits=limits) as client:

        async def one() -> tuple[int, float]:
            began = time.perf_counter()
            answer = await client.get(path)
            return answer.status_code, time.perf_counter() - began

        return list(await asyncio.gather(*(one() for _ in range(number))))


def test_two_hundred_users_load_the_slowest_page_without_an_error(pool: Pool) -> None:
    bearer = token(pool, "viewer")
    with console(pool, console_wait_seconds=90) as address:
        path = slowest(address, bearer)
        found = asyncio.run(crowd(address, path, {"Authorization": f"Bearer {bearer}"}, USERS))
    took = sorted(seconds for _, seconds in found)
    p95 = statistics.quantiles(took, n=20)[-1]
    print(f"{USERS} users at once on {path}, {SUBJECTS} subjects: p95 {p95:.2f} s, slowest {took[-1]:.2f} s")
    assert {status for status, _ in found} == {200}


def test_anonymous_requests_take_no_connection(pool: Pool) -> None:
    bearer = token(pool, "viewer")
    with console(pool) as address:
        for path in ("/", "/causes.csv", "/api/v1/exceptions"):
            answers = asyncio.run(crowd(address, path, {}, 100))
            assert {status for status, _ in answers} == {401}
        held = [pool.getconn() for _ in range(pool.max_size)]
        try:
            began = time.perf_counter()
            assert httpx.get(f"{address}/", timeout=60).status_code == 401
            assert time.perf_counter() - began < 5
        finally:
            for connection in held:
                pool.putconn(connection)
        with machine(address, bearer) as client:
            assert client.get("/").status_code == 200


def test_a_wait_for_a_connection_ends_with_an_answer(pool: Pool) -> None:
    bearer = token(pool, "viewer")
    stop = threading.Event()

    def hold() -> None:
        with pool.connection() as connection:
            connection.execute("LOCK TABLE hourstream.exception_totals IN ACCESS EXCLUSIVE MODE")
            stop.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        with console(pool, console_wait_seconds=1) as address:
            headers = {"Authorization": f"Bearer {bearer}"}
            waiting = threading.Thread(
                target=lambda: asyncio.run(crowd(address, "/causes", headers, pool.max_size)), daemon=True
            )
            waiting.start()
            time.sleep(2)
            answer = httpx.get(f"{address}/causes", headers=headers, timeout=60)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            stop.set()
            waiting.join(60)
            assert httpx.get(f"{address}/causes", headers=headers, timeout=60).status_code == 200
    finally:
        stop.set()
        holder.join()


def test_who_reads_slowly_holds_no_connection(pool: Pool) -> None:
    bearer = token(pool, "viewer")
    with console(pool) as address:
        place = urlsplit(address)
        request = f"GET /exceptions.csv HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        lines = [
            socket.create_connection((place.hostname or "", place.port or 0), 60) for _ in range(pool.max_size + 4)
        ]
        try:
            for line in lines:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                line.sendall(request.encode())
            with machine(address, bearer) as client:
                for path in ("/", "/causes", "/exceptions"):
                    assert client.get(path).status_code == 200
        finally:
            for line in lines:
                line.close()
