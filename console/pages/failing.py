"""What a page says when it cannot be shown: what is wrong, and what to do."""

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from console.access.user import User, current_user
from console.pages.showing import render

_NOBODY = User("", frozenset(), sees_rates=False)
_TITLES = {
    401: "Log in first",
    403: "Not allowed",
    404: "Not found",
    422: "This cannot be done",
    503: "Not available now",
}


def failed(request: Request, error: HTTPException) -> HTMLResponse:
    """The page of an error."""
    try:
        user = current_user(request)
    except HTTPException:
        user = _NOBODY
    title = _TITLES.get(error.status_code, "This did not work")
    return render(request, user, "error.html", error.status_code, title=title, detail=error.detail)
