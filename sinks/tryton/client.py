"""Tryton's REST interface for user applications: searches, creates and writes records, and presses their buttons.

One request is one transaction of Tryton. 400 is a refusal with its message. After 503 (a lock conflict, a database that
is away) and any other answer the result is unknown.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from common.errors import SinkError
from sinks.delivery.secret_ref import NoSecret, Secret
from sinks.delivery.target import TargetMisconfigured, TargetUnavailable, TargetUnclear
from sinks.http.client import Calls, Reply, shown
from sinks.http.statuses import StatusKind, kind_of_status
from sinks.tryton.wire import Row, dumps, loads

_ADVICE = {
    401: "the key is not accepted: check `key` of this target, and that the application is validated in Tryton",
    403: "the key's user may not do that: check its groups and companies in Tryton (docs/tryton.md)",
    404: "there is no such database, model or record: check `url` of this target, and that the module is activated",
    503: "locked by another transaction, or its database is away; offered again",
}
_KINDS: dict[StatusKind, type[TargetUnavailable]] = {
    "transient": TargetUnavailable, "configuration": TargetMisconfigured, "content": TargetUnclear,
    "unknown": TargetUnclear,
}  # fmt: skip
Domain = Sequence[object]


class TrytonRefused(SinkError):
    """Tryton refused, in its own words; no part of the request was done."""


class TrytonClient:
    """One database of a Tryton server. May be used from several threads."""

    def __init__(self, url: str, key: Secret, calls: Calls, context: Mapping[str, object] | None = None) -> None:
        """`url` is that of the database, `http://host:8000/database`; `context` is what every request is made in."""
        self._url, self._key, self._calls = url.rstrip("/"), key, calls
        self._context = dict(context or {})

    def within(self, **context: object) -> "TrytonClient":
        """The same server and key in a further context, such as `company`."""
        return TrytonClient(self._url, self._key, self._calls, {**self._context, **context})

    def search(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        limit: int | None = None,
        order: Sequence[tuple[str, str]] | None = None,
    ) -> list[Row]:
        """The records a domain finds, with these fields, in the order of `order`. Raises Refused, TargetUnavailable."""
        asked = {"domain": domain, "fields_names": list(fields), "limit": limit, "order": order}
        found = self._send("POST", f"model/{model}/search_read", asked)
        if not isinstance(found, list):
            raise TargetUnavailable(f"{model} was searched and answered with no list")
        return cast(list[Row], found)

    def create(self, model: str, values: Row, *fields: str) -> Row:
        """One new record, with whatever it contains, and these fields of it. Raises Refused, TargetUnavailable."""
        return self._record("POST", f"model/{model}", values, fields)

    def create_many(self, model: str, rows: Sequence[Row]) -> list[int]:
        """New records in one transaction; their ids in the same order. Raises Refused, TargetUnavailable."""
        found = self._send("POST", f"model/{model}/create", {"vlist": rows})
        if not isinstance(found, list) or len(found) != len(rows):
            raise TargetUnavailable(f"{len(rows)} records of {model} were created, but their ids did not come")
        return [int(each) for each in found]

    def write(self, model: str, record: int, values: Row, *fields: str) -> Row:
        """Change a record; these fields of it after that. Raises Refused, TargetUnavailable."""
        return self._record("PUT", f"model/{model}/{record}", values, fields)

    def press(self, model: str, record: int, button: str, *fields: str) -> Row:
        """Press a button of a record (`post`, `cancel`); these fields of it after that. Raises as the others."""
        return self._record("POST", f"model/{model}/{record}/{button}", {}, fields)

    def _record(self, method: str, path: str, values: Row, fields: Sequence[str]) -> Row:
        asked = "&".join(f"f={quote(field)}" for field in (*fields, "id"))
        found = self._send(method, f"{path}?{asked}", values)
        if not isinstance(found, dict) or "id" not in found:
            raise TargetUnavailable(f"{method} {path}: the answer is no record, so the result is unknown")
        return found

    def _send(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 - JSON; the callers check it
        url = f"{self._url}/rest/{path}"
        try:
            headers = {
                "Authorization": f"bearer {self._key.reveal()}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "X-Tryton-Context": base64.urlsafe_b64encode(dumps(self._context)).decode(),
            }
        except NoSecret as error:
            raise TargetUnavailable(str(error)) from error
        reply = self._calls.send(method, url, headers, dumps(body))
        return self._judged(f"{method} {shown(url)}", reply)

    def _judged(self, what: str, reply: Reply) -> object:
        if reply.status not in (200, 204, 400):
            advice = _ADVICE.get(reply.status, "it failed over there; see its log")
            kind = _KINDS[kind_of_status(reply.status)]
            raise kind(f"{what}: answered {reply.status}: {advice}", reply.retry_after)
        try:
            found = loads(reply.body) if reply.body else None
        except ValueError:
            raise TargetUnavailable(f"{what}: {reply.body[:60]!r} is no JSON, so the result is unknown") from None
        if reply.status == 400:
            raise TrytonRefused(_words(found) or f"{what}: answered 400")
        return found


def _words(found: object) -> str:
    """Tryton's message and its description, as one line."""
    if not isinstance(found, dict):
        return ""
    parts = (str(found.get(name) or "").strip() for name in ("message", "description"))
    return " ".join(part for part in parts if part)[:500]
