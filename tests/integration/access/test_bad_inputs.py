"""The list of bad inputs of docs/security.md, tried against pages and interface alike; none got in.

What belongs to logging in is tried in test_login and test_forged_logins, wrong tokens in test_tokens.
"""

import csv
import http.client
import io
import socket
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import httpx2 as httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

from cli.console import ANYBODY, serving
from console.access.route_guard import OPEN, OpenDoor, check_doors, doors
from console.access.security_headers import LARGEST_BODY
from console.app import create_app
from settings import Settings
from storage.postgres import Pool
from tests.integration.access.doors import AMOUNT, at_provider, browser, console, csrf, log_in, machine, token
from tests.integration.sinks.test_warehouse import parked, take
from warehouse.writer import Warehouse

SQL = 4
INJECTED = ("' OR '1'='1", "'; DROP TABLE hourstream.acts; --", "1) UNION SELECT digest FROM hourstream.api_tokens --",
            "%s", "%(status)s", "\\", "$$", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "\r\nX-Evil: 1",
            "<script>alert(1)</script>", "{{7*7}}", "\x00", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
            "9" * 30, "-1", "1e9", "😀" * 50)  # fmt: skip


@pytest.fixture(scope="module")
def address(pool: Pool) -> Iterator[str]:
    with console(pool) as started:
        yield started


@pytest.fixture(scope="module")
def app(pool: Pool) -> FastAPI:
    return create_app(Settings.load(broker="127.0.0.1:1"), pool)


def tables(pool: Pool) -> list[tuple[str, int]]:
    """What must not change: rows of every table that a request could want to change."""
    names = ("acts", "api_tokens", "exceptions", "charges", "invoices", "console_sessions", "api_answers")
    with pool.connection() as connection:
        return [
            (name, connection.execute(f"SELECT count(*) FROM hourstream.{name}".encode()).fetchall()[0][0])  # noqa: S608
            for name in names
        ]


def routes(app: FastAPI) -> list[tuple[str, str, list[str]]]:
    """(method, path, names of the query) of every route that asks for a role."""
    return [
        (method, str(route.path), [field.alias for field in _queries(route.dependant)])
        for route in iter_route_contexts(app.routes)
        if str(route.path) not in OPEN
        for method in sorted(route.methods or ())
    ]


def _queries(dependant: object) -> Iterator[object]:
    yield from dependant.query_params  # type: ignore[attr-defined]
    for each in dependant.dependencies:  # type: ignore[attr-defined]
        yield from _queries(each)


def filled(path: str, value: str) -> str:
    """A path with its parameters set."""
    for name in ("exception_id", "charge_id", "invoice_id"):
        path = path.replace("{" + name + "}", quote(value, safe=""))
    return path


def test_every_route_asks_for_a_role(app: FastAPI) -> None:
    open_doors = {path for path, role in doors(app) if role is None}
    assert open_doors == {"/static", "/login", "/login/callback", "/logout"}


def test_a_route_that_asks_for_none_does_not_start(app: FastAPI) -> None:
    forgotten = APIRouter()

    @forgotten.get("/forgotten")
    def _() -> str:
        return "secrets"

    other = FastAPI(openapi_url=None)
    other.include_router(forgotten, prefix="/api/v1")
    with pytest.raises(OpenDoor, match="/api/v1/forgotten"):
        check_doors(other)


@pytest.mark.parametrize("role", [None, "viewer", "operator", "admin"])
def test_each_role_reaches_what_it_may_and_nothing_else(
    app: FastAPI, address: str, pool: Pool, role: str | None
) -> None:
    may = [] if role is None else ["viewer", "operator", "admin"][: ["viewer", "operator", "admin"].index(role) + 1]
    needed = dict(doors(app))
    headers = {} if role is None else {"Authorization": f"Bearer {token(pool, role)}"}
    with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
        for method, path, _ in routes(app):
            answer = client.request(method, filled(path, "x"))
            refused = 401 if role is None else 403
            assert (answer.status_code == refused) is (needed[path] not in may), (method, path, answer.status_code)


def tried(nth: int) -> tuple[str, ...]:
    """What the nth parameter is tried with: half of what speaks SQL, and some of the rest, by turns."""
    sql = INJECTED[:SQL][nth % 2 :: 2]
    return sql + tuple(INJECTED[SQL + (2 * nth + n) % (len(INJECTED) - SQL)] for n in range(2))


def test_whatever_a_parameter_holds_is_only_looked_for(app: FastAPI, address: str, pool: Pool) -> None:
    with machine(address, token(pool, "admin")) as client:
        before = tables(pool)
        asked = [(path, name) for method, path, names in routes(app) if method == "GET" for name in (*names, None)]
        assert len(asked) > 80
        for nth, (path, name) in enumerate(asked):
            for value in tried(nth):
                answer = client.get(filled(path, value), params={name: value} if name else {})
                assert answer.status_code in (200, 303, 404, 422), (path, name, value, answer.status_code)
                assert "x-evil" not in answer.headers
                assert "html" not in answer.headers.get("content-type", "") or "<script>alert" not in answer.text
                assert "root:" not in answer.text
                assert ">49<" not in answer.text
        assert tables(pool) == before


