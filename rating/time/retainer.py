"""Minutes a retainer covers (DOMAIN.md §2 rule 10): the oldest granted first, the entry's own month's last."""

from collections.abc import Mapping, Sequence
from datetime import date

from rating.model.days import month_number
from rating.model.master_data import Retainer


def covered_minutes(days: Sequence[date], billable: Sequence[int], terms: Retainer, starts_on: date) -> list[int]:
    """The covered minutes of entries in canonical order, given their days and billable minutes.

    Each month from that of starts_on grants included_minutes, whole; the rest of a month serves the next
    rollover_months months.
    """
    first_month = month_number(starts_on)
    granted = max(0, terms.included_minutes)
    left: dict[int, int] = {}
    covered = []
    for day, minutes in zip(days, billable, strict=True):
        month = month_number(day)
        needed = minutes
        for granting in range(max(first_month, month - terms.rollover_months), month + 1):
            used = min(needed, left.setdefault(granting, granted))
            left[granting] -= used
            needed -= used
        covered.append(minutes - needed)
    return covered


def left_by_month(used: Mapping[int, int], included: int, rollover_months: int, starts_on: date) -> dict[int, int]:
    """The minutes left to each month at its beginning, given the billable minutes of months by number."""
    first_month = month_number(starts_on)
    granted = max(0, included)
    left: dict[int, int] = {}
    found = {}
    for month in sorted(used):
        serving = range(max(first_month, month - rollover_months), month + 1)
        found[month] = sum(left.setdefault(granting, granted) for granting in serving)
        needed = used[month]
        for granting in serving:
            taken = min(needed, left[granting])
            left[granting] -= taken
            needed -= taken
    return found
