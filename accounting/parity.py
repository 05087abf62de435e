"""Compares the bookings of two systems, charge by charge and field by field, during a migration (DESIGN.md §5)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class BookedEntry:
    """A system's booking of a charge; accounts as booked, debit side of a charge first, joined by `/`.

    `period` is the accounting period it is posted to, `day` the day of its work.
    """

    charge_id: str
    amount: Decimal
    currency: str
    accounts: str
    tax_category: str | None
    tax_rate: Decimal | None
    period: str
    client_id: str
    day: date


COMPARED = tuple(each.name for each in fields(BookedEntry) if each.name != "charge_id")


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of a charge that two systems have otherwise."""

    charge_id: str
    field: str
    old: object
    new: object


@dataclass(slots=True)
class Parity:
    """`both` charges are in both systems, of which `same` agree in every field; the others differ as listed."""

    both: int = 0
    same: int = 0
    differences: list[Difference] = field(default_factory=list)
    only_old: list[str] = field(default_factory=list)
    only_new: list[str] = field(default_factory=list)


def parity(old: Iterable[BookedEntry], new: Iterable[BookedEntry]) -> Parity:
    """Both systems' entries compared; each in the order of charge ids (by code point), none twice."""
    found = Parity()
    for before, after in _paired(iter(old), iter(new)):
        if before is None:
            found.only_new.append(after.charge_id if after else "")
        elif after is None:
            found.only_old.append(before.charge_id)
        else:
            found.both += 1
            differing = [name for name in COMPARED if getattr(before, name) != getattr(after, name)]
            found.same += not differing
            found.differences += [
                Difference(before.charge_id, name, getattr(before, name), getattr(after, name)) for name in differing
            ]
    return found


def _paired(
    old: Iterator[BookedEntry], new: Iterator[BookedEntry]
) -> Iterator[tuple[BookedEntry | None, BookedEntry | None]]:
    """Entries of one charge beside each other, None where a system has none; neither side is held as a whole."""
    before, after = next(old, None), next(new, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before.charge_id < after.charge_id):
            yield before, None
            before = next(old, None)
        elif before is None or after.charge_id < before.charge_id:
            yield None, after
            after = next(new, None)
        else:
            yield before, after
            before, after = next(old, None), next(new, None)
