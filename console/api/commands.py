"""API commands: decisions on exceptions, and mappings of codes. Both need the role operator.

A repeated request with the same `Idempotency-Key` gets the first answer and does nothing. Answers are kept for a week.
"""

import json
from hashlib import sha256
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Header, HTTPException, Request
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from console import decisions
from console.access.user import User
from console.api import models
from console.api.problems import responses
from console.dependencies import Change, Operator
from warehouse.queries.sql import Asking

router = APIRouter(responses=responses(400, 409, 413))
SOURCE = "api"
Answer = TypeVar("Answer", bound=BaseModel)
_SAID = r"^[^\x00]*[^\x00\s][^\x00]*$"  # neither blank nor with a NUL, which PostgreSQL has not
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_SAID)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_SAID)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=200, pattern="^[!-~]+$", description="yours, once a request"
    ),
]


class DecisionRequest(BaseModel):
    """Waive gives exceptions up until a new revision arrives; retry has them settled again."""

    model_config = ConfigDict(extra="forbid")
    decision: Literal["waive", "retry"]
    exception_ids: Annotated[list[Word], Field(min_length=1, max_length=decisions.MOST)]
    reason: Reason


class CodeMappingRequest(BaseModel):
    """A mapping of a system's code to our id."""

    model_config = ConfigDict(extra="forbid")
    system: Word
    kind: Literal["client", "consultant", "engagement", "task", "labor_category"]
    code: Word
    canonical_id: Word
    reason: Reason


@router.post("/decisions", status_code=202)
def decide(request: Request, cursor: Change, user: Operator, body: DecisionRequest, key: Key = None) -> models.Decided:
    """Waive or retry exceptions: published to the stream, where settle acts on it in a moment."""
    why, state = decisions.why(user, body.reason, SOURCE), request.app.state
    if (before := _before(cursor, user, key, "decisions", body)) is not None:
        return models.Decided.model_validate(before)
    again = f"{user.name}/{key}" if key else ""
    done = decisions.decide_selected(cursor, state.broker, user, body.decision, body.exception_ids, why, again)
    return _kept(cursor, user, key, models.Decided.model_validate(done))


@router.post("/code-mappings", status_code=202)
def map_code(
    request: Request, cursor: Change, user: Operator, body: CodeMappingRequest, key: Key = None
) -> models.Mapped:
    """Map a code: records that wait for it as UNMAPPED_CODE are then mapped again."""
    why, state = decisions.why(user, body.reason, SOURCE), request.app.state
    if (before := _before(cursor, user, key, "code-mappings", body)) is not None:
        return models.Mapped.model_validate(before)
    names = (body.system, body.kind, body.code)
    done = decisions.map_code(cursor, state.broker, state.vault, user, names, body.canonical_id, why)
    return _kept(cursor, user, key, models.Mapped.model_validate(done))


def _before(cursor: Asking, user: User, key: str | None, path: str, body: BaseModel) -> object | None:
    """The answer to a request that came before; waits for one under way. Raises the 409 of another request's key."""
    if key is None:
        return None
    digest = sha256(json.dumps([path, body.model_dump()]).encode()).digest()
    cursor.execute("DELETE FROM hourstream.api_answers WHERE at < now() - interval '7 days'")
    new = cursor.execute(
        "INSERT INTO hourstream.api_answers (name, key, request) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (user.name, key, digest),
    )
    if new.rowcount == 1:
        return None
    row = cursor.execute(
        "SELECT request, answer FROM hourstream.api_answers WHERE name = %s AND key = %s", (user.name, key)
    ).fetchone()
    if row is None or bytes(row[0]) != digest:
        raise HTTPException(409, "This Idempotency-Key was used for another request: give each request one of its own.")
    answer: object = row[1]
    return answer


def _kept(cursor: Asking, user: User, key: str | None, answer: Answer) -> Answer:
    if key is not None:
        cursor.execute(
            "UPDATE hourstream.api_answers SET answer = %s WHERE name = %s AND key = %s",
            (Jsonb(answer.model_dump()), user.name, key),
        )
    return answer
