"""From a request to who sent it: by token, by session, or everybody where nobody needs to log in."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from console.access import sessions, tokens
from console.access.oidc import Provider
from console.access.rate_limit import Pace
from console.access.settings import AccessSettings
from console.access.user import ROLES, User


@dataclass(frozen=True, slots=True)
class Access:
    """How one console lets people in. `url` is its own address; `everybody` who anybody is without a login."""

    settings: AccessSettings
    url: str
    everybody: User | None
    provider: Provider | None
    pace: Pace = field(default_factory=Pace)
    open_csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def secure(self) -> bool:
        """Whether people come by https, so that a cookie may ask for it."""
        return urlsplit(self.url).scheme == "https"

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; with the prefix no other host of the domain can set it."""
        return "__Host-hourstream" if self.secure else "hourstream"


def access_of(request: Request) -> Access:
    """How the console that was asked lets people in."""
    access: Access = request.app.state.access
    return access


def identify(request: Request) -> User | None:
    """Who is asking, None for nobody; looked up once a request. Raises the 401 of a wrong token, or a 429."""
    if not hasattr(request.state, "user"):
        request.state.user, request.state.csrf = None, ""  # also where the look-up raises: it is not tried twice
        request.state.user, request.state.csrf = _looked_up(request)
    user: User | None = request.state.user
    return user


def _looked_up(request: Request) -> tuple[User | None, str]:
    access, pool = access_of(request), request.app.state.pool
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _of_token(request, authorization), ""
    if access.everybody is not None:
        return access.everybody, access.open_csrf
    cookie = request.cookies.get(access.cookie)
    session = sessions.find(pool, cookie, access.settings) if cookie else None
    return (None, "") if session is None else (session.user, session.csrf)


def _of_token(request: Request, authorization: str) -> User:
    access = access_of(request)
    access.pace.token_may_be_tried(request)
    scheme, _, given = authorization.partition(" ")
    user = tokens.bearer(request.app.state.pool, given.strip()) if scheme.lower() == "bearer" else None
    if user is None:
        access.pace.token_was_wrong(request)
        told = "This token is wrong, over or revoked. `hourstream tokens create` makes one."
        raise HTTPException(401, told, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return user


NEEDS = "needs_role"


def current_user(request: Request) -> User:
    """Who is asking; 401 for nobody."""

    user = identify(request)
    if user is None:
        raise HTTPException(401, "Log in first.", {"WWW-Authenticate": "Bearer"})
    return user


def require(role: str) -> Callable[[Request], User]:
    """A dependency: the user, who must have `role`; 401 for nobody, 403 for others."""
    if role not in ROLES:
        raise ValueError(f"{role} is no role")

    def of_role(request: Request) -> User:
        user = current_user(request)
        if role not in user.roles:
            raise HTTPException(403, f"This needs the role {role}. Ask whoever gives out roles for it.")
        return user

    setattr(of_role, NEEDS, role)
    return of_role
