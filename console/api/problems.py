"""Errors as `application/problem+json` (RFC 9457): the fault and its remedy."""

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from console.errors import headers_of, title_of, told

MEDIA_TYPE = "application/problem+json"


class WrongField(BaseModel):
    """A part of a request that cannot be used."""

    field: str
    message: str


class Problem(BaseModel):
    """An error."""

    type: str = Field("about:blank", description="a page about this kind of problem; none")
    title: str
    status: int
    detail: str = Field(description="the fault and its remedy")
    instance: str = Field(description="the path that was asked for")
    errors: list[WrongField] = Field([], description="of a request that cannot be used: each field and why")


DESCRIPTIONS = {
    400: "The body is no JSON",
    401: "No token, or one that is wrong, over or revoked",
    403: "The token's role does not reach this",
    404: "There is no such thing, or it has not arrived yet",
    409: "This Idempotency-Key was used for another request",
    413: "Too large",
    422: "The request cannot be used; `errors` names each field",
    429: "Too many wrong tokens; Retry-After says how long to wait",
    503: "Kafka or PostgreSQL does not answer; nothing was done",
}


def responses(*codes: int) -> dict[int | str, dict[str, object]]:
    """The problems a route may answer with, for its description."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        code: {"description": DESCRIPTIONS[code], "content": {MEDIA_TYPE: {"schema": schema}}}
        for code in sorted({401, 403, 422, 429, 503, *codes})
    }


def problem(request: Request, error: Exception) -> JSONResponse:
    """The answer for an error."""
    status, detail = told(error)
    wrong = []
    if isinstance(error, RequestValidationError):
        detail = "The request cannot be used: see what each of `errors` says of its field, and send it again."
        wrong = [WrongField(field=_named(e["loc"]), message=str(e["msg"])) for e in error.errors()]
    content = Problem(
        type="about:blank",
        title=title_of(status),
        status=status,
        detail=detail,
        instance=request.url.path,
        errors=wrong,
    )
    return JSONResponse(content.model_dump(), status, dict(headers_of(error)), media_type=MEDIA_TYPE)


def _named(location: tuple[int | str, ...]) -> str:
    # A name that a person wrote may contain any character.
    return ".".join(map(str, location)).encode("ascii", "backslashreplace").decode()[:200]
