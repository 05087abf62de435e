"""Tokens of machines: shown once on creation, stored as a digest, with an expiry and one role.

A token is `hs_ID_SECRET`; the machine sends it as `Authorization: Bearer ...`.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Cursor
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow, class_row

from console.access.audit import record
from console.access.sessions import digest_of
from console.access.user import User, roles_up_to
from storage.postgres import Pool, transaction

VIA = "token"
LONGEST_DAYS = 366
_FORM = re.compile(r"hs_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class NoSuchToken(LookupError):
    """No token has that name, or it was revoked before."""


class NameTaken(ValueError):
    """A token had that name before; names are never given twice, so that the audit stays plain."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token's description, without its secret."""

    token_id: str
    name: str
    role: str
    sees_rates: bool
    sees_names: bool
    created_by: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def create(pool: Pool, name: str, role: str, *, sees_rates: bool, days: int, by: User, sees_names: bool = False) -> str:
    """A new token, shown only once. Raises NameTaken; ValueError for a wrong role or a time outside 1..366 days."""
    roles_up_to(role)
    if not 1 <= days <= LONGEST_DAYS:
        raise ValueError(f"a token lasts 1 to {LONGEST_DAYS} days")
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    values = (token_id, name, digest_of(secret), role, sees_rates, sees_names, by.name, timedelta(days=days))
    try:
        with transaction(pool) as cursor:
            cursor.execute(
                "INSERT INTO hourstream.api_tokens"
                " (token_id, name, digest, role, sees_rates, sees_names, created_by, expires_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, now() + %s)",
                values,
            )
            rights = f"{role}{', sees rates' if sees_rates else ''}{', sees names' if sees_names else ''}"
            record(cursor, by, "create token", name, f"{rights}, {days} days")
    except UniqueViolation as error:
        raise NameTaken(f"a token was named {name} before: choose another name") from error
    return f"hs_{token_id}_{secret}"


def revoke(pool: Pool, name: str, *, by: User, reason: str) -> None:
    """End a token at once and for good. Raises NoSuchToken."""
    with transaction(pool) as cursor:
        changed = cursor.execute(
            "UPDATE hourstream.api_tokens SET revoked_at = now() WHERE name = %s AND revoked_at IS NULL", (name,)
        )
        if changed.rowcount != 1:
            raise NoSuchToken(f"no token in use is named {name}: see `hourstream tokens list`")
        record(cursor, by, "revoke token", name, reason)


def tokens(cursor: Cursor[TupleRow]) -> list[Token]:
    """All tokens ever made, by name."""
    query = (
        "SELECT token_id, name, role, sees_rates, sees_names, created_by, created_at, expires_at, last_used_at,"
        " revoked_at FROM hourstream.api_tokens ORDER BY name"
    )
    with cursor.connection.cursor(row_factory=class_row(Token)) as reader:
        return reader.execute(query).fetchall()


def parts_of(given: str) -> tuple[str, str] | None:
    """(id, secret) of a text in the form of a token; None for any other text."""
    found = _FORM.fullmatch(given)
    return None if found is None else (found[1], found[2])


def bearer(cursor: Cursor[TupleRow], given: tuple[str, str]) -> User | None:
    """The machine of a token's parts; None for one that is wrong, over, or revoked."""
    token_id, secret = given
    row = cursor.execute(
        "SELECT name, digest, role, sees_rates, sees_names, coalesce(last_used_at < now() - interval '1 minute', true)"
        " FROM hourstream.api_tokens WHERE token_id = %s AND revoked_at IS NULL AND expires_at > now()",
        (token_id,),
    ).fetchone()
    if row is None or not hmac.compare_digest(bytes(row[1]), digest_of(secret)):
        return None
    name, _, role, sees_rates, sees_names, unnoted = row
    if unnoted:
        cursor.execute("UPDATE hourstream.api_tokens SET last_used_at = now() WHERE token_id = %s", (token_id,))
    return User(f"token:{name}", roles_up_to(role), sees_rates, VIA, sees_names)
