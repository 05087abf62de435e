"""Attacks of somebody who is logged in: other sites' forms, rights they lack, texts and bodies that should break it."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser

import httpx2 as httpx
import psycopg
import pytest

from cli.console import ANYBODY, serving
from settings import Settings
from storage.postgres import Pool
from tests.integration.access.attacked import NAME, Scene, scene
from tests.integration.access.doors import browser, csrf, machine
from tests.integration.access.forger import Forger, forging
from tests.integration.sinks.test_warehouse import parked, take
from warehouse.writer import Warehouse

pytestmark = pytest.mark.attack  # docs/attacks.md lists them

FORM = {"decision": "retry", "reason": "because", "ids": "unknown"}
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=B"


@pytest.fixture(scope="module")
def forger() -> Iterator[Forger]:
    with forging() as started:
        yield started


@pytest.fixture(scope="module")
def attacked(pool: Pool, forger: Forger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(pool, forger, tmp_path_factory.mktemp("attacked")) as found:
        yield found


@pytest.fixture(scope="module")
def victim(attacked: Scene) -> Iterator[httpx.Client]:
    """A browser that is logged in as an administrator."""
    with browser(attacked.address) as client:
        brought = attacked.forger.allow(client.get("/login").headers["location"])
        assert client.get("/login/callback", params=brought).status_code == 303
        yield client


def rows(pool: Pool) -> list[tuple[object, ...]]:
    """What no attack may change."""
    names = ("acts", "api_answers", "api_tokens", "charges", "console_sessions", "exceptions", "invoices")
    with pool.connection() as connection:
        return [
            (name, *connection.execute(f"SELECT count(*) FROM hourstream.{name}".encode()).fetchall()[0])  # noqa: S608
            for name in names
        ]


Send = Callable[[httpx.Client, str], httpx.Response]
# Each is given the victim's browser and the right CSRF token of its login, and forgets something a browser would say.
FORGED_FORMS: dict[str, Send] = {
    "without a token": lambda c, _: c.post("/decisions", data=FORM),
    "with an empty token": lambda c, _: c.post("/decisions", data=FORM | {"csrf": ""}),
    "with a made up token": lambda c, _: c.post("/decisions", data=FORM | {"csrf": "A" * 43}),
    "with a token in the query": lambda c, t: c.post(f"/decisions?csrf={t}", data=FORM),
    "with a token as a cookie": lambda c, t: sent(c, "", {"Cookie": f"{cookies(c)}; csrf={t}"}),
    "with a token as a file": lambda c, t: c.post("/decisions", data=FORM, files={"csrf": ("csrf", t)}),
    "with half a token": lambda c, t: c.post("/decisions", data=FORM | {"csrf": t[:20]}),
    "with a token and blanks": lambda c, t: c.post("/decisions", data=FORM | {"csrf": f" {t}"}),
    "with a token in other letters": lambda c, t: c.post("/decisions", data=FORM | {"csrf": t.swapcase()}),
    "as plain text": lambda c, t: c.post("/decisions", content=f"csrf={t}", headers={"Content-Type": "text/plain"}),
    "as JSON": lambda c, t: c.post("/decisions", json=FORM | {"csrf": t}),
    "as JSON to the interface": lambda c, t: c.post("/api/v1/decisions", json=FORM | {"csrf": t}),
    "from another site": lambda c, t: sent(c, t, {"Origin": "https://evil.example"}),
    "from a site of its name": lambda c, t: sent(c, t, {"Origin": "http://127.0.0.1.evil.example"}),
    "from another port": lambda c, t: sent(c, t, {"Origin": "http://127.0.0.1:1"}),
    "from a sandbox": lambda c, t: sent(c, t, {"Origin": "null"}),
    "from a file": lambda c, t: sent(c, t, {"Origin": "file://"}),
    "from its https twin": lambda c, t: sent(c, t, {"Origin": str(c.base_url).rstrip("/").replace("http:", "https:")}),
    "across sites": lambda c, t: sent(c, t, {"Sec-Fetch-Site": "cross-site"}),
    "from a site beside": lambda c, t: sent(c, t, {"Sec-Fetch-Site": "same-site"}),
    "a logout without a token": lambda c, _: c.post("/logout"),
    "a mapping without a token": lambda c, _: c.post("/mappings", data={"system": "s"}),
}  # fmt: skip


def cookies(client: httpx.Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def sent(client: httpx.Client, right: str, headers: Mapping[str, str]) -> httpx.Response:
    return client.post("/decisions", data=FORM | {"csrf": right}, headers=dict(headers))


@pytest.mark.parametrize("name", FORGED_FORMS)
def test_forged_form(attacked: Scene, victim: httpx.Client, name: str) -> None:
    right, before = csrf(victim, "/exceptions"), rows(attacked.pool)
    assert FORGED_FORMS[name](victim, right).status_code == 403
    assert rows(attacked.pool) == before
    assert victim.get("/exceptions").status_code == 200


SAFE_METHODS = (
    ("GET", "/decisions?decision=waive&everything=true&reason=r"), ("HEAD", "/decisions"), ("OPTIONS", "/decisions"),
    ("GET", "/mappings?system=s&kind=task&code=c&canonical_id=i&reason=r"), ("GET", "/logout"), ("PUT", "/decisions"),
    ("DELETE", "/decisions"), ("PATCH", "/api/v1/decisions"), ("GET", "/api/v1/decisions?decision=waive"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), SAFE_METHODS)
def test_no_other_method_changes_anything(attacked: Scene, victim: httpx.Client, method: str, path: str) -> None:
    before = rows(attacked.pool)
    assert victim.request(method, path).status_code in (403, 404, 405)
    assert rows(attacked.pool) == before


DECISION = {"decision": "retry", "exception_ids": ["x"], "reason": "r"}
# What somebody who may only look says to be allowed more.
ESCALATIONS: dict[str, Send] = {
    "decide": lambda c, _: c.post("/api/v1/decisions", json=DECISION),
    "decide by a form": lambda c, _: c.post("/decisions", data=FORM),
    "map": lambda c, _: c.post("/mappings", data={"system": "s", "kind": "task", "code": "c", "canonical_id": "i"}),
    "read the audit": lambda c, _: c.get("/api/v1/acts"),
    "a role in a header": lambda c, _: c.get("/api/v1/acts", headers={"X-Role": "admin", "X-User-Role": "admin"}),
    "a role in a cookie": lambda c, _: c.get("/api/v1/acts", headers={"Cookie": "role=admin; sees_rates=true"}),
    "a role in the query": lambda c, _: c.get("/api/v1/acts?role=admin"),
    "a role in the body": lambda c, _: c.post("/api/v1/decisions", json=DECISION | {"roles": ["admin"]}),
    "a user in the body": lambda c, _: c.post("/api/v1/decisions", json=DECISION | {"by": "ada", "user": "ada"}),
    "another's idempotency key": lambda c, _: c.post(
        "/api/v1/decisions", json=DECISION, headers={"Idempotency-Key": "operators-own"}
    ),
    "an order by money": lambda c, _: c.get("/api/v1/exceptions?by=amount"),
    "a filter by money": lambda c, _: c.get("/api/v1/exceptions?amount=987.65"),
    "the right in the query": lambda c, _: c.get("/api/v1/figures?sees_rates=true"),
    "a cursor of another order": lambda c, _: c.get("/api/v1/exceptions?by=minutes&after=2025-01-01T00:00:00~x"),
    "the audit from its end": lambda c, _: c.get("/api/v1/acts?after=9&limit=500"),
    "the audit's address in other letters": lambda c, _: c.get("/api/v1/Acts"),
    "the audit's address with a slash": lambda c, _: c.get("/api/v1/acts/"),
    "the audit through the static files": lambda c, _: c.get("/static/..%2fapi%2fv1%2facts"),
}  # fmt: skip


@pytest.mark.parametrize("name", ESCALATIONS)
def test_more_than_a_viewer_may(attacked: Scene, name: str) -> None:
    before = rows(attacked.pool)
    with machine(attacked.address, attacked.viewer) as client:
        answer = ESCALATIONS[name](client, attacked.viewer)
        assert answer.status_code in (401, 403, 404, 405, 422), answer.text
        assert "987.65" not in answer.text
        me = client.get("/api/v1/me").json()
    assert (me["roles"], me["sees_rates"], me["sees_names"]) == (["viewer"], False, False)
    assert rows(attacked.pool) == before


def jumbled(**values: str) -> bytes:
    return json.dumps(DECISION | values).encode()


BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "application/json"),
    "not JSON": (b"{", "application/json"),
    "nested 100,000 deep": (b"[" * 100_000 + b"]" * 100_000, "application/json"),
    "objects nested 20,000 deep": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "application/json"),
    "a list": (b"[]", "application/json"),
    "a text": (b'"x"', "application/json"),
    "null": (b"null", "application/json"),
    "no number": (b'{"decision": NaN}', "application/json"),
    "a number of 100,000 digits": (b'{"decision": ' + b"9" * 100_000 + b"}", "application/json"),
    "a key twice": (b'{"decision":"waive","decision":"drop","exception_ids":["x"],"reason":"r"}', "application/json"),
    "a field more": (jumbled(by="ada"), "application/json"),
    "a prototype": (jumbled(__proto__="x"), "application/json"),
    "a lone surrogate in the reason": (
        b'{"decision":"waive","exception_ids":["x"],"reason":"\\ud800"}', "application/json",
    ),
    "a lone surrogate in an id": (b'{"decision":"waive","exception_ids":["\\ud800"],"reason":"r"}', "application/json"),
    "a NUL in the reason": (jumbled(reason="a\x00b"), "application/json"),
    "a NUL in an id": (b'{"decision":"waive","exception_ids":["a\\u0000"],"reason":"r"}', "application/json"),
    "a reason of 501 characters": (jumbled(reason="x" * 501), "application/json"),
    "a reason of blanks": (jumbled(reason=" \t\n"), "application/json"),
    "1,001 ids": (json.dumps(DECISION | {"exception_ids": ["a"] * 1001}).encode(), "application/json"),
    "an id that is an object": (json.dumps(DECISION | {"exception_ids": [{"$ne": ""}]}).encode(), "application/json"),
    "bytes that are no UTF-8": (b'{"decision":"\xff\xfe"}', "application/json"),
    "compressed": (gzip.compress(json.dumps(DECISION).encode()), "application/json"),
    "XML": (b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>", "application/xml"),
    "a form to the interface": (b"decision=waive&exception_ids=x&reason=r", URLENCODED),
    "plain text": (json.dumps(DECISION).encode(), "text/plain"),
    "no type that is one": (json.dumps(DECISION).encode(), "x"),
    "YAML": (b"decision: !!python/object/apply:os.system ['id']", "application/yaml"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_body(attacked: Scene, name: str) -> None:
    body, kind = BODIES[name]
    before = rows(attacked.pool)
    headers = {"Content-Type": kind} | ({"Content-Encoding": "gzip"} if name == "compressed" else {})
    with machine(attacked.address, attacked.operator) as client:
        answer = client.post("/api/v1/decisions", content=body, headers=headers)
    assert answer.status_code in (400, 413, 415, 422), (answer.status_code, answer.text[:200])
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    assert rows(attacked.pool) == before


PART = b'--B\r\nContent-Disposition: form-data; name="reason"\r\n\r\nx'
FORMS: dict[str, tuple[bytes, str]] = {
    "20,000 fields": (b"&".join(b"f%d=x" % n for n in range(20_000)), URLENCODED),
    "a reason that is a file": (
        b'--B\r\nContent-Disposition: form-data; name="reason"; filename="r"\r\n\r\nx\r\n--B--\r\n',
        MULTIPART,
    ),
    "parts without an end": (PART, MULTIPART),
    "no boundary": (b"--B\r\n", "multipart/form-data"),
    "5,000 parts": (
        b"".join(PART.replace(b"reason", b"f%d" % n) + b"\r\n" for n in range(5_000)) + b"--B--",
        MULTIPART,
    ),
    "bytes that are no UTF-8": (b"decision=waive&reason=%ff%fe&ids=%ff", URLENCODED),
    "a NUL in an id": (b"decision=waive&reason=r&ids=%00", URLENCODED),
    "all of a list that is none": (b"decision=waive&reason=r&everything=true&back=/x", URLENCODED),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_form(attacked: Scene, name: str) -> None:
    body, kind = FORMS[name]
    before = rows(attacked.pool)
    with machine(attacked.address, attacked.operator) as client:
        answer = client.post("/decisions", content=body, headers={"Content-Type": kind})
    assert answer.status_code in (303, 400, 413, 422, 503), (answer.status_code, answer.text[:300])
    assert rows(attacked.pool) == before


LIMITS = (
    "/api/v1/exceptions?limit=0", "/api/v1/exceptions?limit=-1", "/api/v1/exceptions?limit=501",
    f"/api/v1/exceptions?limit={'9' * 40}", "/api/v1/exceptions?limit=1e3", "/api/v1/exceptions?limit=٣",
    "/api/v1/causes?after=-1", f"/api/v1/causes?after={'9' * 30}", f"/api/v1/acts?after={'9' * 19}",
    "/causes?page=0", "/causes?page=-5", "/causes?page=10001", "/exceptions?value=1e999&after=x",
    "/exceptions?after=x&value=9999-99-99T99:99", "/api/v1/exceptions?after=0001-01-01T00:00:00~'%20OR%201=1",
    "/api/v1/trace?engagement=E1", "/api/v1/exceptions?status=all", "/exceptions?code=" + "x" * 301,
    "/api/v1/charges?engagement=E1&after=" + "x" * 701, "/throughput?by=year", "/search?q=%00", "/exceptions/%00",
)  # fmt: skip


@pytest.mark.parametrize("path", LIMITS)
def test_a_value_out_of_bounds_is_refused(attacked: Scene, path: str) -> None:
    with machine(attacked.address, attacked.admin) as client:
        answer = client.get(path)
    assert answer.status_code in (400, 422), (path, answer.status_code)


MARKUP = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' autofocus onfocus=alert(1) x='",
    "</title><svg onload=alert(1)>", "</textarea></script><iframe src=javascript:alert(1)>", "<!--", "{{ 7 * 7 }}",
    "${7*7}", "javascript:alert(1)", "&lt;script&gt;", "<a href=//evil.example>", "<base href=//evil.example>",
    "<form action=//evil.example>", "]]><script>", "<style>*{}</style>", "\u202e<b>", "<meta http-equiv=refresh>",
    "sealed:person:", "sealed:person:" + "a" * 26 + ":A", "sealed:person:" + "a" * 26 + ":AAAAA junk",
    "erased:person:" + "a" * 26 + "<b>", "person:" + "a" * 26 + "<b>", "x" * 40_000, "\u0001\u001b[2J", "ﬀ ＜script＞",
)  # fmt: skip


class Tags(HTMLParser):
    """What a browser makes of a page: its elements, and the attributes that run or lead somewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def stored(attacked: Scene) -> list[str]:
    """Markup in every text of an exception, a charge, an invoice and their masters; the pages that show them."""
    take(Warehouse(attacked.pool), [
        parked(1000 + n, f"time:{n}{word[:150]}", "EV", message=word, owner=word[:200], region=word[:200],
               missing={"kind": "code", "id": f"s:task:{word[:200]}", "day": None}, code=word[:100])
        for n, word in enumerate(MARKUP)
    ])  # fmt: skip
    with attacked.pool.connection() as connection:
        connection.execute(
            "INSERT INTO hourstream.accounts VALUES ('EV', %s, 'CV', %s, 'R', 'EUR', 'o', 'g')", (MARKUP[1], MARKUP[0])
        )
        connection.execute("UPDATE hourstream.charges SET derivation = %s, approved_by = %s", (MARKUP[1], MARKUP[2]))
        connection.execute("UPDATE hourstream.invoices SET void_reason = %s", (MARKUP[3],))
        ((charge,),) = connection.execute("SELECT charge_id FROM hourstream.charges").fetchall()
        ids = [
            str(row[0])
            for row in connection.execute(
                "SELECT exception_id FROM hourstream.exceptions WHERE engagement_id = 'EV' ORDER BY record_offset"
            )
        ]
    one_by_one = [f"/exceptions/{each}" for each in ids]
    return ["/", "/causes", "/exceptions?engagement=EV", f"/charge?id={charge}", "/invoice?id=LE-1-2025-1", *one_by_one]


