"""Who is asking, and what they may do: the dependencies that every page and every part of the interface stands on."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import HTTPException, Request

ROLES = ("viewer", "operator", "admin")  # each may do what those before it may
NEEDS = "needs_role"


@dataclass(frozen=True, slots=True)
class User:
    """A person or machine; `sees_rates` is whether rates, costs and amounts are shown to them, `via` how they came."""

    name: str
    roles: frozenset[str]
    sees_rates: bool
    via: str = ""


def roles_up_to(role: str) -> frozenset[str]:
    """A role and those that it includes. Raises ValueError for no role."""
    return frozenset(ROLES[: ROLES.index(role) + 1])


def current_user(request: Request) -> User:
    """Who is asking; 401 for nobody."""
    from console.access.authentication import identify  # it knows the tables, which know what a user is

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
