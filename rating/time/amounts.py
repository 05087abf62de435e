"""What time costs: rate x multiplier x minutes, by the hour or by the day (DOMAIN.md §2 rule 8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil

from rating.model.facts import TimeEntry
from rating.model.master_data import Engagement, RateLine
from rating.model.money import ONE, ZERO, exact, nothing, rounded, shares
from rating.time.multipliers import Segment

_HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Priceable:
    """An entry that needs a price: its rate line and its billable minutes in parts."""

    entry: TimeEntry
    line: RateLine
    segments: Sequence[Segment]

    @property
    def beyond_retainer(self) -> int:
        """The minutes that no retainer covers."""
        return sum(part.minutes for part in self.segments if not part.covered)


def amounts(priceable: Sequence[Priceable], engagement: Engagement) -> list[Decimal]:
    """The rounded amount of each entry, in canonical order, after discount and before any cap."""
    by_steps = engagement.day_rule == "half_day_steps"
    found = [
        nothing(engagement.currency)
        if by_steps and item.line.unit == "day"
        else rounded(_prorated(item, engagement), engagement.currency)
        for item in priceable
    ]
    if by_steps:
        for group in _half_day_groups(priceable):
            parts = _half_day_amounts([priceable[index] for index in group], engagement)
            for index, amount in zip(group, parts, strict=True):
                found[index] = amount
    return found


def weight(part: Segment) -> Fraction:
    """What a part weighs beside others of the same rate: its minutes x its multiplier; covered minutes nothing."""
    return ZERO if part.covered else _multiplied(part.minutes, part.multiplier.factor)


def half_days(minutes: int, hours_per_day: Decimal) -> Fraction:
    """Days charged for a group's minutes: none, 0.5 up to half a day, else one per started day."""
    days = Fraction(minutes) / (60 * exact(hours_per_day))
    if not minutes:
        return ZERO
    return _HALF if days <= _HALF else Fraction(ceil(days))


def _prorated(item: Priceable, engagement: Engagement) -> Fraction:
    line = item.line
    a_minute = rate_per_minute(line.amount, line.unit, engagement.hours_per_day, engagement.discount_percent)
    return a_minute * _weight(item)


def _weight(item: Priceable) -> Fraction:
    return weight(item.segments[0]) if len(item.segments) == 1 else sum(map(weight, item.segments), ZERO)


@lru_cache(maxsize=4096)
def rate_per_minute(rate: Decimal, unit: str, hours_per_day: Decimal, discount_percent: Decimal) -> Fraction:
    """A rate an hour or day as an exact price of a minute, after discount."""
    minutes = 60 * exact(hours_per_day) if unit == "day" else Fraction(60)
    return exact(rate) / minutes * _undiscounted(discount_percent)


@lru_cache(maxsize=4096)
def _multiplied(minutes: int, factor: Decimal) -> Fraction:
    return minutes * exact(factor)


@lru_cache(maxsize=256)
def _undiscounted(discount_percent: Decimal) -> Fraction:
    return ONE - exact(discount_percent) / 100


def _half_day_groups(priceable: Sequence[Priceable]) -> list[list[int]]:
    """The day-rated entries with minutes beyond the retainer, by consultant, task and day."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, item in enumerate(priceable):
        if item.line.unit == "day" and item.beyond_retainer:
            key = (item.entry.consultant_id, item.entry.task_id, item.entry.work_date)
            groups.setdefault(key, []).append(index)
    return list(groups.values())


def _half_day_amounts(group: Sequence[Priceable], engagement: Engagement) -> list[Decimal]:
    """The days of a group divided by minutes; each entry has its share of the rounded sum, the last the remainder."""
    minutes = sum(item.beyond_retainer for item in group)
    days_per_minute = half_days(minutes, engagement.hours_per_day) / minutes
    factor = days_per_minute * _undiscounted(engagement.discount_percent)
    parts = [exact(item.line.amount) * _weight(item) * factor for item in group]
    return shares(rounded(sum(parts, ZERO), engagement.currency), parts, engagement.currency)
