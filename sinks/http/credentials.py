"""Credentials for a billing application: a key or an OAuth 2 client, and a signature of each request."""

import hmac
import json
import time
from base64 import b64encode
from collections.abc import Callable
from threading import Lock
from typing import Protocol
from urllib.parse import quote, urlencode

from sinks.delivery.secret_ref import Secret
from sinks.delivery.target import TargetMisconfigured, TargetUnavailable
from sinks.http.client import Calls, shown, unexpected

_EARLY = 30.0  # seconds before its end that a token is renewed
TIMESTAMP, SIGNATURE = "Hourstream-Timestamp", "Hourstream-Signature"


class Credentials(Protocol):
    """The credentials of a request."""

    def headers(self) -> dict[str, str]:
        """Headers to send. Raises TargetUnavailable, NoSecret."""

    def renew(self) -> bool:
        """They were not accepted (401): whether there are others now."""


class NoCredentials:
    """An application that asks for none."""

    def headers(self) -> dict[str, str]:
        return {}

    def renew(self) -> bool:
        return False


class Key:
    """A key in a header, such as `Authorization: Bearer ...`."""

    def __init__(self, key: Secret, header: str = "Authorization", scheme: str = "Bearer") -> None:
        self._key, self._header, self._scheme = key, header, scheme

    def headers(self) -> dict[str, str]:
        return {self._header: f"{self._scheme} {self._key.reveal()}".strip()}

    def renew(self) -> bool:
        return False


class ClientCredentials:
    """An OAuth 2 client (RFC 6749 §4.4): a token, kept until shortly before its end or until it is not accepted."""

    def __init__(
        self,
        calls: Calls,
        token_url: str,
        client_id: str,
        client_secret: Secret,
        scope: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls, self._url, self._scope, self._clock = calls, token_url, scope, clock
        self._client_id, self._client_secret = client_id, client_secret
        self._lock = Lock()
        self._token, self._until = "", 0.0

    def headers(self) -> dict[str, str]:
        with self._lock:
            if self._clock() >= self._until:
                self._token, self._until = self._fetched()
            return {"Authorization": f"Bearer {self._token}"}

    def renew(self) -> bool:
        with self._lock:
            self._until = 0.0
        return True

    def _fetched(self) -> tuple[str, float]:
        # Basic authentication as RFC 6749 §2.3.1 has it: both parts form-encoded first.
        pair = f"{quote(self._client_id, safe='')}:{quote(self._client_secret.reveal(), safe='')}"
        headers = {
            "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        reply = self._calls.send("POST", self._url, headers, urlencode(form).encode())
        if reply.status != 200:
            raise unexpected("POST", self._url, reply, TargetMisconfigured)
        try:
            answer = json.loads(reply.body)
            token, seconds = answer["access_token"], float(answer.get("expires_in", 300))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TargetUnavailable(f"POST {shown(self._url)}: answered no token (access_token, expires_in)") from None
        return str(token), self._clock() + max(seconds - _EARLY, seconds / 2)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`v1=` and the HMAC-SHA256 of the timestamp, a point and the body, in hexadecimal."""
    return "v1=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hexdigest()


def signed(secret: Secret | None, body: bytes, now: float) -> dict[str, str]:
    """The headers that sign a body; none without a secret. Raises NoSecret."""
    if secret is None:
        return {}
    timestamp = str(int(now))
    return {TIMESTAMP: timestamp, SIGNATURE: signature(secret.reveal(), timestamp, body)}
