"""Completeness of a source: its control totals of a month, compared with the records that arrived (DESIGN.md §9)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Verdict = Literal["complete", "gaps", "unproven"]
Part: TypeAlias = tuple[str, str, str]
"""A source, its kind of record, a month (YYYY-MM)."""


@dataclass(frozen=True, slots=True)
class ControlTotal:
    """A source's statement about a month; `minutes` is None for records without minutes."""

    source: str
    entity: str
    period: str
    count: int
    minutes: int | None
    as_of: datetime

    @property
    def part(self) -> Part:
        """The source, kind and month of the total."""
        return self.source, self.entity, self.period


@dataclass(frozen=True, slots=True)
class Arrived:
    """The valid records of a month that arrived."""

    count: int
    minutes: int


@dataclass(frozen=True, slots=True)
class UnmappedRecords:
    """Records of a source and kind that arrived and are not mapped yet; their month is unknown here.

    `exceptions` of them are open exceptions, the others wait for another record. `dead` could not be read at all.
    """

    records: int
    exceptions: int
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Completeness:
    """A month of a source's records. Missing above 0 did not arrive; below 0 it is a surplus over the control total."""

    part: Part
    verdict: Verdict
    stated: ControlTotal | None
    arrived: Arrived
    missing_records: int
    missing_minutes: int
    waiting: UnmappedRecords


def standing_totals(totals: Iterable[ControlTotal]) -> dict[Part, ControlTotal]:
    """Latest control total per month; ties take the larger count."""
    found: dict[Part, ControlTotal] = {}
    for total in totals:
        before = found.get(total.part)
        if before is None or _rank(total) > _rank(before):
            found[total.part] = total
    return found


def _rank(total: ControlTotal) -> tuple[datetime, int, int]:
    return total.as_of, total.count, -1 if total.minutes is None else total.minutes


def completeness(
    totals: Iterable[ControlTotal], arrived: Mapping[Part, Arrived], waiting: Mapping[tuple[str, str], UnmappedRecords]
) -> list[Completeness]:
    """Every month that a source stated or sent, in order; `waiting` is by source and kind of record."""
    stated = standing_totals(totals)
    return [
        _judge(part, stated.get(part), arrived.get(part, Arrived(0, 0)), waiting.get(part[:2], UnmappedRecords(0, 0)))
        for part in sorted({*stated, *arrived})
    ]


def _judge(part: Part, stated: ControlTotal | None, arrived: Arrived, waiting: UnmappedRecords) -> Completeness:
    if stated is None:
        return Completeness(part, "unproven", None, arrived, 0, 0, waiting)
    records = stated.count - arrived.count
    minutes = 0 if stated.minutes is None else stated.minutes - arrived.minutes
    verdict: Verdict = "gaps" if records or minutes else "complete"
    return Completeness(part, verdict, stated, arrived, records, minutes, waiting)
