"""Tryton's JSON-RPC for functions without REST interface, such as wizards: a login with a password, one session."""

import base64
import itertools
import threading
from collections.abc import Mapping
from typing import Any

from sinks.delivery.secret_ref import NoSecret, Secret
from sinks.delivery.target import TargetMisconfigured, TargetUnavailable, TargetUnclear
from sinks.http.client import Calls, unexpected
from sinks.tryton.client import TrytonRefused
from sinks.tryton.wire import dumps, loads

_REFUSALS = ("UserError", "UserWarning")


class TrytonRpc:
    """A user's session in one database; opened when it is first needed, and again when it has run out."""

    def __init__(self, url: str, login: str, password: Secret, calls: Calls) -> None:
        """`url` is that of the database, `http://host:8000/database`."""
        self._url, self._login, self._password, self._calls = url.rstrip("/"), login, password, calls
        self._session: str | None = None
        self._lock, self._ids = threading.Lock(), itertools.count(1)

    def call(self, method: str, *params: object, context: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON
        """Call a method and return its result. Raises Refused for errors shown to Tryton's users, TargetUnavailable for
        others.
        """
        for last in (False, True):
            session = self._opened(renew=last)
            body = dumps({"id": next(self._ids), "method": method, "params": [*params, dict(context)]})
            reply = self._calls.send("POST", f"{self._url}/rpc/", _headers(session), body)
            if reply.status not in (401, 403):
                break
        if reply.status != 200:
            raise unexpected(f"POST {method}", f"{self._url}/rpc/", reply, TargetUnclear)
        return self._result(method, reply.body)

    def _opened(self, renew: bool) -> str:
        with self._lock:
            if self._session is None or renew:
                self._session = self._log_in()
            return self._session

    def _log_in(self) -> str:
        try:
            parameters = {"password": self._password.reveal()}
        except NoSecret as error:
            raise TargetUnavailable(str(error)) from error
        body = dumps({"id": 0, "method": "common.db.login", "params": [self._login, parameters, "en"]})
        reply = self._calls.send("POST", f"{self._url}/rpc/", _headers(None), body)
        if reply.status != 200:
            raise unexpected(f"login of {self._login}: POST", f"{self._url}/rpc/", reply, TargetMisconfigured)
        user, token = self._result("common.db.login", reply.body)[:2]
        return base64.b64encode(f"{self._login}:{user}:{token}".encode()).decode()

    def _result(self, method: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
        try:
            found = loads(body)
        except ValueError:
            raise TargetUnavailable(f"{method}: the answer is no JSON, so the result is unknown") from None
        if error := found.get("error"):
            words = " ".join(str(each) for each in (error[1] if error[0] in _REFUSALS else error) if each)[:500]
            if error[0] in _REFUSALS:
                raise TrytonRefused(words)
            raise TargetUnavailable(f"{method}: {words}")
        return found.get("result")


def _headers(session: str | None) -> dict[str, str]:
    opened = {} if session is None else {"Authorization": f"Session {session}"}
    return {"Content-Type": "application/json", "Accept": "application/json", **opened}
