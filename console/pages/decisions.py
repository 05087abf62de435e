"""Forms to waive, retry and map, single and in bulk. Each needs a reason and is audited before it is published."""

from dataclasses import replace
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse

from console import decisions
from console.access.flash import leading_back
from console.access.safe_redirect import local
from console.dependencies import Change, Operator
from console.pages.exceptions import FILTERS, filters
from warehouse.queries.exceptions import listed
from warehouse.queries.sql import Asking

router = APIRouter()
SOURCE = "console"
Reason = Annotated[str, Form(min_length=1, max_length=500)]
Word = Annotated[str, Form(min_length=1, max_length=200)]


@router.post("/decisions")
def decide(
    request: Request,
    cursor: Change,
    user: Operator,
    decision: Annotated[str, Form(pattern="^(waive|retry)$")],
    reason: Reason,
    ids: Annotated[list[str] | None, Form(max_length=decisions.MOST)] = None,
    everything: Annotated[bool, Form()] = False,
    back: Annotated[str, Form(max_length=2000)] = "/exceptions",
) -> RedirectResponse:
    """Waive or retry the chosen exceptions, or all that the list in `back` finds; the resolved are left alone."""
    why, state = decisions.why(user, reason, SOURCE), request.app.state
    ids = _all_of(cursor, back) if everything else (ids or [])
    if not ids:
        raise HTTPException(422, "Nothing is selected. Go back, and tick the exceptions.")
    done = decisions.decide_selected(cursor, state.broker, user, "waive" if decision == "waive" else "retry", ids, why)
    left = f", {done.resolved + done.unknown} resolved already" if done.decided < len(ids) else ""
    said = f"{decision.capitalize()} of {done.decided:,} is on its way{left}. Settle acts on it in a moment."
    return RedirectResponse(leading_back(request, user, back, said), 303)


@router.post("/mappings")
def map_code(
    request: Request,
    cursor: Change,
    user: Operator,
    system: Word,
    kind: Word,
    code: Word,
    canonical_id: Word,
    reason: Reason,
    back: Annotated[str, Form(max_length=2000)] = "/causes",
) -> RedirectResponse:
    """Map a code of a system; everything that waits for it is then mapped."""
    why, state = decisions.why(user, reason, SOURCE), request.app.state
    mapped = decisions.map_code(cursor, state.broker, state.vault, user, (system, kind, code), canonical_id, why)
    when = "now. Records that waited for it are being mapped" if mapped.new else "already"
    said = f"{mapped.key} is {mapped.canonical_id} {when}."
    return RedirectResponse(leading_back(request, user, back, said), 303)


def _all_of(cursor: Asking, address: str) -> list[str]:
    """The exceptions of a list's address, the oldest first, as many as one form may decide on.

    Raises 422 for an address that is no list: an unknown filter must not select everything.
    """
    page = urlsplit(local(address))
    if page.path != "/exceptions":
        raise HTTPException(422, "Nothing is selected: decide on a whole list from its own page.")
    asked = dict(parse_qsl(page.query))
    wanted = filters(**{name: value for name, value in asked.items() if name in FILTERS})
    blocking = replace(wanted, severity="blocking")  # a warning takes no decision
    return [each.exception_id for each in listed(cursor, blocking, limit=decisions.MOST)[: decisions.MOST]]
