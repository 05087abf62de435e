"""Logging in and out. Open to everybody, and the only routes that are.

A login on its way is a row of the database and a cookie of its own, taken once: what comes back from the provider must
come to the browser that went there.
"""

import hmac
import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from console.access import sessions
from console.access.audit import record
from console.access.authentication import Access, access_of, current_user
from console.access.oidc import LoginRefused, Provider, ProviderUnreachable, Started
from console.access.safe_redirect import local
from console.access.user import User
from storage.postgres import transaction

CALLBACK = "/login/callback"
_MINUTES = 10
_NOBODY = User("", frozenset(), sees_rates=False, via="login")
_SETUP = "No OpenID provider is set up here: HOURSTREAM_OIDC_ISSUER names one (docs/security.md)."
Shown = Callable[[Request, User, str, str | None], HTMLResponse]
Text = Annotated[str, Query(max_length=2000)]


def router(leaving: Shown) -> APIRouter:
    """The routes; `leaving` shows the page of who has logged out."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login")
    def login(request: Request, next: Text = "/") -> Response:
        """To the provider."""
        access = access_of(request)
        if access.everybody is not None:
            return RedirectResponse(local(next), 303)
        access.pace.login_begins(request)
        secret = secrets.token_urlsafe(32)
        try:
            started = _provider(access).start()
        except ProviderUnreachable as error:
            raise HTTPException(503, f"You cannot log in now: {error}.") from error
        _remember(request, secret, started, local(next))
        answer = RedirectResponse(started.url, 303)
        _set(answer, access, _cookie(access), secret, _MINUTES * 60)
        return answer

    @routes.get(CALLBACK)
    def back(
        request: Request, code: Text = "", state: Text = "", error: Text = "", iss: Text | None = None
    ) -> Response:
        """From the provider."""
        access = access_of(request)
        try:
            user, onwards = _came_back(request, access, code, state, error, iss)
        except ProviderUnreachable as unreachable:
            raise HTTPException(503, f"You cannot log in now: {unreachable}.") from unreachable
        except LoginRefused as refused:
            with transaction(request.app.state.pool) as cursor:
                record(cursor, _NOBODY, "refused login", CALLBACK, str(refused))
            raise HTTPException(403, f"This login does not count: {refused}. Log in again from /login.") from refused
        with transaction(request.app.state.pool) as cursor:
            if earlier := request.cookies.get(access.cookie):
                sessions.end(cursor, earlier)
            secret = sessions.begin(cursor, user, access.settings)
            rights = f"{', '.join(sorted(user.roles))}{'; sees rates' if user.sees_rates else ''}"
            record(cursor, user, "log in", rights, "")
        answer = RedirectResponse(onwards, 303)
        _set(answer, access, access.cookie, secret, access.settings.console_login_minutes * 60)
        answer.delete_cookie(_cookie(access), path="/", secure=access.secure, httponly=True, samesite="lax")
        return answer

    @routes.post("/logout")
    def logout(request: Request, user: Annotated[User, Depends(current_user)]) -> Response:
        """The session ends here; the provider's own goes on until it is ended there."""
        access = access_of(request)
        with transaction(request.app.state.pool) as cursor:
            sessions.end(cursor, request.cookies.get(access.cookie, ""))
            record(cursor, user, "log out", "", "")
        try:
            at_provider = access.provider.leaving() if access.provider else None
        except ProviderUnreachable:  # then there is no link to it, and logging out here is done all the same
            at_provider = None
        answer = leaving(request, User("", frozenset(), sees_rates=False), "logged_out.html", at_provider)
        answer.delete_cookie(access.cookie, path="/", secure=access.secure, httponly=True, samesite="lax")
        return answer

    return routes


def _came_back(
    request: Request, access: Access, code: str, state: str, error: str, issuer: str | None
) -> tuple[User, str]:
    secret = request.cookies.get(_cookie(access), "")
    with transaction(request.app.state.pool) as cursor:
        row = cursor.execute(
            "DELETE FROM hourstream.console_logins WHERE digest = %s RETURNING state, nonce, verifier, next,"
            " expires_at > now()",
            (sessions.digest_of(secret),),
        ).fetchone()
    if row is None or not row[4]:
        raise LoginRefused("it was not begun in this browser, or too long ago")
    if not hmac.compare_digest(state.encode(), str(row[0]).encode()):
        raise LoginRefused("it answers another login")
    provider = _provider(access)
    provider.issued_by(issuer)
    if error or not code:
        raise LoginRefused("the provider did not let you in")
    return provider.finish(code, str(row[2]), str(row[1])), str(row[3])


def _remember(request: Request, secret: str, started: Started, onwards: str) -> None:
    with transaction(request.app.state.pool) as cursor:
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