ELEMENTS = {
    "a", "abbr", "b", "body", "button", "code", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure", "form",
    "h1", "h2", "h3", "head", "header", "html", "input", "label", "legend", "li", "line", "link", "main", "meta", "nav",
    "ol", "option", "p", "rect", "script", "section", "select", "span", "svg", "table", "tbody", "td", "text", "th",
    "thead", "time", "title", "tr",
}  # fmt: skip


@pytest.mark.parametrize("nth", range(5 + len(MARKUP)))
def test_stored_text_stays_text(attacked: Scene, stored: list[str], nth: int) -> None:
    with machine(attacked.address, attacked.admin) as client:
        answer = client.get(stored[nth], headers={"Accept": "text/html"})
    assert answer.status_code == 200, (stored[nth], answer.text[:500])
    page = Tags()
    page.feed(answer.text)
    assert set(page.elements) <= ELEMENTS
    assert page.elements.count("script") == 1
    for name, value in page.attributes:
        assert not name.startswith("on"), (name, value)
        assert name != "style"
        if name in ("href", "src", "action"):
            assert value.startswith(("/", "#", "data:,")), (name, value)
            assert not value.startswith("//")
    assert ">49<" not in answer.text
    assert "\u202e" not in page.text


@pytest.mark.parametrize("nth", range(len(MARKUP)))
def test_reflected_text_stays_text(attacked: Scene, nth: int) -> None:
    word = MARKUP[nth][:290]
    with machine(attacked.address, attacked.admin) as client:
        for path, name in (("/search", "q"), ("/exceptions", "client"), ("/nope", "said"), ("/trace", "subject")):
            answer = client.get(path, params={name: word}, headers={"Accept": "text/html"})
            assert answer.status_code in (200, 404), (path, answer.status_code)
            page = Tags()
            page.feed(answer.text)
            assert page.elements.count("script") == 1
            assert set(page.elements) <= ELEMENTS
            assert not [each for each, _ in page.attributes if each.startswith("on")]


