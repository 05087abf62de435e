"""Coupled buckets that wait to be settled while a backlog is read (DESIGN.md §3).

Under a backlog every batch would displace what the one before published. So the facts are put into their buckets, and
their engagement is settled once for all of them: when the backlog is read, or when `MOST_WAITING` buckets wait. A
waiting minute is not approved yet in the running totals. Rows like any other: a restart loses none.
"""

from collections.abc import Iterator, Sequence

import msgspec

from streaming.state_tables import StateRows, StateTable
from topics import state_keys

ENOUGH_BEHIND = 1_000  # records behind a batch that make it worth to wait
MOST_WAITING = 20_000


class Waiting(msgspec.Struct, array_like=True, frozen=True):
    """When the bucket was touched last, and what is not counted or told yet: minutes, subjects to be tried again."""

    touched_ms: int
    minutes: int = 0
    retried: tuple[str, ...] = ()


WAITING = StateTable(state_keys.WAITING, Waiting)  # (engagement, bucket)
WAITING_COUNT = StateTable(state_keys.WAITING_COUNT, int)  # () -> rows; a live row, so that an agent sees it


def wait(state: StateRows, engagement_id: str, bucket: str, more: Waiting) -> None:
    """Have a bucket wait, for this too."""
    before = WAITING.get(state, engagement_id, bucket)
    if before is None:
        _count(state, 1)
        before = Waiting(0)
    minutes, retried = before.minutes + more.minutes, (*before.retried, *more.retried)
    row = Waiting(max(before.touched_ms, more.touched_ms), minutes, tuple(dict.fromkeys(retried)))
    WAITING.put(state, row, engagement_id, bucket)


def woken(state: StateRows, engagement_id: str) -> Sequence[tuple[str, Waiting]]:
    """(bucket, what it waited with) of an engagement, which wait no longer."""
    found = [(parts[1], row) for parts, row in WAITING.scan(state, engagement_id)]
    for bucket, _ in found:
        WAITING.delete(state, engagement_id, bucket)
    if found:
        _count(state, -len(found))
    return found


def engagements_waiting(state: StateRows) -> Iterator[str]:
    """The engagements with waiting buckets, in order. Each may be woken meanwhile."""
    start = b""
    while (first := next(iter(WAITING.scan_packed(state, start=start)), None)) is not None:
        engagement_id = first[0][0]
        yield engagement_id
        start = WAITING.key(engagement_id) + b"\xff"


def _count(state: StateRows, more: int) -> None:
    count = (WAITING_COUNT.get(state) or 0) + more
    if count:
        WAITING_COUNT.put(state, count)
    else:
        WAITING_COUNT.delete(state)
