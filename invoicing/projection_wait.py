"""A run waits for the projection of charges (DOMAIN.md §4.5)."""

import time
from collections.abc import Mapping

from common.errors import SinkError
from invoicing.charge_projection import NAME as PROJECTION
from storage.postgres import Pool, transaction
from topics.catalogue import CHARGES_TOPIC

_POLL_SECONDS = 0.1


class ProjectionBehind(SinkError):
    """The projection of charges did not reach the noted end offsets in time; nothing was invoiced."""


def await_projection(pool: Pool, end_offsets: Mapping[int, int], timeout_seconds: float) -> None:
    """Wait until the projection has read each partition of `billing.ready` to its offset. Raises ProjectionBehind."""
    deadline = time.monotonic() + timeout_seconds
    while behind := _behind(pool, end_offsets):
        if time.monotonic() >= deadline:
            where = ", ".join(f"partition {p} at {read} of {end}" for p, (read, end) in sorted(behind.items()))
            raise ProjectionBehind(
                f"the projection of {CHARGES_TOPIC} has not caught up in {timeout_seconds:g} s ({where});"
                " start the billing worker, or run again when it has caught up"
            )
        time.sleep(_POLL_SECONDS)


def _behind(pool: Pool, end_offsets: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    with transaction(pool) as cursor:
        rows = cursor.execute(
            "SELECT partition, next_offset FROM hourstream.positions WHERE sink = %s AND topic = %s",
            (PROJECTION, CHARGES_TOPIC),
        ).fetchall()
    read = {partition: int(next_offset) for partition, next_offset in rows}
    return {p: (read.get(p, 0), end) for p, end in end_offsets.items() if read.get(p, 0) < end}