FORWARDED = (
    "Forwarded: for=10.0.0.1", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: books.example.com",
    "X-Forwarded-Proto: https", "X-Real-IP: 10.0.0.1", "Via: 1.1 proxy", "X-Original-URL: /",
)  # fmt: skip


@pytest.mark.parametrize("header", [*FORWARDED, "Host: books.example.com"])
def test_an_open_console_serves_nobody_behind_a_proxy(pool: Pool, header: str) -> None:
    name, _, value = header.partition(": ")
    with serving(Settings.load(broker="127.0.0.1:1"), pool, port=0, everybody=ANYBODY) as address:
        assert httpx.get(address, timeout=60).status_code == 200
        answer = httpx.get(address, headers={name: value}, timeout=60)
    assert answer.status_code in (403, 421)
    assert "<h1>" not in answer.text


def test_the_message_of_another_login_is_not_shown(attacked: Scene, victim: httpx.Client) -> None:
    with browser(attacked.address) as other:
        brought = attacked.forger.allow(other.get("/login").headers["location"])
        assert other.get("/login/callback", params=brought).status_code == 303
        answer = other.post("/decisions", data=FORM | {"csrf": csrf(other, "/exceptions"), "back": "/causes"})
        onwards = answer.headers["location"]
        assert "is on its way" in other.get(onwards).text
        assert "is on its way" not in victim.get(onwards).text


def test_a_name_is_opened_for_who_may_see_it_and_only_from_the_database(attacked: Scene, victim: httpx.Client) -> None:
    assert NAME in victim.get("/exceptions?engagement=&region=EMEA").text
    for path in ("/search?q=", "/nope?said=", "/exceptions?client="):
        assert NAME not in victim.get(path + attacked.person).text


def test_the_audit_is_kept_from_the_role_of_the_console(pool: Pool) -> None:
    for statement in (
        "UPDATE hourstream.acts SET name = 'x'",
        "DELETE FROM hourstream.acts",
        "TRUNCATE hourstream.acts",
    ):
        with pytest.raises(psycopg.Error), pool.connection() as connection:
            connection.execute(statement.encode())
