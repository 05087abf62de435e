"""The forms: waive, retry and map, single and in bulk. Each says who and why, and is noted before it is published."""

from typing import Annotated

from confluent_kafka import KafkaException
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse

from console import acts
from console.access.audit import record
from console.pages.parts import Operator
from console.pages.showing import link
from console.read.exceptions import exceptions_of
from schemas.errors import InvalidRecord
from sinks.database import transaction

router = APIRouter()
SOURCE = "console"
MOST = 1_000  # of one form
Reason = Annotated[str, Form(min_length=1, max_length=500)]
Word = Annotated[str, Form(min_length=1, max_length=200)]


@router.post("/decisions")
def decide(
    request: Request,
    user: Operator,
    decision: Annotated[str, Form(pattern="^(waive|retry)$")],
    reason: Reason,
    ids: Annotated[list[str], Form(max_length=MOST)],
    back: Annotated[str, Form(max_length=2000)] = "/exceptions",
) -> RedirectResponse:
    """Waive or retry the chosen exceptions; what is resolved meanwhile is left alone."""
    why = _why(user.name, reason)
    with transaction(request.app.state.pool) as cursor:
        standing = [each for each in exceptions_of(cursor, ids) if each.status != "resolved"]
        subjects = [acts.Subject(each.engagement_id, each.subject, each.revision) for each in standing]
        for each in subjects:
            record(cursor, user, decision, f"{each.engagement_id}/{each.subject}", why.reason)
        try:
            decided = acts.decide(request.app.state.broker, "waive" if decision == "waive" else "retry", subjects, why)
        except KafkaException as error:
            raise _unpublished(error) from error
    left = f", {len(ids) - decided} resolved already" if decided < len(ids) else ""
    return _back(back, f"{decision.capitalize()} of {decided:,} is on its way{left}. Settle acts on it in a moment.")


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
    why = _why(user.name, reason)
    with transaction(request.app.state.pool) as cursor:
        record(cursor, user, "map", f"{system}:{kind}:{code} -> {canonical_id}", why.reason)
        try:
            mapped = acts.map_code(request.app.state.broker, system, kind, code, canonical_id.strip(), why)
        except InvalidRecord as error:
            raise HTTPException(422, f"This cannot be mapped: {error}") from error
        except KafkaException as error:
            raise _unpublished(error) from error
    if not mapped.new:
        return _back(back, f"{mapped.key} is {mapped.canonical_id} already.")
    return _back(back, f"{mapped.key} is {mapped.canonical_id} now. What waited for it is mapped by itself.")


def _why(by: str, reason: str) -> acts.Why:
    if not reason.strip():
        raise HTTPException(422, "Say why: the reason is kept for good.")
    return acts.Why(by, reason.strip(), SOURCE)


def _unpublished(error: KafkaException) -> HTTPException:
    return HTTPException(503, f"Kafka did not take it: {error.args[0]}. Nothing was decided; try again.")


def _back(address: str, said: str) -> RedirectResponse:
    """To a page of ours, never elsewhere, with a sentence to show there."""
    ours = address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"
    path, _, query = ours.partition("?")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("said="))
    joined = f"{path}?{kept}&" if kept else f"{path}?"
    return RedirectResponse(joined + link("", said=said).removeprefix("?"), 303)
