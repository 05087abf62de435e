"""Login and logout: the only routes without a role.

A login in progress is a database row and a cookie, and is used once. The provider's answer must arrive at the browser
that began the login.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from psycopg import Cursor
from psycopg.rows import TupleRow

from console.access import sessions
from console.access.audit import record
from console.access.authentication import Access, access_of, current_user
from console.access.oidc import LoginRefused, Provider, ProviderUnreachable, Started
from console.access.safe_redirect import local
from console.access.user import User
from console.connections import RETRY_AFTER, connections_of

CALLBACK = "/login/callback"
_MINUTES = 10
_WAIT_SECONDS = 30.0  # for the provider, whose every answer has 10 s
_NOBODY = User("", frozenset(), sees_rates=False, via="login")
_SETUP = "No OpenID provider is set up here: HOURSTREAM_OIDC_ISSUER names one (docs/security.md)."
Answer = TypeVar("Answer")
Shown = Callable[[Request, User, str, str | None], HTMLResponse]
Text = Annotated[str, Query(max_length=2000)]


def router(leaving: Shown) -> APIRouter:
    """The routes; `leaving` renders the page after logout."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login")
    async def login(request: Request, next: Text = "/") -> Response:
        """Redirect to the provider."""
        access = access_of(request)
        if access.everybody is not None:
            return RedirectResponse(local(next), 303)
        access.pace.login_begins(request)
        secret = secrets.token_urlsafe(32)
        started = await _asked(access, _provider(access).start)
        async with connections_of(request).transaction() as cursor:
            await run_in_threadpool(_remember, cursor, secret, started, local(next))
        answer = RedirectResponse(started.url, 303)
        _set(answer, access, _cookie(access), secret, _MINUTES * 60)
        return answer

    @routes.get(CALLBACK)
    async def back(
        request: Request, code: Text = "", state: Text = "", error: Text = "", iss: Text | None = None
    ) -> Response:
        """Return from the provider. A refusal is audited only if the login began here; anybody can send others."""
        access = access_of(request)
        access.pace.login_comes_back(request)
        begun = await _begun(request, access)
        try:
            if begun is None:
                raise LoginRefused("it was not begun in this browser, or too long ago")
            user = await _let_in(access, begun, Answered(code, state, error, iss))
        except LoginRefused as refused:
            if begun is not None:
                async with connections_of(request).transaction() as cursor:
                    await run_in_threadpool(record, cursor, _NOBODY, "refused login", CALLBACK, str(refused))
            raise HTTPException(403, f"This login does not count: {refused}. Log in again from /login.") from refused
        earlier = request.cookies.get(access.cookie, "")
        async with connections_of(request).transaction() as cursor:
            secret = await run_in_threadpool(_begin, cursor, user, access, earlier)
        answer = RedirectResponse(begun.onwards, 303)
        _set(answer, access, access.cookie, secret, access.settings.console_login_minutes * 60)
        answer.delete_cookie(_cookie(access), path="/", secure=access.secure, httponly=True, samesite="lax")
        return answer

    @routes.post("/logout")
    async def logout(request: Request, user: Annotated[User, Depends(current_user)]) -> Response:
        """Ends the session here; the provider's own session continues until it is ended there."""
        access = access_of(request)
        async with connections_of(request).transaction() as cursor:
            await run_in_threadpool(_end, cursor, user, request.cookies.get(access.cookie, ""))
        try:
            at_provider = await _asked(access, access.provider.leaving) if access.provider else None
        except HTTPException:  # then there is no link to it, and the logout here is complete anyway
            at_provider = None
        answer = leaving(request, User("", frozenset(), sees_rates=False), "logged_out.html", at_provider)
        answer.delete_cookie(access.cookie, path="/", secure=access.secure, httponly=True, samesite="lax")
        return answer

    return routes


@dataclass(frozen=True, slots=True)
class BegunLogin:
    """A login in progress, begun in this browser."""

    state: str
    nonce: str
    verifier: str
    onwards: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The provider's answer."""

    code: str
    state: str
    error: str
    issuer: str | None


async def _asked(access: Access, ask: Callable[..., Answer], *words: str) -> Answer:
    """The provider's answer, with few threads and without a connection. Raises 503 if the provider does not answer."""
    try:
        async with asyncio.timeout(_WAIT_SECONDS), access.provider_calls:
            return await run_in_threadpool(ask, *words)
    except (ProviderUnreachable, TimeoutError) as error:
        raise HTTPException(503, f"You cannot log in now: {error or 'too many do'}.", RETRY_AFTER) from error


async def _begun(request: Request, access: Access) -> BegunLogin | None:
    """The login of this browser's cookie, taken once; None for none."""
    secret = request.cookies.get(_cookie(access), "")
    if not sessions.is_secret(secret):
        return None
    async with connections_of(request).transaction() as cursor:
        return await run_in_threadpool(_taken, cursor, secret)


def _taken(cursor: Cursor[TupleRow], secret: str) -> BegunLogin | None:
    row = cursor.execute(
        "DELETE FROM hourstream.console_logins WHERE digest = %s RETURNING state, nonce, verifier, next,"
        " expires_at > now()",
        (sessions.digest_of(secret),),
    ).fetchone()
    return BegunLogin(*row[:4]) if row is not None and row[4] else None


async def _let_in(access: Access, begun: BegunLogin, answered: Answered) -> User:
    if not hmac.compare_digest(answered.state.encode(), begun.state.encode()):
        raise LoginRefused("it answers another login")
    provider = _provider(access)
    provider.issued_by(answered.issuer)
    if answered.error or not answered.code:
        raise LoginRefused("the provider did not let you in")
    return await _asked(access, provider.finish, answered.code, begun.verifier, begun.nonce)


def _begin(cursor: Cursor[TupleRow], user: User, access: Access, earlier: str) -> str:
    """A new session, and the end of the one that this browser had."""
    if sessions.is_secret(earlier):
        sessions.end(cursor, earlier)
    rights = ", ".join(sorted(user.roles))
    shown = f"{'; sees rates' if user.sees_rates else ''}{'; sees names' if user.sees_names else ''}"
    record(cursor, user, "log in", rights + shown, "")
    return sessions.begin(cursor, user, access.settings)


def _end(cursor: Cursor[TupleRow], user: User, secret: str) -> None:
    sessions.end(cursor, secret)
    record(cursor, user, "log out", "", "")


def _remember(cursor: Cursor[TupleRow], secret: str, started: Started, onwards: str) -> None:
    cursor.execute("DELETE FROM hourstream.console_logins WHERE expires_at < now()")
    cursor.execute(
        "INSERT INTO hourstream.console_logins (digest, state, nonce, verifier, next, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, now() + make_interval(mins => %s))",
        (sessions.digest_of(secret), started.state, started.nonce, started.verifier, onwards, _MINUTES),
    )


def _provider(access: Access) -> Provider:
    if access.provider is None:
        raise HTTPException(503, _SETUP)
    return access.provider


def _cookie(access: Access) -> str:
    return access.cookie + "-login"


def _set(answer: Response, access: Access, name: str, value: str, seconds: int) -> None:
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=access.secure, httponly=True, samesite="lax")
