"""The record of an exception on `billing.exceptions`: one shape for parked subjects and for deliveries."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from common.decimals import plain
from common.timestamps import instant_text
from rating.model.enumerations import Severity
from rating.model.ids import exception_id

ExceptionStatus: TypeAlias = Literal["open", "resolved", "waived"]


def exception_fields(
    engagement_id: str,
    subject: str,
    *,
    revision: int,
    code: str,
    message: str,
    amount_at_stake: Decimal | str | None,
    minutes: int,
    status: ExceptionStatus,
    first_seen: datetime | str | None,
    attempts: int,
    owner: str,
    region: str,
    missing: Mapping[str, object] | None = None,
    severity: Severity = "blocking",
) -> dict[str, object]:
    """The record's fields, in the order of its schema (DOMAIN.md §3)."""
    return {
        "exception_id": exception_id(engagement_id, subject),
        "engagement_id": engagement_id,
        "subject": subject,
        "revision": revision,
        "code": code,
        "message": message,
        "missing": missing,
        "amount_at_stake": amount_at_stake,
        "minutes": minutes,
        "status": status,
        "first_seen": first_seen,
        "attempts": attempts,
        "owner": owner,
        "region": region,
        "severity": severity,
    }


def json_exception_fields(
    engagement_id: str,
    subject: str,
    *,
    revision: int = 1,
    code: str,
    message: str,
    amount_at_stake: Decimal | str | None,
    status: ExceptionStatus,
    first_seen: datetime | None,
    attempts: int,
    owner: str = "",
    region: str = "",
    missing: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The same as JSON (DOMAIN.md §3), for an invoice, a status or a delivery: they hold no minutes."""
    return exception_fields(
        engagement_id,
        subject,
        revision=revision,
        code=code,
        message=message,
        amount_at_stake=plain(amount_at_stake) if isinstance(amount_at_stake, Decimal) else amount_at_stake,
        minutes=0,
        status=status,
        first_seen=None if first_seen is None else instant_text(first_seen),
        attempts=attempts,
        owner=owner,
        region=region,
        missing=missing,
    )
