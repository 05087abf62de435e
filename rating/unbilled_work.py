"""Unbilled work: its stages, what counts as unbilled, and its age. One definition for console, API and metrics.

A charge is unbilled until it is on a live invoice; a voided invoice makes it unbilled again. Non-billable work is never
invoiced (DOMAIN §4), so it is never unbilled. The warehouse computes the same in SQL from these constants.
"""

from bisect import bisect_left
from itertools import pairwise
from typing import Final

from rating.charge_status import State
from rating.model.rating_context import NON_BILLABLE

STAGES: Final = ("submitted", "parked", "charged")
NOT_INVOICED: Final[frozenset[State]] = frozenset({"ready", "posted", "refused", "voided"})
"""The states of a charge that is on no live invoice."""
NEVER_INVOICED: Final = NON_BILLABLE
"""The reason of a charge that no invoice takes."""
AGE_LIMITS: Final = (30, 60, 90, 180)
"""The most days of each bucket but the last, which has no limit."""
AGE_BUCKETS: Final = (
    f"0-{AGE_LIMITS[0]}",
    *(f"{below + 1}-{most}" for below, most in pairwise(AGE_LIMITS)),
    f"over {AGE_LIMITS[-1]}",
)
"""Their names, the youngest first."""


def is_unbilled(state: str, reason: str | None) -> bool:
    """Whether a charge in that state and with that reason still waits for an invoice."""
    return state in NOT_INVOICED and reason != NEVER_INVOICED


def age_bucket(days: int) -> int:
    """The number of the bucket of work that is that many days old; work of a later day is in the first."""
    return bisect_left(AGE_LIMITS, days)
