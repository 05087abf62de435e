"""What is parked: the published state of each exception, and the record of each change (DOMAIN §3).

One record per parked subject and state change goes to `billing.exceptions`; a row remembers what was said last, so a
repeated finding publishes nothing and a healed one is closed.
"""

from dataclasses import dataclass, replace
from typing import Final

from common.timestamps import instant
from rating.exception_record import ExceptionStatus, exception_fields
from rating.model.charge import Parked
from topics import topic_names

EXCEPTIONS = topic_names.BILLING_EXCEPTIONS
OPEN: Final = "open"
WAIVED: Final = "waived"
RESOLVED: Final = "resolved"


@dataclass(frozen=True, slots=True)
class StandingException:
    """One exception as last published. `first_seen_ms` is the append time of the record that first caused it."""

    parked: Parked
    first_seen_ms: int
    attempts: int

    @property
    def status(self) -> ExceptionStatus:
        return WAIVED if self.parked.waived else OPEN


def advance(
    before: StandingException | None, found: Parked | None, now_ms: int, retried: bool = False
) -> StandingException | None:
    """What stands after a settling found `found` (None: nothing is wrong any more)."""
    if found is None:
        return None
    if before is None:
        return StandingException(found, now_ms, 1)
    if before.parked == found and not retried:
        return before
    return replace(before, parked=found, attempts=before.attempts + 1)


def exception_record(
    engagement_id: str, subject: str, standing: StandingException, status: ExceptionStatus | None = None
) -> dict[str, object]:
    """The `billing.exceptions` record of an exception; `status` is "resolved" when it is closed."""
    parked = standing.parked
    missing = parked.missing
    return exception_fields(
        engagement_id,
        subject,
        revision=parked.revision,
        code=parked.code,
        message=parked.message,
        missing=None if missing is None else {"kind": missing.kind, "id": missing.id, "day": missing.day},
        amount_at_stake=parked.amount_at_stake,
        minutes=parked.minutes,
        status=status or standing.status,
        first_seen=instant(standing.first_seen_ms),
        attempts=standing.attempts,
        owner=parked.owner,
        region=parked.region,
        severity=parked.severity,
    )
