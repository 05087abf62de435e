"""A billing application for tests: a server process of its own, its state in SQLite, its answers as careful as a real
one's. `python -m tests.contract.sinks.receiver FILE PORT`; the secrets it checks are in its environment.

It verifies tokens and signatures, and makes a charge once per idempotency key: `made` has no other guard, so a charge
that is sent under two keys is there twice. `POST /control` tells it to misbehave, `GET /state` what it has.
"""

import hmac
import json
import os
import secrets
import sqlite3
import sys
import threading
import time
from base64 import b64decode
from collections import Counter
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

_TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS made (seq INTEGER PRIMARY KEY AUTOINCREMENT, charge_id TEXT, value TEXT, worked INTEGER);
CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, seq INTEGER, content TEXT);
CREATE TABLE IF NOT EXISTS requests (key TEXT PRIMARY KEY, body TEXT, answer TEXT);
"""
Json = dict[str, Any]


class Application:
    """What it has made, whom it knows, and what it was told to do."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.executescript(_TABLES)
        self._lock = threading.Lock()
        self.control: Json = {}
        self.counts = Counter[str]()
        self.starts: list[float] = []  # when each request for charges came
        self._tokens: dict[str, float] = {}

    def told(self, what: str) -> bool:
        """Whether it is to misbehave so now: as many times as it was told."""
        with self._lock:
            times = int(self.control.get(what, 0))
            self.control[what] = max(times - 1, 0)
            return times > 0

    def token(self, basic: str, form: dict[str, list[str]]) -> Json | None:
        """A new token for the client it knows."""
        expected = f"client:{os.environ['RECEIVER_CLIENT_SECRET']}"
        client, _, secret = b64decode(basic).decode().partition(":")
        if f"{unquote(client)}:{unquote(secret)}" != expected or form.get("grant_type") != ["client_credentials"]:
            return None
        token, seconds = secrets.token_hex(16), self.control.get("token_seconds", 3600)
        self._tokens[token] = time.monotonic() + seconds
        self.counts["tokens"] += 1
        return {"access_token": token, "token_type": "Bearer", "expires_in": seconds}

    def knows(self, token: str) -> bool:
        """Whether a token was given and holds, or is the key."""
        if self.control.get("forget_tokens"):
            self._tokens.clear()
            self.control["forget_tokens"] = False
        return token == os.environ.get("RECEIVER_KEY") or self._tokens.get(token, 0.0) > time.monotonic()

    def signed(self, headers: Message, body: bytes) -> bool:
        """Whether a body is signed, and lately."""
        timestamp, signature = headers.get("Hourstream-Timestamp", ""), headers.get("Hourstream-Signature", "")
        if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > 300:
            return False
        secret = os.environ["RECEIVER_SIGNING_SECRET"].encode()
        mac = hmac.new(secret, timestamp.encode() + b"." + body, "sha256").hexdigest()
        return hmac.compare_digest(f"v1={mac}", signature)

    def take(self, key: str, body: bytes, one: bool) -> tuple[int, Json]:
        """Answer a request for one charge or a batch; under the key of an earlier one, the earlier answer."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                known = self._database.execute("SELECT body, answer FROM requests WHERE key = ?", (key,)).fetchone()
                if known is not None:
                    self.counts["repeated"] += 1
                    if known[0] != body.decode():
                        return 422, {"error": {"message": "this idempotency key came with another body"}}
                    return 200, json.loads(known[1])
                status, answer = self._single(key, json.loads(body)) if one else self._batch(json.loads(body))
                if status == 200:
                    self._database.execute(
                        "INSERT INTO requests VALUES (?, ?, ?)", (key, body.decode(), json.dumps(answer))
                    )
                return status, answer
            finally:
                self._database.execute("COMMIT")

    def _single(self, key: str, charge: Json) -> tuple[int, Json]:
        if refusal := self._refusal(charge):
            return 422, {"error": {"message": refusal}}
        return 200, {"id": f"D-{self._made(key, charge)[0]}"}

    def _batch(self, batch: Json) -> tuple[int, Json]:
        charges = batch["charges"]
        if len(charges) > 100 or batch.get("origin") != "hourstream":
            return 400, {"message": "a batch has at most 100 charges and an origin"}
        if len({charge["money"]["currency"] for charge in charges}) > 1:
            return 400, {"message": "a batch has one currency"}
        if self.control.get("refuse_whole") and len(charges) > 1 and any(map(self._refusal, charges)):
            return 422, {"message": "something in this batch is wrong"}
        return 200, {"results": [self._item(charge) for charge in charges]}

    def _item(self, charge: Json) -> Json:
        key = charge["external_id"]
        if refusal := self._refusal(charge):
            return {"external_id": key, "outcome": "rejected", "message": refusal}
        seq, new = self._made(key, charge)
        return {"external_id": key, "outcome": "created" if new else "exists", "document": {"number": f"D-{seq}"}}

    def _refusal(self, charge: Json) -> str | None:
        if charge["external_id"] in self.control.get("refuse", ()):
            return "the period is closed"
        return None if charge["entity"] else "entity is missing"

    def _made(self, key: str, charge: Json) -> tuple[int, bool]:
        known = self._database.execute("SELECT seq FROM keys WHERE key = ?", (key,)).fetchone()
        if known is not None:
            self.counts["exists"] += 1
            return int(known[0]), False
        made = self._database.execute(
            "INSERT INTO made (charge_id, value, worked) VALUES (?, ?, ?)",
            (charge["external_id"], charge["money"]["value"], charge["worked_minutes"]),
        ).lastrowid
        self._database.execute("INSERT INTO keys VALUES (?, ?, ?)", (key, made, json.dumps(charge)))
        return int(made or 0), True

    def state(self) -> Json:
        """Everything made, in order, and what was counted."""
        with self._lock:
            rows = self._database.execute("SELECT charge_id, value, worked FROM made ORDER BY seq").fetchall()
        return {"made": rows, "counts": dict(self.counts), "starts": self.starts}

    def reset(self) -> None:
        """Forget everything but the tables."""
        with self._lock:
            for table in ("made", "keys", "requests"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - of three constants
        self.control, self.counts, self.starts = {}, Counter(), []
        self._tokens.clear()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    application: Application
    timeout = 60

    def do_GET(self) -> None:
        if self.path == "/state":
            self._answer(200, self.application.state())
        else:
            down = self.path != "/health" or self.application.control.get("down")
            self._answer(503 if down else 200, {"ok": not down})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/control":
            told = json.loads(body)
            if told.pop("reset", False):
                self.application.reset()
            self.application.control |= told
            self._answer(200, {})
        elif self.path == "/oauth/token":
            basic = self.headers.get("Authorization", "").removeprefix("Basic ")
            token = self.application.token(basic, parse_qs(body.decode()))
            self._answer(200 if token else 401, token or {"error": "invalid_client"})
        else:
            self._charges(body)

    def _charges(self, body: bytes) -> None:
        app = self.application
        app.counts["requests"] += 1
        app.starts.append(time.time())
        time.sleep(app.control.get("slow", 0.0))
        if app.control.get("down") or app.told("fail"):
            app.counts["failed"] += 1
            asked = app.control.get("retry_after")
            self._answer(503, {"message": "busy"}, {} if asked is None else {"Retry-After": asked})
        elif not app.knows(self.headers.get("Authorization", "").removeprefix("Bearer ")):
            app.counts["unauthorised"] += 1
            self._answer(401, {"message": "who are you?"})
        elif not app.signed(self.headers, body):
            app.counts["unsigned"] += 1
            self._answer(401, {"message": "not signed"})
        elif self.path not in ("/v1/usage-charges", "/v1/usage-charges/batch"):
            self._answer(404, {"message": "no such path"})
        else:
            status, answer = app.take(self.headers["Idempotency-Key"], body, one=not self.path.endswith("/batch"))
            self._misanswer(status, answer)

    def _misanswer(self, status: int, answer: Json) -> None:
        """The answer, or what is left of it."""
        app = self.application
        if app.told("cut"):
            self._raw(status, json.dumps(answer).encode()[:-5], "application/json")
        elif app.told("html"):
            self._raw(status, b"<html>Welcome to the network</html>", "text/html")
        elif app.told("break"):
            whole = json.dumps(answer).encode()
            self._raw(status, whole[:-5], "application/json", length=len(whole))
            self.close_connection = True
        elif app.told("forget"):
            self._answer(status, {**answer, "results": answer.get("results", [])[:-1]})
        else:
            self._answer(status, answer)

    def _answer(self, status: int, answer: Json, headers: Json | None = None) -> None:
        self._raw(status, json.dumps(answer).encode(), "application/json", headers=headers)

    def _raw(self, status: int, body: bytes, kind: str, length: int | None = None, headers: Json | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


class Server(ThreadingHTTPServer):
    """Connections that break are what the tests are about."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            print(client_address, repr(sys.exception()), file=sys.stderr)


def main() -> None:
    Handler.application = Application(Path(sys.argv[1]))
    Server(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()


if __name__ == "__main__":
    main()
