"""What settling publishes: reversals, charges and exceptions as records (DOMAIN §3.1 to §3.6)."""

from typing import NamedTuple

from common.timestamps import instant
from rating.exception_record import ExceptionStatus
from rating.model.charge import Charge, Parked, Settlement, negated, same_billing
from rating.model.ids import charge_id
from schemas.codec import encode
from tables.settlement.bucket import Published
from tables.settlement.charge_record import READY, charge_record
from tables.settlement.exception_record import EXCEPTIONS, RESOLVED, StandingException, advance, exception_record


class Publication(NamedTuple):
    """One record for `billing.ready` or `billing.exceptions`, keyed by its engagement.

    `outcome` is the name of its live figure: charged, reversed, or the exception's status; `decided_ms` is the append
    time of what caused it.
    """

    topic: str
    engagement_id: str
    value: bytes
    outcome: str
    decided_ms: int


def published_next(
    before: Published,
    engagement_id: str,
    subject: str,
    found: Settlement | None,
    now_ms: int,
    retried: bool,
    said: list[Publication],
) -> Published | None:
    """What is said of a subject from now on, None where nothing changes; what is new is added to `said`."""
    n, charge, minutes = publish_charge(before, subject, found.charge if found else None, now_ms, said)
    exception = publish_exception(
        engagement_id, subject, before.exception, found.parked if found else None, now_ms, retried, said
    )
    if charge is before.charge and exception is before.exception:
        return None
    return Published(n, charge, minutes, exception)


def publish_charge(
    before: Published, subject: str, charge: Charge | None, now_ms: int, said: list[Publication]
) -> tuple[int, bytes | None, int]:
    """-> how many charges the subject has had, the record of the present one, its minutes."""
    old = before.read_charge()
    if old is not None and charge is not None and same_billing(old, charge):
        return before.n, before.charge, before.minutes
    if old is not None:
        reverses = charge_id(old.engagement_id, subject, before.n, "charge")
        _ready(negated(old), before.n, now_ms, reverses, said)
    if charge is None:
        return before.n, None, 0
    return before.n + 1, _ready(charge, before.n + 1, now_ms, None, said), charge.worked_minutes


def _ready(charge: Charge, n: int, now_ms: int, reverses: str | None, said: list[Publication]) -> bytes:
    what = "reversal" if reverses else "charge"
    record = charge_record(charge) | {
        "charge_id": charge_id(charge.engagement_id, charge.subject, n, what),
        "reverses": reverses,
        "decided_at": instant(now_ms),
    }
    value = encode(READY, record)
    outcome = "reversed" if reverses else "charged"
    said.append(Publication(READY, charge.engagement_id, value, outcome, now_ms))
    return value


def publish_exception(
    engagement_id: str,
    subject: str,
    before: StandingException | None,
    found: Parked | None,
    now_ms: int,
    retried: bool,
    said: list[Publication],
) -> StandingException | None:
    after = advance(before, found, now_ms, retried)
    if after is not before:
        if after is not None:
            said.append(exception_publication(engagement_id, subject, after, None, now_ms))
        elif before is not None:
            said.append(exception_publication(engagement_id, subject, before, RESOLVED, now_ms))
    return after


def exception_publication(
    engagement_id: str, subject: str, told: StandingException, status: ExceptionStatus | None, now_ms: int
) -> Publication:
    value = encode(EXCEPTIONS, exception_record(engagement_id, subject, told, status))
    return Publication(EXCEPTIONS, engagement_id, value, status or told.status, now_ms)
