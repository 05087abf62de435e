"""Who is asking, and what they may do."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import HTTPException, Request

ROLES = ("viewer", "operator", "admin")


@dataclass(frozen=True, slots=True)
class User:
    """A person or machine; `sees_rates` is whether rates, costs and amounts are shown to them."""

    name: str
    roles: frozenset[str]
    sees_rates: bool


def current_user(request: Request) -> User:
    """Who is asking; 401 for nobody."""
    user = getattr(request.app.state, "everybody", None)
    if not isinstance(user, User):
        raise HTTPException(401, "Log in first.")
    return user


def require(role: str) -> Callable[[Request], User]:
    """A dependency: the user, who must have `role`; 403 for others."""

    def of_role(request: Request) -> User:
        user = current_user(request)
        if role not in user.roles:
            raise HTTPException(403, f"This needs the role {role}.")
        return user

    return of_role
