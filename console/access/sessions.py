"""Sessions of logins, kept at the server: a cookie holds 256 random bits, the database their digest.

A session begins with its login, so an id that was planted in a browser never becomes a session.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from psycopg import Cursor
from psycopg.rows import TupleRow

from console.access.settings import AccessSettings
from console.access.user import User

VIA = "login"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """A logged-in user, and the token that the user's forms carry."""

    user: User
    csrf: str


def digest_of(secret: str) -> bytes:
    """The stored form of a secret of 256 random bits: too many values to try, so no slow digest is needed."""
    return sha256(secret.encode()).digest()


def is_secret(cookie: str) -> bool:
    """Whether a cookie has the form of a session's; others are not looked up."""
    return _SECRET.fullmatch(cookie) is not None


def begin(cursor: Cursor[TupleRow], user: User, settings: AccessSettings) -> str:
    """A new session's secret, for its cookie. Sessions that have ended are removed."""
    secret = secrets.token_urlsafe(32)
    cursor.execute(
        "DELETE FROM hourstream.console_sessions WHERE expires_at < now() OR seen_at < now() - %s", (_idle(settings),)
    )
    cursor.execute(
        "INSERT INTO hourstream.console_sessions (digest, name, roles, sees_rates, sees_names, csrf, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, now() + %s)",
        (
            digest_of(secret), user.name, sorted(user.roles), user.sees_rates, user.sees_names,
            secrets.token_urlsafe(32), timedelta(minutes=settings.console_login_minutes),
        ),
    )  # fmt: skip
    return secret


def find(cursor: Cursor[TupleRow], secret: str, settings: AccessSettings) -> Session | None:
    """The session of a cookie; None for one that never was, has ended, or was left alone too long."""
    digest = digest_of(secret)
    row = cursor.execute(
        "SELECT name, roles, sees_rates, sees_names, csrf, seen_at < now() - interval '1 minute'"
        " FROM hourstream.console_sessions WHERE digest = %s AND expires_at > now() AND seen_at > now() - %s",
        (digest, _idle(settings)),
    ).fetchone()
    if row is None:
        return None
    name, roles, sees_rates, sees_names, csrf, unseen = row
    if unseen:
        cursor.execute("UPDATE hourstream.console_sessions SET seen_at = now() WHERE digest = %s", (digest,))
    return Session(User(name, frozenset(roles), sees_rates, VIA, sees_names), csrf)


def end(cursor: Cursor[TupleRow], secret: str) -> None:
    """End a session for good."""
    cursor.execute("DELETE FROM hourstream.console_sessions WHERE digest = %s", (digest_of(secret),))


def _idle(settings: AccessSettings) -> timedelta:
    # A request notes itself once a minute only, so this is that much longer.
    return timedelta(minutes=settings.console_idle_minutes + 1)
