"""Middleware of the whole application: security headers on every answer, and requests refused before routing.

Requests for another host (a name rebound to this address) are refused here first. FastAPI refuses bodies over
`LARGEST_BODY` while they arrive, with or without a declared length.
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


# Headers that a proxy adds: behind a proxy, everybody who reaches it would have access when login is off.
_FORWARDED = (
    "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
    "x-forwarded-server", "x-original-host", "x-original-url", "x-real-ip", "x-rewrite-url", "true-client-ip",
    "cf-connecting-ip",
)  # fmt: skip


class PublicAndOpen(ValueError):
    """A console without a login would have an address that others reach."""


def refuse_public(url: str) -> None:
    """Raises PublicAndOpen for an address that is not this machine's own."""
    if not is_loopback(urlsplit(url).hostname or ""):
        raise PublicAndOpen(f"without a login the console is for this machine only, and {url} is an address of others")


class Shield:
    """The outermost part of the application, on its own address `url`; open, it serves no proxy's requests."""

    def __init__(self, app: ASGIApp, url: str, is_open: bool = False) -> None:
        self._app, self._is_open = app, is_open
        own = urlsplit(url)
        self._hosts = _LOOPBACK if is_loopback(own.hostname or "") else frozenset({(own.hostname or "").lower()})
        self._secure = own.scheme == "https"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, self._shielding(scope, send))
            return
        await self._app(scope, receive, self._shielding(scope, send))

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _host(hosts[0]) not in self._hosts:
            return PlainTextResponse("This console has another address.", 421)
        if self._is_open:
            client = scope.get("client") or ("", 0)
            if not is_loopback(str(client[0])) or any(name in headers for name in _FORWARDED):
                return PlainTextResponse("Without a login this console is not served through a proxy.", 403)
        return None

    def _shielding(self, scope: Scope, send: Send) -> Send:
        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers(str(scope["path"])):
                    headers[name] = value
            await send(message)

        return answering

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