@pytest.mark.parametrize("value", INJECTED)
def test_whatever_a_body_holds_changes_nothing(address: str, pool: Pool, value: str) -> None:
    with machine(address, token(pool, "operator")) as client:
        before = tables(pool)
        for body in (
            {"decision": value, "exception_ids": ["a"], "reason": "r"},
            {"decision": "waive", "exception_ids": [value], "reason": "\x00"},
            {"decision": "waive", "exception_ids": value, "reason": "r"},
            {"decision": "waive", "exception_ids": ["a"], "reason": "r", "by": value},
            {"decision": "waive", "exception_ids": [], "reason": value},
            {"decision": "waive", "exception_ids": ["a"] * 1001, "reason": value[:20]},
        ):
            answer = client.post("/api/v1/decisions", json=body)
            assert answer.status_code == 422, body
            assert answer.headers["content-type"] == "application/problem+json"
        form = {"decision": value, "ids": "a", "reason": "r"}
        assert client.post("/decisions", data=form).status_code == 422
        assert tables(pool) == before


def test_too_large_a_body_is_refused_whether_it_tells_its_length_or_not(address: str, pool: Pool) -> None:
    large = b'{"decision": "waive", "reason": "' + b"x" * LARGEST_BODY + b'"}'
    bearer = token(pool, "admin")
    for path, kind in (("/api/v1/decisions", "application/json"), ("/decisions", "application/x-www-form-urlencoded")):
        for body in (large, iter([large[: LARGEST_BODY // 2], large[LARGEST_BODY // 2 :]])):
            headers = {"Content-Type": kind, "Authorization": f"Bearer {bearer}"}
            answer = httpx.post(address + path, content=body, headers=headers, timeout=60)
            assert answer.status_code == 413, (path, answer.status_code)


def test_a_body_nested_too_deeply_is_told_so(address: str, pool: Pool) -> None:
    with machine(address, token(pool, "operator")) as client:
        body = b"[" * 100_000 + b"]" * 100_000
        answer = client.post("/api/v1/decisions", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422)


def test_lines_in_a_header_or_path_reach_nothing(address: str) -> None:
    place = urlsplit(address)
    for raw in (
        b"GET /login?next=/x%0d%0aX-Evil:%201 HTTP/1.1\r\n",
        b"GET /search?q=a%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\n",
        b"GET /static/%2e%2e/%2e%2e/app.py HTTP/1.1\r\n",
        b"GET /static/..%2f..%2fapp.py HTTP/1.1\r\n",
        b"GET /static/../../../../etc/passwd HTTP/1.1\r\n",
        b"GET /static//etc/passwd HTTP/1.1\r\n",
        b"GET /static/%00 HTTP/1.1\r\n",
    ):
        with socket.create_connection((place.hostname or "", place.port or 0), 60) as line:
            line.sendall(raw + f"Host: {place.netloc}\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(line)
            answer.begin()
            body = answer.read()
        assert answer.status in (303, 400, 401, 404, 405, 503), (raw, answer.status)
        assert answer.getheader("X-Evil") is None
        assert answer.getheader("Set-Cookie") is None
        assert b"def create_app" not in body
        assert b"root:" not in body


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "localhost@evil.example:80"])
def test_a_name_that_was_rebound_to_this_address_is_not_served(address: str, host: str) -> None:
    assert httpx.get(f"{address}/login", headers={"Host": host}, timeout=60).status_code in (400, 421)


def test_every_answer_has_the_headers_that_a_browser_heeds(address: str, pool: Pool) -> None:
    with machine(address, token(pool, "viewer")) as client:
        for path in ("/", "/static/console.css", "/nowhere", "/api/v1/me", "/api/v1/charges/x", "/exceptions.csv"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self';" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "same-origin"
            assert "server" not in headers
            assert ("no-store" in headers.get("cache-control", "")) is not path.startswith("/static")
        page = client.get("/").text
        assert "<script>" not in page
        assert "style=" not in page


FORM = {"decision": "retry", "reason": "because", "ids": "unknown"}


def test_a_form_counts_with_the_token_of_its_own_login_only(pool: Pool, provider: str) -> None:
    with console(pool, **at_provider(provider)) as address, browser(address) as mine, browser(address) as theirs:
        log_in(mine, "otto")
        log_in(theirs, "ada")
        right, foreign = csrf(mine), csrf(theirs)
        before = tables(pool)
        for given in ({}, {"csrf": ""}, {"csrf": foreign}, {"csrf": right[:-1]}, {"csrf": right + "x"}, {"csrf": "ä"}):
            assert mine.post("/decisions", data=FORM | given).status_code == 403, given
        for header in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": address.replace("http:", "https:")},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            assert mine.post("/decisions", data=FORM | {"csrf": right}, headers=header).status_code == 403, header
        body = {"decision": "retry", "exception_ids": ["x"], "reason": "because"}
        assert mine.post("/api/v1/decisions", json=body).status_code == 403
        assert mine.post("/api/v1/decisions", content="{}", headers={"Content-Type": "text/plain"}).status_code == 403
        assert tables(pool) == before
        assert mine.post("/decisions", data=FORM | {"csrf": right}, headers={"Origin": address}).status_code == 303
        assert mine.post("/api/v1/decisions", json=body, headers={"X-CSRF-Token": right}).status_code == 202
        mine.post("/logout", data={"csrf": right})
        log_in(mine, "otto")
        assert mine.post("/decisions", data=FORM | {"csrf": right}).status_code == 403, "replayed from an ended login"


def test_without_a_login_a_form_needs_its_token_just_as_well(pool: Pool) -> None:
    with (
        serving(Settings.load(broker="127.0.0.1:1"), pool, port=0, everybody=ANYBODY) as address,
        browser(address) as c,
    ):
        assert c.post("/decisions", data=FORM).status_code == 403
        given = {"csrf": csrf(c, "/exceptions")}
        assert c.post("/decisions", data=FORM | given, headers={"Origin": "https://evil.example"}).status_code == 403
        assert c.post("/decisions", data=FORM | given).status_code == 303


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example"])
def test_a_form_leads_back_to_a_page_of_ours_only(address: str, pool: Pool, back: str) -> None:
    with machine(address, token(pool, "operator")) as client:
        answer = client.post("/decisions", data=FORM | {"back": back})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/?said=")


@pytest.mark.parametrize("wanted", ["%00", "' OR '1'='1", "'; DROP TABLE hourstream.acts; --"])
def test_a_list_to_decide_on_as_a_whole_is_only_looked_for(address: str, pool: Pool, wanted: str) -> None:
    with machine(address, token(pool, "operator")) as client:
        before = tables(pool)
        form = {
            "decision": "retry",
            "reason": "because",
            "everything": "true",
            "back": f"/exceptions?engagement={wanted}",
        }
        assert client.post("/decisions", data=form).status_code == 422
        assert tables(pool) == before


def test_no_cell_of_a_file_is_a_formula(pool: Pool, address: str) -> None:
    evil = ("=HYPERLINK(1)", "+1+1", "-1+1", "@SUM(1)", "\t=1", "  =1", "\r=1")
    take(
        Warehouse(pool),
        [parked(100 + n, f"time:evil{n}", "E7", message=text, owner=text) for n, text in enumerate(evil)],
    )
    with machine(address, token(pool, "viewer")) as client:
        rows = list(csv.DictReader(io.StringIO(client.get("/exceptions.csv?engagement=E7").text, newline="")))
    assert len(rows) == len(evil)
    assert {row["message"] for row in rows} == {f"'{text}" for text in evil}
    assert all(row["owner"].startswith("'") for row in rows)


def test_who_may_not_see_rates_sees_no_amount_in_any_answer(app: FastAPI, address: str, pool: Pool) -> None:
    with pool.connection() as connection:
        ((charge_id,),) = connection.execute("SELECT charge_id FROM hourstream.charges").fetchall()
        ((stuck,),) = connection.execute(
            "SELECT exception_id FROM hourstream.exceptions WHERE subject = 'time:5'"
        ).fetchall()
    ids = {"charge_id": charge_id, "exception_id": stuck, "invoice_id": "LE-1-2025-1"}
    told = {}
    for sees_rates in (True, False):
        with machine(address, token(pool, "admin", sees_rates=sees_rates)) as client:
            for method, path, names in routes(app):
                if method != "GET" or path == "/api/v1/openapi.json":
                    continue
                for name, value in ids.items():
                    path = path.replace("{" + name + "}", value)
                wanted = {
                    "engagement": "E1",
                    "subject": "time:1",
                    "id": charge_id if path == "/charge" else ids["invoice_id"],
                }
                answer = client.get(path, params={name: wanted[name] for name in names if name in wanted})
                told[path, sees_rates] = any(word in answer.text for word in (AMOUNT, "card RC-1", "100.000000"))
    seen = {path for (path, sees_rates), found in told.items() if found and sees_rates}
    assert {"/api/v1/trace", f"/api/v1/charges/{charge_id}", "/api/v1/figures", "/api/v1/invoices"} <= seen
    assert [path for (path, sees_rates), found in told.items() if found and not sees_rates] == []
