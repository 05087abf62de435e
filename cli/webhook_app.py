"""The HTTP receiver of a webhook: one path, one method, bounded in size and time, with an answer to every message.

200: the broker has the message (or had it before, or has it as a dead letter). 401: not signed or not fresh. 408: too
slow. 411 and 413: no declared length, or too large. 503: not published; send it again.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from operations.file_ingest import AnotherTakes
from operations.webhook_ingest import NotAccepted, Receiver

log = logging.getLogger(__name__)
_AGAIN = {"error": "not published; send it again"}
Answer = tuple[int, Mapping[str, object]]


class WebhookApp:
    """An ASGI application. `on_fenced` is called when another process receives for the same source."""

    def __init__(self, receiver: Receiver, path: str, max_bytes: int, seconds: float) -> None:
        self._receiver, self._path, self._max_bytes, self._seconds = receiver, path, max_bytes, seconds
        self.on_fenced: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("this serves HTTP only")
        try:
            status, value = await self._answered(scope, receive)
        except ClientDisconnect:
            return
        body = json.dumps(value).encode()
        headers = [
            (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"connection", b"close"),
        ]  # fmt: skip
        if status == 503:
            headers.append((b"retry-after", b"10"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answered(self, scope: Scope, receive: Receive) -> Answer:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if scope["path"] != self._path:
            return 404, {"error": f"messages go to {self._path}"}
        if scope["method"] != "POST":
            return 405, {"error": "messages are posted"}
        if not (length.isascii() and length.isdecimal()):
            return 411, {"error": "Content-Length is needed"}
        if len(length) > 12 or int(length) > self._max_bytes:
            return 413, {"error": f"a message has at most {self._max_bytes} bytes"}
        try:
            async with asyncio.timeout(self._seconds):
                body = await _whole(receive)
        except TimeoutError:
            return 408, {"error": f"a message has {self._seconds:g} seconds to arrive"}
        return await self._taken(scope, headers, body)

    async def _taken(self, scope: Scope, headers: Headers, body: bytes) -> Answer:
        # A repeated header would be joined to one value that was not signed.
        given = {name: ", ".join(headers.getlist(name)) for name in headers}
        try:
            accepted = await run_in_threadpool(self._receiver.accept, given, body)
        except NotAccepted as refusal:
            log.warning("a message from %s was refused: %s", (scope.get("client") or ["?"])[0], refusal)
            return 401, {"error": "not signed, or not of now"}
        except AnotherTakes as fenced:
            log.error("%s", fenced)
            self.on_fenced()
            return 503, _AGAIN
        except Exception:
            log.exception("a message could not be published")
            return 503, _AGAIN
        return 200, {"records": accepted.records, "bad": accepted.bad, "repeated": accepted.repeated}


async def _whole(receive: Receive) -> bytes:
    """The body; the server enforces the declared length. Raises ClientDisconnect."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)
