"""Dependencies of every page: the user, then a cursor for as long as the page is rendered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from console.access.authentication import require
from console.access.user import User
from console.connections import connections_of
from warehouse.queries.sql import Asking

Viewer = Annotated[User, Depends(require("viewer"))]
Operator = Annotated[User, Depends(require("operator"))]


async def asking(request: Request, user: Viewer) -> AsyncIterator[Asking]:
    """A cursor in a transaction that cannot write, and gives up on a question that takes too long."""
    async with _cursor(request, changes=False) as cursor:
        yield cursor


async def changing(request: Request, user: Operator) -> AsyncIterator[Asking]:
    """A cursor in a transaction that is committed before the answer is sent."""
    async with _cursor(request, changes=True) as cursor:
        yield cursor


# The connection is given back before the answer is sent: who reads slowly holds none.
Read = Annotated[Asking, Depends(asking, scope="function")]
Change = Annotated[Asking, Depends(changing, scope="function")]


@asynccontextmanager
async def _cursor(request: Request, *, changes: bool) -> AsyncIterator[Asking]:
    async with connections_of(request).transaction(changes=changes, read_only=not changes) as cursor:
        request.state.cursor = cursor
        try:
            yield cursor
        finally:
            request.state.cursor = None


def found(thing: object | None, what: str) -> None:
    """Raises the 404 of a thing that is not there."""
    if thing is None:
        raise HTTPException(404, f"There is no {what}. It may not have arrived yet: look for it by its id.")
