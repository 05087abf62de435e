"""Error pages: the fault and its remedy."""

import logging
from collections.abc import Mapping

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from psycopg import DataError
from starlette.exceptions import HTTPException

from common.errors import Unreachable
from console.access.authentication import user_of
from console.access.user import User
from console.connections import RETRY_AFTER
from console.pages.rendering import render

log = logging.getLogger("hourstream.console")
_NOBODY = User("", frozenset(), sees_rates=False)
_TITLES = {
    400: "This cannot be read",
    401: "Log in first",
    403: "Not allowed",
    404: "Not found",
    405: "Not done this way",
    409: "This cannot be done",
    422: "This cannot be done",
    429: "Too often",
    503: "Not available now",
}


def failed(request: Request, error: Exception) -> HTMLResponse:
    """The page of an error."""
    code, detail = told(error)
    user = user_of(request) or _NOBODY
    page = render(request, user, "error.html", code, title=title_of(code), detail=detail)
    page.headers.update(headers_of(error))
    return page


def headers_of(error: Exception) -> Mapping[str, str]:
    """The headers that go with an error's answer."""
    if isinstance(error, HTTPException):
        return error.headers or {}
    return RETRY_AFTER if isinstance(error, Unreachable) else {}


def title_of(code: int) -> str:
    """The phrase of a status."""
    return _TITLES.get(code, "This did not work")


def told(error: Exception) -> tuple[int, str]:
    """(status, fault and remedy) of an error; raises an unexpected error again."""
    match error:
        case HTTPException():
            return error.status_code, str(error.detail)
        case RequestValidationError():
            fields = sorted({str(each["loc"][-1]) for each in error.errors()})
            return 422, f"What was given for {', '.join(fields)} cannot be used. Go back, and fill it in again."
        case DataError():
            return 422, "What was asked for holds something that no id, day or number has. Go back, and write it again."
        case Unreachable():
            log.warning("%s", error)
            return 503, "The database does not answer, or not in time. Narrow the question, or try again in a moment."
        case _:
            raise error
