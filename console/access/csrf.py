"""Protection of forms against cross-site requests.

Each login has a token of its own. Its forms carry the token, and the token ends with the login. In addition, the
browser's origin headers must not name another site. Requests with a bearer token need no such check, because browsers
never send one by themselves.
"""

import hmac
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile

from console.access.authentication import access_of, user_of

FIELD, HEADER = "csrf", "X-CSRF-Token"
_SAFE = ("GET", "HEAD", "OPTIONS")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def csrf_token(request: Request) -> str:
    """The token a form carries."""
    return str(getattr(request.state, "csrf", ""))


async def ours(request: Request) -> None:
    """A dependency of everything: 403 for a change that another site's page may have asked a browser for."""
    if request.method in _SAFE or "authorization" in request.headers:
        return
    if _from_elsewhere(request):
        raise HTTPException(403, "This came from a page of another site. Open the console itself, and do it there.")
    if user_of(request) is None:
        raise HTTPException(401, "Log in first.")
    given, wanted = await _given(request), csrf_token(request)
    if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise HTTPException(403, "This form is of an earlier login, or not ours. Load the page again, and repeat it.")


async def _given(request: Request) -> str:
    header = request.headers.get(HEADER)
    if header is not None:
        return header
    if not request.headers.get("content-type", "").lower().startswith(_FORMS):
        return ""
    form = await request.form()
    value = form.get(FIELD, "")
    for _, each in form.multi_items():
        if isinstance(each, UploadFile):  # no form of ours has one; nothing reads or closes it later
            await each.close()
    return value if isinstance(value, str) else ""


def _from_elsewhere(request: Request) -> bool:
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    scheme = urlsplit(access_of(request).url).scheme
    return origin != f"{scheme}://{request.headers.get('host', '')}"
