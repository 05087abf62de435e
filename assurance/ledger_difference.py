"""What differs between two ledgers: by client and engagement, and subject by subject."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Line = Mapping[str, Any]
Ledger = Mapping[tuple[str, str], Line]
"""{(engagement, subject): line}"""


@dataclass(slots=True)
class EngagementDifference:
    """The differences of one engagement and currency; amounts in that currency."""

    client_id: str
    engagement_id: str
    currency: str
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)
    subjects: int = 0  # subjects whose line differs in anything
    moves: dict[str, int] = field(default_factory=dict)  # "parked -> charged": how many

    @property
    def difference(self) -> Decimal:
        """The amount by which B bills more than A."""
        return self.after - self.before


def changes(old: Ledger, new: Ledger, clients: Mapping[str, str]) -> list[EngagementDifference]:
    """Engagements in which a line differs, by client; `clients` names the client of an engagement."""
    found: dict[tuple[str, str], EngagementDifference] = {}
    for where in sorted({*old, *new}):
        before, after = old.get(where, {}), new.get(where, {})
        engagement_id = where[0]
        for currency in sorted({str(line.get("currency") or "") for line in (before, after)} - {""}) or [""]:
            change = found.setdefault(
                (engagement_id, currency), EngagementDifference(clients.get(engagement_id, ""), engagement_id, currency)
            )
            change.before += _amount(before, currency)
            change.after += _amount(after, currency)
        if before != after:
            change.subjects += 1
            if before.get("state") != after.get("state"):
                move = f"{before.get('state', 'absent')} -> {after.get('state', 'absent')}"
                change.moves[move] = change.moves.get(move, 0) + 1
    return sorted((c for c in found.values() if c.subjects), key=lambda c: (c.client_id, c.engagement_id, c.currency))


def _amount(line: Line, currency: str) -> Decimal:
    return Decimal(line["amount"]) if line.get("currency") == currency else Decimal(0)


def by_subject(lines: Iterable[Line]) -> Ledger:
    """The lines of a ledger by their subject."""
    return {(line["engagement_id"], line["subject"]): line for line in lines}


@dataclass(frozen=True, slots=True)
class SubjectChange:
    """A subject whose line differs; None for what it did not have."""

    client_id: str
    engagement_id: str
    subject: str
    before: Line | None
    after: Line | None


def subject_changes(old: Ledger, new: Ledger, clients: Mapping[str, str]) -> list[SubjectChange]:
    """Every subject that differs, by client, engagement and subject."""
    found = [
        SubjectChange(clients.get(where[0], ""), *where, old.get(where), new.get(where))
        for where in {*old, *new}
        if old.get(where) != new.get(where)
    ]
    return sorted(found, key=lambda each: (each.client_id, each.engagement_id, each.subject))
