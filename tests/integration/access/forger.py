"""An OpenID provider that signs whatever a test asks of it, over real HTTP; it holds the console to PKCE."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote_plus, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.integration.access.doors import CLIENT, SECRET

Claims = dict[str, object]
Forge = Callable[["Forger", Claims], str]


def new_key(kid: str) -> RSAKey:
    """A signing key."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


def honest(forger: "Forger", claims: Claims) -> str:
    """The ID token that belongs there."""
    return jwt.encode({"alg": "RS256", "kid": forger.key.kid or ""}, claims, forger.key)


class Forger:
    """The provider. `forge` makes the ID token from the claims that would be right."""

    def __init__(self) -> None:
        self.key = new_key("first")
        self.forge: Forge = honest
        self.issuer = ""
        self.asked_for_keys = 0
        self._waiting: dict[str, tuple[str, str]] = {}

    def allow(self, sent_to: str) -> dict[str, str]:
        """What a browser brings back from the address it was sent to."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(sent_to).query).items()}
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self._waiting[code] = query["nonce"], query["code_challenge"]
        return {"code": code, "state": query["state"]}

    def document(self, path: str) -> object:
        """What stands at an address."""
        if path == "/keys":
            self.asked_for_keys += 1
            return KeySet([self.key]).as_dict()
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def exchange(self, authorization: str, form: dict[str, list[str]]) -> tuple[int, object]:
        """(status, answer) to a code: once, for the client with its secret, with the verifier of its challenge."""
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        nonce, challenge = self._waiting.pop(form["code"][0], ("", ""))
        proof = base64.urlsafe_b64encode(sha256(form["code_verifier"][0].encode()).digest()).rstrip(b"=").decode()
        if (unquote_plus(name), unquote_plus(secret), proof) != (CLIENT, SECRET, challenge):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims: Claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "mallory", "groups": ["lead"], "nonce": nonce, "iat": now,
            "exp": now + 300,
        }  # fmt: skip
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.forge(self, claims)}


@contextmanager
def forging() -> Iterator[Forger]:
    """The provider, serving on loopback."""
    forger = Forger()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, forger.document(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(*forger.exchange(self.headers.get("Authorization", ""), parse_qs(body)))

        def _answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: tests say what they see."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    forger.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield forger
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
