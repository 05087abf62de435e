"""How old unbilled work is, in the buckets of days that the console, the API and the metrics all show."""

from bisect import bisect_left
from itertools import pairwise

AGE_LIMITS = (30, 60, 90, 180)
"""The most days of each bucket but the last, which has no limit."""
AGE_BUCKETS = (
    f"0-{AGE_LIMITS[0]}",
    *(f"{below + 1}-{most}" for below, most in pairwise(AGE_LIMITS)),
    f"over {AGE_LIMITS[-1]}",
)
"""Their names, the youngest first."""


def age_bucket(days: int) -> int:
    """The number of the bucket of work that is that many days old; work of a later day is in the first."""
    return bisect_left(AGE_LIMITS, days)
