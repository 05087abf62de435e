"""What time costs: rate x multiplier x minutes, by the hour or by the day (DOMAIN.md §2 rule 8)."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import assert_never

from rating.model.days import month_number
from rating.model.enumerations import DayRule, RateUnit
from rating.model.facts import TimeEntry
from rating.model.master_data import Engagement
from rating.model.money import ONE, ZERO, differences, exact, rounded, shares, zero
from rating.time.multipliers import Segment
from rating.time.rates import Rate

_HALF = Fraction(1, 2)
UNITS = 10**6  # in which multipliers are whole numbers: they are of decimal(18,6)


@dataclass(frozen=True, slots=True)
class Priceable:
    """An entry that needs a price: its rate, its labor category and its billable minutes in parts."""

    entry: TimeEntry
    rate: Rate
    labor_category: str | None
    segments: Sequence[Segment]

    @property
    def beyond_retainer(self) -> int:
        """The minutes that no retainer covers."""
        return sum(part.minutes for part in self.segments if not part.covered)


@dataclass(frozen=True, slots=True)
class Line:
    """Hourly time that is rounded together (DOMAIN.md §2 rule 8b); `month` is a number of months (`month_number`)."""

    task_id: str
    labor_category: str | None
    rate: Decimal
    month: int


def amounts(
    priceable: Sequence[Priceable], engagement: Engagement, of_lines: Mapping[int, Decimal] | None = None
) -> list[Decimal]:
    """The rounded amount of each entry, in canonical order, after discount and before any cap.

    `of_lines` are the amounts of entries that are rounded by lines, by place; None where the lines have no others.
    """
    currency, by_steps = engagement.currency, _divides_days_in_steps(engagement.day_rule)
    if of_lines is None:
        of_lines = _amounts_of_lines(priceable, engagement)
    found = [zero(currency)] * len(priceable)
    half_days: dict[Hashable, list[int]] = {}
    for index, item in enumerate(priceable):
        if by_steps and item.rate.unit == "day":
            half_days.setdefault(_half_day_group(item), []).append(index)
        elif index in of_lines:
            found[index] = of_lines[index]
        else:
            found[index] = rounded(_prorated(item, engagement), currency)
    for group in half_days.values():
        for index, amount in zip(
            group, _half_day_amounts([priceable[index] for index in group], engagement), strict=True
        ):
            found[index] = amount
    return found


def line_of(item: Priceable, engagement: Engagement) -> Line | None:
    """The line by which an entry is rounded; None for one that is rounded by itself."""
    if item.rate.unit != "hour" or not rounds_lines(engagement):
        return None
    return Line(item.entry.task_id, item.labor_category, item.rate.amount, month_number(item.entry.work_date))


def weight_on_line(item: Priceable) -> int:
    """What an entry counts on its line, in millionths of a minute at the plain rate."""
    return int(_weight(item) * UNITS)


def price_on_line(weight: int, rate: Decimal, engagement: Engagement) -> Decimal:
    """What so much weight comes to, rounded."""
    a_minute = rate_per_minute(rate, "hour", engagement.hours_per_day, engagement.discount_percent)
    return rounded(a_minute * weight / UNITS, engagement.currency)


def _amounts_of_lines(priceable: Sequence[Priceable], engagement: Engagement) -> dict[int, Decimal]:
    lines: dict[Line, list[int]] = {}
    for index, item in enumerate(priceable):
        if (line := line_of(item, engagement)) is not None:
            lines.setdefault(line, []).append(index)
    found = dict[int, Decimal]()
    for places in lines.values():
        exact_amounts = [_prorated(priceable[index], engagement) for index in places]
        found.update(zip(places, differences(exact_amounts, engagement.currency), strict=True))
    return found


def rounds_lines(engagement: Engagement) -> bool:
    """Whether hourly time is rounded by the running sum of its line (DOMAIN.md §2 rule 8b)."""
    match engagement.amount_rounding:
        case None | "entry":
            return False
        case "cumulative":
            return True
        case _:
            assert_never(engagement.amount_rounding)


def _divides_days_in_steps(day_rule: DayRule) -> bool:
    match day_rule:
        case "prorata":
            return False
        case "half_day_steps" | "half_day_capped":
            return True
        case _:
            assert_never(day_rule)


def weight(part: Segment) -> Fraction:
    """What a part weighs beside others of the same rate: its minutes x its multiplier; covered minutes nothing."""
    return ZERO if part.covered else _multiplied(part.minutes, part.multiplier.factor)


def half_days(minutes: int, hours_per_day: Decimal, capped: bool = False) -> Fraction:
    """Days charged for a group's minutes: none, 0.5 up to half a day, else one per started day, or one if capped."""
    days = Fraction(minutes) / (60 * exact(hours_per_day))
    if not minutes:
        return ZERO
    if days <= _HALF:
        return _HALF
    return ONE if capped else Fraction(ceil(days))


def _prorated(item: Priceable, engagement: Engagement) -> Fraction:
    rate = item.rate
    a_minute = rate_per_minute(rate.amount, rate.unit, engagement.hours_per_day, engagement.discount_percent)
    return a_minute * _weight(item)


def _weight(item: Priceable) -> Fraction:
    return weight(item.segments[0]) if len(item.segments) == 1 else sum(map(weight, item.segments), ZERO)


@lru_cache(maxsize=4096)
def rate_per_minute(rate: Decimal, unit: RateUnit, hours_per_day: Decimal, discount_percent: Decimal) -> Fraction:
    """A rate an hour or day as an exact price of a minute, after discount."""
    minutes = 60 * exact(hours_per_day) if unit == "day" else Fraction(60)
    return exact(rate) / minutes * _undiscounted(discount_percent)


@lru_cache(maxsize=4096)
def _multiplied(minutes: int, factor: Decimal) -> Fraction:
    return minutes * exact(factor)


@lru_cache(maxsize=256)
def _undiscounted(discount_percent: Decimal) -> Fraction:
    return ONE - exact(discount_percent) / 100


def _half_day_group(item: Priceable) -> Hashable:
    return item.entry.consultant_id, item.entry.task_id, item.entry.work_date


def _half_day_amounts(group: Sequence[Priceable], engagement: Engagement) -> list[Decimal]:
    """The days of a group divided by minutes beyond the retainer; each entry has its share of the rounded sum."""
    minutes = sum(item.beyond_retainer for item in group)
    if not minutes:
        return [zero(engagement.currency)] * len(group)
    days = half_days(minutes, engagement.hours_per_day, engagement.day_rule == "half_day_capped")
    factor = days / minutes * _undiscounted(engagement.discount_percent)
    parts = [exact(item.rate.amount) * _weight(item) * factor for item in group]
    return shares(rounded(sum(parts, ZERO), engagement.currency), parts, engagement.currency)
