"""What every page depends on: a cursor that only reads, for as long as the page is made, and who is looking."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from console.access.authentication import require
from console.access.user import User
from storage.postgres import transaction
from warehouse.queries.sql import Asking

_LONGEST_MS = 15_000


def asking(request: Request) -> Iterator[Asking]:
    """A cursor in a transaction that cannot write, and gives up on a question that takes too long."""
    with transaction(request.app.state.pool) as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", (str(_LONGEST_MS),))
        yield cursor


Read = Annotated[Asking, Depends(asking)]
Viewer = Annotated[User, Depends(require("viewer"))]
Operator = Annotated[User, Depends(require("operator"))]


def found(thing: object | None, what: str) -> None:
    """Raises the 404 of a thing that is not there."""
    if thing is None:
        raise HTTPException(404, f"There is no {what}. It may not have arrived yet: look for it by its id.")
