"""No way in without a role: every route of an application is looked at before it serves anything."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount

from console.access.login import CALLBACK
from console.access.user import NEEDS

# What nobody needs a role for: to log in and out (who is logged in has one), and the stylesheet and script.
OPEN = frozenset({"/login", CALLBACK, "/logout", "/static"})


class OpenDoor(RuntimeError):
    """A route asks for no role."""


def role_of(route: BaseRoute) -> str | None:
    """The role that a route asks for; None for none."""
    if not isinstance(route, APIRoute):
        return None
    return next((role for each in _all(route.dependant) if (role := getattr(each.call, NEEDS, None))), None)


def check_doors(app: FastAPI) -> None:
    """Raises OpenDoor for a route that is open and not meant to be."""
    for route in app.routes:
        path = str(getattr(route, "path", route))
        meant = path in OPEN and isinstance(route, APIRoute | Mount)
        if not meant and role_of(route) is None:
            raise OpenDoor(f"{path} asks for no role: give it Depends(require(...))")


def _all(dependant: Dependant) -> Iterator[Dependant]:
    for each in dependant.dependencies:
        yield each
        yield from _all(each)
