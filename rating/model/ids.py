"""Deterministic ids (UUIDv5 in one fixed namespace), so that what is published twice has the same id twice."""

from hashlib import sha1
from json.encoder import encode_basestring
from uuid import UUID

NAMESPACE = UUID("6f1d2c3a-8b54-5e0f-9a77-2d4c1b9e8f30")
_SEED = NAMESPACE.bytes


def charge_id(engagement_id: str, subject: str, n: int, what: str) -> str:
    """The id of a subject's n-th publication; `what` is charge or reversal (DOMAIN.md §3)."""
    return _named([engagement_id, subject, n, what])


def exception_id(engagement_id: str, subject: str) -> str:
    """The id of a subject's exception: one for all its state changes (DOMAIN.md §3)."""
    return _named([engagement_id, subject])


def posting_id(charge_id: str, system: str) -> str:
    """The id of a charge's posting to one ERP (DOMAIN.md §5)."""
    return _named([charge_id, system])


def _named(parts: list[str | int]) -> str:
    # Compact JSON in Unicode: one spelling, so that another program can make the same id. (`json.dumps` with these
    # settings makes the same text at several times the cost, which every charge would pay.)
    spelled = ",".join([encode_basestring(part) if isinstance(part, str) else str(part) for part in parts])
    return _uuid5(f"[{spelled}]")


def _uuid5(name: str) -> str:
    """What `uuid.uuid5` makes of the name (RFC 9562 §5.5), without making a UUID of it first: a charge has one."""
    digest = sha1(_SEED + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
