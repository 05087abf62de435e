"""The message that a page shows after a form was sent: carried in the address and signed for one login.

An address with a forged message shows nothing.
"""

import hmac
from hashlib import sha256
from urllib.parse import urlencode

from fastapi import Request

from console.access.authentication import access_of, user_of
from console.access.csrf import csrf_token
from console.access.safe_redirect import local
from console.access.user import User

_SAID, _MARK = "said", "mark"


def leading_back(request: Request, user: User, address: str, said: str) -> str:
    """One of our own pages, with a message to show there."""
    path, _, query = local(address).partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith((f"{_SAID}=", f"{_MARK}="))]
    return f"{path}?{'&'.join([*kept, urlencode({_SAID: said, _MARK: _mark(request, user, said)})])}"


def said_to(request: Request) -> str:
    """The message that an address carries; '' unless it was signed for this login."""
    user, said = user_of(request), request.query_params.get(_SAID, "")
    if user is None or not said:
        return ""
    given = request.query_params.get(_MARK, "")
    return said if hmac.compare_digest(given.encode(), _mark(request, user, said).encode()) else ""


def _mark(request: Request, user: User, said: str) -> str:
    signed = "\0".join((csrf_token(request), user.via, user.name, said))
    return hmac.new(access_of(request).flash_key, signed.encode(errors="surrogatepass"), sha256).hexdigest()
