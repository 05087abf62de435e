"""Checks at start that every route of an application requires a role."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from console.access.authentication import NEEDS
from console.access.login import CALLBACK
from console.access.user import ROLES

# Routes without a role: login and logout (a user who is logged in has a role), the stylesheet and the script.
OPEN = frozenset({"/login", CALLBACK, "/logout", "/static"})


class OpenDoor(RuntimeError):
    """A route asks for no role."""


def doors(app: FastAPI) -> Iterator[tuple[str, str | None]]:
    """Each path of the application, and the highest role its route asks for; None for none."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        asked = _all(dependant) if isinstance(dependant, Dependant) else ()
        roles = [role for each in asked if (role := getattr(each.call, NEEDS, None))]
        yield str(route.path), max(roles, key=ROLES.index, default=None)


def check_doors(app: FastAPI) -> None:
    """Raises OpenDoor for a route that is open and not meant to be."""
    for path, role in doors(app):
        if role is None and path not in OPEN:
            raise OpenDoor(f"{path} asks for no role: give it Depends(require(...))")


def _all(dependant: Dependant) -> Iterator[Dependant]:
    for each in dependant.dependencies:
        yield each
        yield from _all(each)
