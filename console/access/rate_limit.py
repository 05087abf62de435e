"""Limits wrong tokens, and logins and logouts, per address."""

from fastapi import HTTPException, Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

WRONG_TOKENS, LOGINS = 20, 30  # a minute and address
_WAIT_SECONDS = "60"


class Pace:
    """Counts by address, in this process."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._tokens, self._logins = RateLimitItemPerMinute(WRONG_TOKENS), RateLimitItemPerMinute(LOGINS)

    def token_was_wrong(self, request: Request) -> None:
        """Count it. Raises the 429 of an address that sent too many."""
        if not self._limiter.hit(self._tokens, "token", _address(request)):
            raise _too_many("wrong tokens")

    def login_begins(self, request: Request) -> None:
        """Count it. Raises the 429 of an address that begins too many."""
        if not self._limiter.hit(self._logins, "login", _address(request)):
            raise _too_many("logins")

    def login_comes_back(self, request: Request) -> None:
        """Count it. Raises the 429 of an address whose logins come back too often."""
        if not self._limiter.hit(self._logins, "callback", _address(request)):
            raise _too_many("logins")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _too_many(what: str) -> HTTPException:
    return HTTPException(429, f"Too many {what} from your address: wait a minute.", {"Retry-After": _WAIT_SECONDS})
