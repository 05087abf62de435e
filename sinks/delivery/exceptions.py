"""Exceptions of deliveries: the changes of `posting:CHARGE_ID` on `billing.exceptions`, over all targets of the charge.

Several systems may refuse one charge, and the exception has one id: it is open while any target has one, and resolved
when none has. The last publication is kept, so that a repeated finding publishes nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg import Cursor
from psycopg.rows import TupleRow

from rating.exception_record import json_exception_fields
from storage.bulk_load import as_json
from topics import topic_names

EXCEPTIONS_TOPIC = topic_names.BILLING_EXCEPTIONS
REFUSED, UNREACHABLE = "ERP_REFUSED", "ERP_UNREACHABLE"
_WORDS = {
    REFUSED: "{target} refused it: {reason}",
    UNREACHABLE: "{target} does not answer; the charge will be offered again: {reason}",
}
_REPLAY = "; repair it there, then `hourstream deliveries replay {charge_id}`"


@dataclass(frozen=True, slots=True)
class _Published:
    """The last publication for a charge."""

    is_open: bool
    code: str
    message: str
    revision: int
    first_seen: datetime | None
    attempts: int


def publish_exception_changes(
    cursor: Cursor[TupleRow], charge_ids: Iterable[str], at: datetime, again: Collection[str] = frozenset()
) -> None:
    """Queue the changes of these charges' exceptions; those in `again` are published even without a change.

    Call it after the rows of `hourstream.deliveries` are up to date, in the transaction that changed them.
    """
    ids = sorted(set(charge_ids))
    if not ids:
        return
    cursor.execute(
        "INSERT INTO hourstream.delivery_exceptions (charge_id) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING",
        (ids,),
    )
    # Locked before the deliveries are read, so that of two targets' transactions the later one sees both.
    last = {
        charge_id: _Published(*rest)
        for charge_id, *rest in cursor.execute(
            "SELECT charge_id, is_open, code, message, revision, first_seen, attempts"
            " FROM hourstream.delivery_exceptions WHERE charge_id = ANY(%s) ORDER BY charge_id FOR UPDATE",
            (ids,),
        ).fetchall()
    }
    charges, found = _open(cursor, ids)
    for charge_id in ids:
        before, words = last[charge_id], _summed_up(charge_id, found[charge_id])
        if words is None and before.is_open:
            _queue(cursor, charge_id, charges[charge_id], replace(before, is_open=False, revision=before.revision + 1))
        elif words is not None and (charge_id in again or not before.is_open or words != (before.code, before.message)):
            _queue(cursor, charge_id, charges[charge_id], _opened(before, *words, at))


def _open(
    cursor: Cursor[TupleRow], ids: list[str]
) -> tuple[dict[str, tuple[str, str, str]], dict[str, list[tuple[str, str, str]]]]:
    """({charge: (engagement, amount, region)}, {charge: [(code, target, reason)]})."""
    charges: dict[str, tuple[str, str, str]] = {}
    found = defaultdict[str, list[tuple[str, str, str]]](list)
    rows = cursor.execute(
        "SELECT charge_id, engagement_id, charge ->> 'amount', charge ->> 'region', code, target, reason"
        " FROM hourstream.deliveries WHERE charge_id = ANY(%s) ORDER BY code, target",
        (ids,),
    ).fetchall()
    for charge_id, engagement_id, amount, region, code, target, reason in rows:
        charges[charge_id] = (engagement_id, amount, region)
        if code is not None:
            found[charge_id].append((code, target, reason))
    return charges, found


def _summed_up(charge_id: str, found: list[tuple[str, str, str]]) -> tuple[str, str] | None:
    """Code and message over all targets; a refusal, which needs a person, before a target that is away."""
    if not found:
        return None
    words = "; ".join(_WORDS[code].format(target=target, reason=reason) for code, target, reason in found)
    code = found[0][0]  # ERP_REFUSED sorts first
    return code, words + (_REPLAY.format(charge_id=charge_id) if code == REFUSED else "")


def _opened(before: _Published, code: str, message: str, at: datetime) -> _Published:
    first_seen = before.first_seen if before.is_open else at
    return _Published(
        True, code, message, before.revision + 1, first_seen, before.attempts + 1 if before.is_open else 1
    )


def _queue(cursor: Cursor[TupleRow], charge_id: str, charge: tuple[str, str, str], last: _Published) -> None:
    engagement_id, amount, region = charge
    subject = f"posting:{charge_id}"
    value = json_exception_fields(
        engagement_id,
        subject,
        revision=last.revision,
        code=last.code,
        message=last.message,
        amount_at_stake=amount,
        status="open" if last.is_open else "resolved",
        first_seen=last.first_seen,
        attempts=last.attempts,
        region=region,
    )
    cursor.execute(
        "UPDATE hourstream.delivery_exceptions SET is_open = %s, code = %s, message = %s, revision = %s,"
        " first_seen = %s, attempts = %s WHERE charge_id = %s",
        (last.is_open, last.code, last.message, last.revision, last.first_seen, last.attempts, charge_id),
    )
    cursor.execute(
        "INSERT INTO hourstream.outbox (topic, key, value) VALUES (%s, %s, %s)",
        (EXCEPTIONS_TOPIC, engagement_id, as_json(value)),
    )
