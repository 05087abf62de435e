"""Attacks on the receiver over HTTP: unsigned, forged, replayed, malformed, too large, too slow; each is answered."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.integration.sources.running import Installation
from tests.integration.sources.test_webhook import BODY, SECRET, listening, signed

pytestmark = pytest.mark.attack  # docs/attacks.md lists them

SECONDS = 2


@pytest.fixture(scope="module")
def port(here: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    secrets = tmp_path_factory.mktemp("secrets") / "jira"
    secrets.touch(mode=0o600)
    secrets.write_bytes(SECRET + b"\n")
    process = here.started(
        "receive", "--source", "jira", "--secret-file", str(secrets), "--max-kib", "1024", "--seconds", str(SECONDS)
    )
    try:
        yield listening(process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def message(body: bytes, *headers: str, path: str = "/jira", method: str = "POST", length: str | None = None) -> bytes:
    told = str(len(body)) if length is None else length
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {told}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def answered(port: int, request: bytes) -> tuple[int, dict[str, object]]:
    """(status, JSON) of raw bytes; (0, {}) where the connection was closed without an answer."""
    with socket.create_connection(("127.0.0.1", port), 30) as line:
        line.sendall(request)
        answer = http.client.HTTPResponse(line)
        try:
            answer.begin()
            body = answer.read()
        except (http.client.HTTPException, ConnectionError):
            return 0, {}
    is_json = answer.getheader("Content-Type", "") == "application/json"
    return answer.status, json.loads(body) if is_json else {}


CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
RIGHT = f"X-Hub-Signature: {signed(BODY)}"
REFUSED: dict[str, bytes] = {
    "unsigned": message(BODY),
    "an empty signature": message(BODY, "X-Hub-Signature:"),
    "a signature of nothing": message(BODY, "X-Hub-Signature: sha256="),
    "a signature of another message": message(BODY + b" ", RIGHT),
    "a signature by another secret": message(BODY, f"X-Hub-Signature: {signed(BODY, b'another secret of it')}"),
    "a signature by an empty secret": message(BODY, f"X-Hub-Signature: {signed(BODY, b'')}"),
    "a signature of another digest": message(BODY, "X-Hub-Signature: sha1=" + "0" * 40),
    "half a signature": message(BODY, RIGHT[:40]),
    "two signatures": message(BODY, RIGHT, "X-Hub-Signature: sha256=" + "0" * 64),
    "the same signature twice": message(BODY, RIGHT, RIGHT),
    "a signature in the query": message(BODY, path=f"/jira?X-Hub-Signature={signed(BODY)}"),
    "a signature under another name": message(BODY, f"X-Signature: {signed(BODY)}"),
    "a signature that is no ASCII": message(BODY, "X-Hub-Signature: sha256=\xe9\xff"),
    "a signature of 50 kB": message(BODY, "X-Hub-Signature: sha256=" + "a" * 50_000),
    "the secret as signature": message(BODY, f"X-Hub-Signature: {SECRET.decode()}"),
    "another method": message(b"", RIGHT, method="GET"),
    "PUT": message(BODY, RIGHT, method="PUT"),
    "DELETE": message(b"", method="DELETE"),
    "TRACE": message(b"", method="TRACE"),
    "another method in a header": message(b"", RIGHT, "X-HTTP-Method-Override: POST", method="GET"),
    "another path": message(BODY, RIGHT, path="/toggl"),
    "a path out of it": message(BODY, RIGHT, path="/jira/../etc/passwd"),
    "the path encoded twice": message(BODY, RIGHT, path="/%256aira"),
    "the path in capitals": message(BODY, RIGHT, path="/JIRA"),
    "no length": message(BODY, RIGHT).replace(f"Content-Length: {len(BODY)}\r\n".encode(), b""),
    "chunks": message(CHUNKS, RIGHT, "Transfer-Encoding: chunked").replace(b"Content-Length: 15\r\n", b""),
    "a length below nothing": message(BODY, RIGHT, length="-1"),
    "a length in hexadecimal": message(BODY, RIGHT, length="0x10"),
    "a length of 40 digits": message(BODY, RIGHT, length="9" * 40),
    "a length over the limit": message(b"x", RIGHT, length=str(1024 * 1024 + 1)),
    "two lengths": message(BODY, RIGHT, "Content-Length: 1"),
    "less than the length": message(BODY[:10], RIGHT, length=str(len(BODY))),
    "a broken request": b"\x00\x01\x02\r\n\r\n",
    "TLS": bytes.fromhex("160301020001000100030300") + b"\x00" * 200,
    "5,000 headers": message(BODY, *(f"X{n}: a" for n in range(5_000))),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(here: Installation, port: int, name: str) -> None:
    before = len(here.records("source.jira.worklogs")) + len(here.records("dead.letters"))
    status, _ = answered(port, REFUSED[name])
    assert status == 0 or 400 <= status < 500, status
    assert len(here.records("source.jira.worklogs")) + len(here.records("dead.letters")) == before


def worklog(**changed: object) -> bytes:
    value = json.loads(BODY)
    value["worklog"] |= changed
    return json.dumps(value).encode()


MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "bytes that are no text": b"\xff\xfe\x00\x01",
    "a list": b"[]",
    "null": b"null",
    "a number of 5,000 digits": b"9" * 5_000,
    "no number": b'{"worklog": NaN}',
    "nested 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "a worklog that is a text": b'{"worklog": "x"}',
    "a worklog that is a list": b'{"worklog": [[], {}, 1]}',
    "an empty worklog": b'{"worklog": {}}',
    "a key twice": b'{"worklog": {}, "worklog": []}',
    "a lone surrogate": worklog(id="\ud801x", comment="\ud801"),
    "a NUL in an id": worklog(id="2\x000001"),
    "an id that is an object": worklog(id={"$ne": ""}),
    "the year 1": worklog(id="20101", started="0001-01-01T00:00:00.000+1400"),
    "the year 9999": worklog(id="20102", started="9999-12-31T23:59:59.000-1400"),
    "seconds beyond 64 bits": worklog(id="20103", timeSpentSeconds=2**70),
    "seconds that are infinite": BODY.replace(b"14400", b"1e999").replace(b"20001", b"20104"),
    "an id of 100,000 characters": worklog(id="x" * 100_000),
    "nothing but blanks, 1 MiB of them": b" " * (1024 * 1024),
    "compressed": bytes.fromhex("1f8b0800000000000003"),
    "XML with entities": b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_that_is_signed_is_kept_and_answered(here: Installation, port: int, name: str) -> None:
    body = MALFORMED[name]
    kept = len(here.records("source.jira.worklogs")) + len(here.records("dead.letters"))
    request = message(body, f"X-Hub-Signature: {signed(body)}")
    status, value = answered(port, request)
    assert status == 200, (status, value)
    assert value["repeated"] is False
    assert int(str(value["records"])) + int(str(value["bad"])) >= 1
    assert len(here.records("source.jira.worklogs")) + len(here.records("dead.letters")) > kept
    assert answered(port, request)[1]["repeated"] is True


def drip(start: bytes, every: bytes) -> Callable[[socket.socket], None]:
    """Send `start`, then `every` now and then, as long as the other side listens."""

    def send(line: socket.socket) -> None:
        line.sendall(start)
        while True:
            time.sleep(0.3)
            line.sendall(every)

    return send


SLOW: dict[str, Callable[[socket.socket], None]] = {
    "nothing at all": lambda line: time.sleep(0),
    "a head that never ends": drip(b"POST /jira HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"),
    "a body that never ends": drip(message(b"", RIGHT, length="100000"), b" "),
    "a request that stops in its line": lambda line: line.sendall(b"POST /ji"),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_slow_message_ends_in_time(port: int, name: str) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 30) as line:
        try:
            SLOW[name](line)
            while line.recv(4096):
                pass
        except (ConnectionError, BrokenPipeError):
            pass
    assert time.monotonic() - began < SECONDS + 5 + 5


def test_a_hundred_slow_senders_keep_nobody_out(here: Installation, port: int) -> None:
    lines = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(100)]
    try:
        for line in lines:
            line.sendall(b"POST /jira HTTP/1.1\r\nHost: x\r\n")
        body = BODY.replace(b'"20001"', b'"20200"')
        assert answered(port, message(body, f"X-Hub-Signature: {signed(body)}")) == (
            200, {"records": 1, "bad": 0, "repeated": False},
        )  # fmt: skip
    finally:
        for line in lines:
            line.close()
