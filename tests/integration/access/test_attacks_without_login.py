"""Attacks of somebody who has no login: raw requests, forged tokens and cookies, the way through the provider."""

import gzip
from collections.abc import Callable, Iterator

import httpx2 as httpx
import pytest

from storage.postgres import Pool
from tests.integration.access.attacked import NAME, Answer, Scene, assert_out, scene
from tests.integration.access.doors import acts
from tests.integration.access.forger import Forger, forging

pytestmark = pytest.mark.attack  # docs/attacks.md lists them


@pytest.fixture(scope="module")
def forger() -> Iterator[Forger]:
    with forging() as started:
        yield started


@pytest.fixture(scope="module")
def attacked(pool: Pool, forger: Forger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(pool, forger, tmp_path_factory.mktemp("attacked")) as found:
        yield found


def get(path: str, *headers: str, method: str = "GET", host: str = "HOST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def post(path: str, body: bytes, kind: str, *headers: str) -> bytes:
    return get(path, f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, method="POST") + body


FORM, JSON = "application/x-www-form-urlencoded", "application/json"
DECIDE = b"decision=waive&reason=r&everything=true&back=/exceptions"
RAW: dict[str, bytes] = {
    "an absolute address of another host": get("http://evil.example/exceptions", host="evil.example"),
    "an absolute address of this host": get("http://HOST/exceptions"),
    "two hosts": get("/exceptions", "Host: evil.example"),
    "no host": b"GET /exceptions HTTP/1.1\r\nConnection: close\r\n\r\n",
    "a host behind a user": get("/login", host="HOST@evil.example"),
    "a host with a dot behind it": get("/exceptions", host="127.0.0.1."),
    "a host in another notation": get("/exceptions", host="2130706433"),
    "the port as host": get("/exceptions", host=":80"),
    "a forwarded host": get("/login", "X-Forwarded-Host: evil.example"),
    "a forwarded header": get("/login", "Forwarded: host=evil.example;proto=https"),
    "another original address": get("/static/console.css/x", "X-Original-URL: /exceptions"),
    "a rewritten address": get("/login/x", "X-Rewrite-URL: /exceptions"),
    "a forwarded prefix": get("/exceptions", "X-Forwarded-Prefix: /static"),
    "a claim to be this machine": get("/exceptions", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"),
    "a claim to be a user": get("/exceptions", "X-Forwarded-User: ada", "Remote-User: ada", "X-Role: admin"),
    "another method in a header": get("/decisions", "X-HTTP-Method-Override: POST"),
    "another method in the query": get("/exceptions?_method=POST&decision=waive"),
    "TRACE": get("/exceptions", "Cookie: a=b", method="TRACE"),
    "CONNECT": get("evil.example:443", method="CONNECT"),
    "OPTIONS": get("/api/v1/exceptions", "Origin: https://evil.example", method="OPTIONS"),
    "OPTIONS of everything": get("*", method="OPTIONS"),
    "HEAD": get("/exceptions", method="HEAD"),
    "PUT": get("/exceptions/x", "Content-Length: 0", method="PUT"),
    "DELETE": get("/api/v1/exceptions/x", method="DELETE"),
    "PATCH": get("/api/v1/exceptions/x", "Content-Length: 0", method="PATCH"),
    "PROPFIND": get("/", method="PROPFIND"),
    "a method of no name": get("/exceptions", method="GET\x0b"),
    "two slashes": get("//exceptions"),
    "a dot in the way": get("/./exceptions"),
    "out of the static files": get("/static/../exceptions"),
    "out of the static files, encoded": get("/static/%2e%2e/exceptions"),
    "out of the static files, encoded twice": get("/static/%252e%252e/app.py"),
    "out of the static files with backslashes": get("/static/..\\..\\app.py"),
    "out of the static files by a file address": get("/static/file:///etc/passwd"),
    "a source file beside the static ones": get("/static/../app.py"),
    "a parameter behind the path": get("/exceptions;/static/console.css"),
    "an encoded path": get("/%65xceptions"),
    "an encoded slash": get("/api%2fv1%2fexceptions"),
    "another case": get("/EXCEPTIONS"),
    "a slash behind": get("/exceptions/"),
    "a NUL behind the path": get("/exceptions%00.css"),
    "an ending that caches know": get("/exceptions/x.css"),
    "the description of the interface": get("/api/v1/openapi.json"),
    "the description at its usual place": get("/openapi.json"),
    "documentation pages": get("/docs"),
    "metrics": get("/metrics"),
    "a file of the environment": get("/.env"),
    "a repository": get("/.git/config"),
    "a websocket": get(
        "/exceptions", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ),
    "HTTP/2 by its preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2 by an upgrade": get(
        "/exceptions", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: A"
    ),
    "HTTP/0.9": b"GET /exceptions\r\n\r\n",
    "HTTP/1.0": b"GET /exceptions HTTP/1.0\r\nHost: HOST\r\n\r\n",
    "HTTP/9.9": b"GET /exceptions HTTP/9.9\r\nHost: HOST\r\n\r\n",
    "a length and chunks": get("/decisions", "Content-Length: 5", "Transfer-Encoding: chunked", method="POST")
    + b"0\r\n\r\nGET /exceptions HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "chunks of another name": get("/decisions", "Transfer-Encoding: xchunked", method="POST") + b"0\r\n\r\n",
    "two lengths": get("/decisions", "Content-Length: 1", "Content-Length: 2", method="POST") + b"ab",
    "a length below nothing": get("/decisions", "Content-Length: -1", method="POST"),
    "a chunk of no number": get("/decisions", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n",
    "a header with a line feed": b"GET /exceptions HTTP/1.1\r\nHost: HOST\nX: y\r\n\r\n",
    "a header with a NUL": get("/exceptions", "X: a\x00b"),
    "a header folded over lines": get("/exceptions", "Cookie: a\r\n hourstream=b"),
    "a header of 100 kB": get("/exceptions", "X: " + "a" * 100_000),
    "5,000 headers": get("/exceptions", *(f"X{n}: a" for n in range(5_000))),
    "a path of 60 kB": get("/exceptions?" + "a" * 60_000),
    "line ends in an address to go on to": get("/login?next=/%0d%0aSet-Cookie:%20hourstream=x"),
    "an address to go on to of another site": get("/login?next=https://evil.example"),
    "an address to go on to with two slashes": get("/login?next=//evil.example"),
    "an address to go on to, encoded twice": get("/login?next=%252f%252fevil.example"),
    "two addresses to go on to": get("/login?next=/&next=//evil.example"),
    "a form": post("/decisions", DECIDE, FORM),
    "a form of another kind": post("/decisions", DECIDE, "text/plain"),
    "a form as JSON": post("/decisions", b'{"decision":"waive"}', JSON),
    "a form that says where it comes from": post("/decisions", DECIDE, FORM, "Origin: http://HOST", "Referer: http://HOST/"),
    "a form without an origin": post("/decisions", DECIDE, FORM, "Origin: null"),
    "a decision": post("/api/v1/decisions", b'{"decision":"waive","exception_ids":["x"],"reason":"r"}', JSON),
    "a mapping": post("/api/v1/code-mappings", b"{}", JSON),
    "a compressed decision": post("/api/v1/decisions", gzip.compress(b" " * 10**6), JSON, "Content-Encoding: gzip"),
    "a logout of others": post("/logout", b"csrf=x", FORM),
    "a basic password": get("/exceptions", "Authorization: Basic YWRtaW46YWRtaW4="),
    "an empty authorization": get("/exceptions", "Authorization:"),
    "a bearer of nothing": get("/exceptions", "Authorization: Bearer "),
    "an unsigned JWT": get("/exceptions", "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."),
    "SQL as a token": get("/exceptions", "Authorization: Bearer hs_000000000000_' OR '1'='1"),
    "a token in other digits": get("/exceptions", "Authorization: Bearer hs_\xb2\xb2_x"),
    "SQL as a cookie": get("/exceptions", "Cookie: hourstream=' OR '1'='1"),
    "a cookie of the right form": get("/exceptions", "Cookie: hourstream=" + "A" * 43),
    "a cookie of 8 kB": get("/exceptions", "Cookie: hourstream=" + "A" * 8_000),
    "a hundred cookies": get("/exceptions", "Cookie: " + "; ".join(["hourstream=" + "B" * 43] * 100)),
    "a cookie of https": get("/exceptions", "Cookie: __Host-hourstream=" + "A" * 43),
    "a session in the query": get("/exceptions?hourstream=" + "A" * 43),
    "a callback that nobody began": get("/login/callback?code=x&state=y"),
    "a callback with an ID token": get("/login/callback?id_token=eyJhbGciOiJub25lIn0.e30.&state=y"),
    "a callback with markup": get("/login/callback?error=%3Cscript%3Ealert(1)%3C/script%3E&state=y"),
    "a callback by post": post("/login/callback", b"code=x&state=y", FORM),
    "a callback with a cookie of the right form": get(
        "/login/callback?code=x&state=y", "Cookie: hourstream-login=" + "A" * 43
    ),
    "a callback with twenty states": get("/login/callback?" + "&".join(["state=x"] * 20)),
}  # fmt: skip


@pytest.mark.parametrize("name", RAW)
def test_raw(attacked: Scene, name: str) -> None:
    answer = attacked.raw(RAW[name])
    assert_out(answer, attacked)
    assert "<script>alert" not in answer.body


# What of a right token is not enough. Each gets it, and says what to send.
Sent = tuple[str, dict[str, str], dict[str, str]]
TOKENS: dict[str, Callable[[str], Sent]] = {
    "in the query": lambda right: ("/api/v1/me", {}, {"token": right}),
    "in the query by its OAuth name": lambda right: ("/exceptions", {}, {"access_token": right}),
    "in a header of another name": lambda right: ("/api/v1/me", {"X-API-Key": right}, {}),
    "in the header of a proxy": lambda right: ("/api/v1/me", {"Proxy-Authorization": f"Bearer {right}"}, {}),
    "as a cookie": lambda right: ("/api/v1/me", {"Cookie": f"hourstream={right}"}, {}),
    "as a basic password": lambda right: ("/api/v1/me", {"Authorization": f"Basic {right}"}, {}),
    "without its scheme": lambda right: ("/api/v1/me", {"Authorization": right}, {}),
    "with a letter more": lambda right: ("/api/v1/me", {"Authorization": f"Bearer {right}A"}, {}),
    "with a letter less": lambda right: ("/api/v1/me", {"Authorization": f"Bearer {right[:-1]}"}, {}),
    "without its secret": lambda right: ("/api/v1/me", {"Authorization": f"Bearer {right[:16]}"}, {}),
    "with its id as secret": lambda right: ("/api/v1/me", {"Authorization": f"Bearer {right[:16]}{right[3:15]}"}, {}),
    "in capitals": lambda right: ("/api/v1/me", {"Authorization": f"Bearer {right.upper()}"}, {}),
    "twice": lambda right: ("/api/v1/me", {"Authorization": f"Bearer {right}, Bearer {right}"}, {}),
    "with a blank inside": lambda right: ("/api/v1/me", {"Authorization": f"Bearer {right[:20]} {right[20:]}"}, {}),
    "encoded": lambda right: ("/api/v1/me", {"Authorization": f"Bearer {right.replace('_', '%5f')}"}, {}),
    "with a wildcard": lambda right: ("/api/v1/me", {"Authorization": f"Bearer {right[:16]}%"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", TOKENS)
def test_token(attacked: Scene, name: str) -> None:
    path, headers, query = TOKENS[name](attacked.admin)
    answer = httpx.get(attacked.address + path, headers=headers, params=query, timeout=60)
    assert answer.status_code in (401, 422, 429), name
    assert_out(Answer(answer.status_code, dict(answer.headers), answer.text), attacked)


# A name is opened for somebody who is logged in and may see it, and only where it was read from the database.
PERSON = "person:" + "a" * 26
ORACLES = (
    "/nope?said={}", "/?said={}", "/login?next={}", "/login/callback?error={}", "/login/callback?iss={}",
    "/exceptions/{}", "/{}", "/search?q={}", "/trace?subject={}&engagement={}", "/charge?id={}", "/invoice?id={}",
    "/exceptions?client={}", "/exceptions?kind=code&code=UNMAPPED_CODE&missing={}", "/api/v1/charges/{}",
    "/api/v1/exceptions?client={}", "/static/{}", "/nope?said={}&mark={}", "/exceptions.csv?owner={}",
)  # fmt: skip


@pytest.mark.parametrize("path", ORACLES)
@pytest.mark.parametrize("who", ["nobody", "viewer without names"])
def test_no_name_is_opened(attacked: Scene, path: str, who: str) -> None:
    headers = {"Accept": "text/html"}
    if who != "nobody":
        headers["Authorization"] = f"Bearer {attacked.viewer}"
    for word in (attacked.person, f"sealed:{attacked.person}:AAAA", f"erased:{attacked.person}"):
        answer = httpx.get(attacked.address + path.replace("{}", word), headers=headers, timeout=60)
        assert answer.status_code < 500
        assert NAME not in answer.text, answer.status_code


def test_callbacks_of_nobody_fill_no_audit(attacked: Scene) -> None:
    before = len(acts(attacked.pool))
    with httpx.Client(base_url=attacked.address, timeout=60) as client:
        answers = [client.get("/login/callback", params={"code": "x", "state": "y"}).status_code for _ in range(60)]
    assert set(answers) == {403, 429}
    assert answers.count(403) <= 30
    assert len(acts(attacked.pool)) == before


def test_wrong_tokens_lock_out_no_right_one(attacked: Scene) -> None:
    with httpx.Client(base_url=attacked.address, timeout=60) as client:
        wrong = [
            client.get("/api/v1/me", headers={"Authorization": f"Bearer hs_{n:012x}_{'A' * 43}"}).status_code
            for n in range(60)
        ]
        assert set(wrong[30:]) == {429}
        assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {attacked.viewer}"}).status_code == 200


def test_made_up_proxies_give_no_new_tries(attacked: Scene) -> None:
    with httpx.Client(base_url=attacked.address, timeout=60) as client:
        answers = [
            client.get(
                "/api/v1/me",
                headers={"Authorization": f"Bearer hs_{n:012x}_{'A' * 43}", "X-Forwarded-For": f"10.0.0.{n}"},
            ).status_code
            for n in range(60)
        ]
    assert answers[-1] == 429
