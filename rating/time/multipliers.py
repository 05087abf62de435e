"""Which minutes of an entry cost more (DOMAIN.md §2 rule 7): the highest multiplier that applies, never compounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from rating.model.days import is_weekend
from rating.model.facts import TimeEntry
from rating.model.master_data import Multipliers

ONCE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A factor on the rate and what it is for; `why` is empty for the plain rate."""

    factor: Decimal
    why: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Minutes of an entry priced alike; covered ones are the retainer's and cost nothing."""

    minutes: int
    multiplier: Multiplier
    covered: bool


PLAIN = Multiplier(ONCE, "")


def overtime_minutes(entries: Sequence[TimeEntry], billable: Sequence[int], terms: Multipliers) -> list[int]:
    """The minutes at the end of each entry, in canonical order, that are beyond the threshold of that consultant-day.

    All zero where overtime has no threshold or no multiplier.
    """
    threshold = terms.overtime_after_minutes
    if threshold is None or not terms.overtime:
        return [0] * len(entries)
    so_far: dict[tuple[str, date], int] = {}
    overtime = []
    for entry, minutes in zip(entries, billable, strict=True):
        person_day = (entry.consultant_id, entry.work_date)
        total = so_far.get(person_day, 0) + minutes
        so_far[person_day] = total
        overtime.append(max(0, min(minutes, total - threshold)))
    return overtime


def multiplier_on(day: date, is_holiday: bool, is_overtime: bool, terms: Multipliers) -> Multiplier:
    """The highest multiplier that applies to such minutes of a day; the plain rate where none does."""
    applying = []
    if terms.weekend and is_weekend(day):
        applying.append(Multiplier(terms.weekend, "weekend"))
    if terms.holiday and is_holiday:
        applying.append(Multiplier(terms.holiday, "holiday"))
    if terms.overtime and is_overtime:
        applying.append(Multiplier(terms.overtime, "overtime"))
    return max(applying, key=lambda multiplier: multiplier.factor) if applying else PLAIN


def segments(minutes: int, covered: int, overtime: int, ordinary: Multiplier, beyond: Multiplier) -> list[Segment]:
    """An entry's billable minutes in parts: the head the retainer covers, ordinary time, the overtime tail.

    Covered minutes may reach into overtime. An entry without minutes is one part of none.
    """
    free = minutes - covered
    tail = min(overtime, free)
    if ordinary == beyond:
        tail = 0
    parts = []
    if covered:
        parts.append(Segment(covered, PLAIN, True))
    if free > tail:
        parts.append(Segment(free - tail, ordinary, False))
    if tail:
        parts.append(Segment(tail, beyond, False))
    return parts or [Segment(0, ordinary, False)]
