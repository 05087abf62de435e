"""The forms: waive, retry and map, single and in bulk. Each says who and why, and is noted before it is published."""

from dataclasses import replace
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse

from console import decisions
from console.access.safe_redirect import local
from console.dependencies import Operator
from console.pages.exceptions import FILTERS, filters
from console.pages.rendering import link
from storage.postgres import transaction
from warehouse.queries.exceptions import listed
from warehouse.queries.sql import Asking

router = APIRouter()
SOURCE = "console"
Reason = Annotated[str, Form(min_length=1, max_length=500)]
Word = Annotated[str, Form(min_length=1, max_length=200)]


@router.post("/decisions")
def decide(
    request: Request,
    user: Operator,
    decision: Annotated[str, Form(pattern="^(waive|retry)$")],
    reason: Reason,
    ids: Annotated[list[str] | None, Form(max_length=decisions.MOST)] = None,
    everything: Annotated[bool, Form()] = False,
    back: Annotated[str, Form(max_length=2000)] = "/exceptions",
) -> RedirectResponse:
    """Waive or retry the chosen exceptions, or all that the list in `back` finds; the resolved are left alone."""
    why, state = decisions.why(user, reason, SOURCE), request.app.state
    with transaction(state.pool) as cursor:
        ids = _all_of(cursor, back) if everything else (ids or [])
        if not ids:
            raise HTTPException(422, "Nothing was chosen. Go back, and tick what it is about.")
        done = decisions.decide(cursor, state.broker, user, "waive" if decision == "waive" else "retry", ids, why)
    left = f", {done.resolved + done.unknown} resolved already" if done.decided < len(ids) else ""
    return _back(
        back, f"{decision.capitalize()} of {done.decided:,} is on its way{left}. Settle acts on it in a moment."
    )


@router.post("/mappings")
def map_code(
    request: Request,
    user: Operator,
    system: Word,
    kind: Word,
    code: Word,
    canonical_id: Word,
    reason: Reason,
    back: Annotated[str, Form(max_length=2000)] = "/causes",
) -> RedirectResponse:
    """Say what a code of a system is called here; everything that waits for it is mapped by itself."""
    why, state = decisions.why(user, reason, SOURCE), request.app.state
    with transaction(state.pool) as cursor:
        mapped = decisions.map_code(cursor, state.broker, state.vault, user, (system, kind, code), canonical_id, why)
    if not mapped.new:
        return _back(back, f"{mapped.key} is {mapped.canonical_id} already.")
    return _back(back, f"{mapped.key} is {mapped.canonical_id} now. What waited for it is mapped by itself.")


def _all_of(cursor: Asking, address: str) -> list[str]:
    """The exceptions of a list's address, the oldest first, as many as one form may decide on."""
    asked = dict(parse_qsl(urlsplit(local(address)).query))
    wanted = filters(**{name: value for name, value in asked.items() if name in FILTERS})
    blocking = replace(wanted, severity="blocking")  # a warning takes no decision
    return [each.exception_id for each in listed(cursor, blocking, limit=decisions.MOST)[: decisions.MOST]]


def _back(address: str, said: str) -> RedirectResponse:
    """To a page of ours, never elsewhere, with a sentence to show there."""
    path, _, query = local(address).partition("?")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("said="))
    joined = f"{path}?{kept}&" if kept else f"{path}?"
    return RedirectResponse(joined + link("", said=said).removeprefix("?"), 303)
