"""Around the whole application: what every answer says to a browser, and what is not let in at all.

Requests for another host (a name rebound to this address) and bodies over the limit are answered here, before anything
else has looked at them.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.access.settings import is_loopback

LARGEST_BODY = 1 << 20
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class _TooLarge(Exception):
    pass


class Shield:
    """The outermost part of the application. `url` is the console's own address."""

    def __init__(self, app: ASGIApp, url: str) -> None:
        self._app = app
        own = urlsplit(url)
        self._hosts = _LOOPBACK if is_loopback(own.hostname or "") else frozenset({(own.hostname or "").lower()})
        self._secure = own.scheme == "https"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _host(headers.get("host", "")) not in self._hosts:
            await self._refuse(scope, receive, send, 421, "This console has another address.")
            return
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            await self._too_large(scope, receive, send)
            return
        begun = False

        async def answering(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(self._shielded(scope, message))

        try:
            await self._app(scope, _counted(receive), answering)
        except _TooLarge:
            if begun:
                raise
            await self._too_large(scope, receive, send)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._refuse(scope, receive, send, 413, f"At most {LARGEST_BODY:,} bytes may be sent at once.")

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, words: str) -> None:
        async def answering(message: Message) -> None:
            await send(self._shielded(scope, message))

        await PlainTextResponse(words, status, {"Connection": "close"})(scope, receive, answering)

    def _shielded(self, scope: Scope, message: Message) -> Message:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in self._headers(str(scope["path"])):
                headers[name] = value
        return message

    def _headers(self, path: str) -> Iterable[tuple[str, str]]:
        yield from HEADERS.items()
        if self._secure:
            yield "Strict-Transport-Security", "max-age=31536000"
        if not path.startswith("/static/"):
            yield "Cache-Control", "no-store"


def _host(header: str) -> str:
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def _counted(receive: Receive) -> Receive:
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > LARGEST_BODY:
                raise _TooLarge
        return message

    return counting
