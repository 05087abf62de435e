"""Billable minutes: worked minutes rounded to the increment (DOMAIN.md §2 rule 6)."""

from collections.abc import Sequence
from typing import assert_never

from rating.model.enumerations import RoundingMode
from rating.model.facts import TimeEntry
from rating.model.master_data import Rounding


def rounded_minutes(minutes: int, increment: int, mode: RoundingMode) -> int:
    """Minutes to a multiple of the increment: up, down, or nearest with half going up."""
    match mode:
        case "up":
            return -(-minutes // increment) * increment
        case "down":
            return minutes // increment * increment
        case "nearest":
            return (2 * minutes + increment) // (2 * increment) * increment
        case _:
            assert_never(mode)


def billable_minutes(entries: Sequence[TimeEntry], worked: Sequence[int], terms: Rounding) -> list[int]:
    """The billable minutes of entries in canonical order, whose worked minutes are given beside them."""
    match terms.scope:
        case "entry":
            return [rounded_minutes(minutes, terms.increment_minutes, terms.mode) for minutes in worked]
        case "person_day":
            return _rounded_by_person_day(entries, worked, terms)
        case _:
            assert_never(terms.scope)


def _rounded_by_person_day(entries: Sequence[TimeEntry], worked: Sequence[int], terms: Rounding) -> list[int]:
    billable = list(worked)
    for group in _person_days(entries):
        total = sum(worked[index] for index in group)
        _spread(billable, group, rounded_minutes(total, terms.increment_minutes, terms.mode) - total)
    return billable


def _person_days(entries: Sequence[TimeEntry]) -> list[list[int]]:
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, entry in enumerate(entries):
        groups.setdefault((entry.consultant_id, entry.task_id, entry.work_date), []).append(index)
    return list(groups.values())


def _spread(billable: list[int], group: list[int], difference: int) -> None:
    """Puts the difference on the last entry; what would take it below zero goes to the one before."""
    for index in reversed(group):
        taken = max(difference, -billable[index])
        billable[index] += taken
        difference -= taken
