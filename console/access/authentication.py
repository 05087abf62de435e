"""Identify the sender of a request: by token, by session, or as the anonymous user when login is off.

Authentication runs first and returns its connection before any other part of the request takes one.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from console.access import sessions, tokens
from console.access.oidc import Provider
from console.access.rate_limit import Pace
from console.access.settings import AccessSettings
from console.access.user import ROLES, User
from console.connections import connections_of


@dataclass(frozen=True, slots=True)
class Access:
    """The authentication of one console. `url` is its own address; `everybody` the anonymous user when login is off."""

    settings: AccessSettings
    url: str
    everybody: User | None
    provider: Provider | None
    pace: Pace = field(default_factory=Pace)
    provider_calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(8), repr=False)
    flash_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    open_csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def secure(self) -> bool:
        """Whether the console is reached by https, so that its cookies are marked secure."""
        return urlsplit(self.url).scheme == "https"

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; with the prefix no other host of the domain can set it."""
        return "__Host-hourstream" if self.secure else "hourstream"


def access_of(request: Request) -> Access:
    """The authentication of the console that received the request."""
    access: Access = request.app.state.access
    return access


async def identify(request: Request) -> None:
    """A dependency that runs before all others: identifies the user. Raises the 401 of a wrong token, or a 429."""
    request.state.user, request.state.csrf = None, ""
    request.state.user, request.state.csrf = await _looked_up(request)


async def _looked_up(request: Request) -> tuple[User | None, str]:
    access = access_of(request)
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return await _of_token(request, authorization), ""
    if access.everybody is not None:
        return access.everybody, access.open_csrf
    cookie = request.cookies.get(access.cookie, "")
    if not sessions.is_secret(cookie):
        return None, ""
    async with connections_of(request).transaction() as cursor:
        session = await run_in_threadpool(sessions.find, cursor, cookie, access.settings)
    return (None, "") if session is None else (session.user, session.csrf)


async def _of_token(request: Request, authorization: str) -> User:
    """The machine of a token. A wrong one is counted after it was checked, so the right one is never locked out."""
    scheme, _, rest = authorization.partition(" ")
    given = tokens.parts_of(rest.strip()) if scheme.lower() == "bearer" else None
    user = None
    if given is not None:
        async with connections_of(request).transaction() as cursor:
            user = await run_in_threadpool(tokens.bearer, cursor, given)
    if user is None:
        access_of(request).pace.token_was_wrong(request)
        told = "This token is wrong, over or revoked. `hourstream tokens create` makes one."
        raise HTTPException(401, told, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return user


NEEDS = "needs_role"


def user_of(request: Request) -> User | None:
    """The user that `identify` found; None for an anonymous request."""
    user: User | None = getattr(request.state, "user", None)
    return user


def current_user(request: Request) -> User:
    """The user of the request; 401 without one."""
    user = user_of(request)
    if user is None:
        raise HTTPException(401, "Log in first.", {"WWW-Authenticate": "Bearer"})
    return user


def require(role: str) -> Callable[[Request], User]:
    """A dependency: the user, who must have `role`; 401 for anonymous requests, 403 without the role."""
    if role not in ROLES:
        raise ValueError(f"{role} is no role")

    def of_role(request: Request) -> User:
        user = current_user(request)
        if role not in user.roles:
            raise HTTPException(403, f"This needs the role {role}. Ask an administrator for it.")
        return user

    setattr(of_role, NEEDS, role)
    return of_role
