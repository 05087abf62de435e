"""What the included work would be charged: `settle` over the records of a file, without a broker."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from common.decimals import plain
from rating.model.facts import FACT_TYPES, Fact, fact, gathered, subject_of
from rating.model.masters import Masters
from rating.settle import settle
from sources.workbook.problems import Place
from sources.workbook.record_check import FirmRecord


@dataclass(frozen=True, slots=True)
class OnHold:
    """A subject that would not be charged: its exception code, and where it is in the file."""

    subject: str
    code: str
    message: str
    place: Place | None


@dataclass(slots=True)
class Preview:
    """What the rules make of the work of one engagement; amounts by currency, before tax."""

    engagement_id: str
    client_id: str
    states: Counter[str] = field(default_factory=Counter)
    minutes: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    taxes: set[str] = field(default_factory=set)
    on_hold: list[OnHold] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "engagement_id": self.engagement_id,
            "client_id": self.client_id,
            "states": dict(sorted(self.states.items())),
            "charged_minutes": self.minutes,
            "amounts": {currency: format(amount, "f") for currency, amount in sorted(self.amounts.items())},
            "taxes": sorted(self.taxes),
            "on_hold": [
                {"subject": each.subject, "code": each.code, "message": each.message,
                 "cell": str(each.place) if each.place else None}
                for each in self.on_hold
            ],
        }  # fmt: skip


def facts_of(records: Iterable[FirmRecord]) -> list[tuple[Fact, FirmRecord]]:
    """The transactions among the records, as the rules take them."""
    return [(fact(each.topic, each.record), each) for each in records if each.topic in FACT_TYPES]


def preview(masters: Masters, facts: Iterable[tuple[Fact, FirmRecord]]) -> list[Preview]:
    """The settlement of each engagement with work among the facts."""
    by_engagement: dict[str, list[tuple[Fact, FirmRecord]]] = {}
    for each, record in facts:
        by_engagement.setdefault(each.engagement_id, []).append((each, record))
    return [_of_engagement(name, masters, found) for name, found in sorted(by_engagement.items())]


def _of_engagement(engagement_id: str, masters: Masters, facts: list[tuple[Fact, FirmRecord]]) -> Preview:
    engagement = masters.engagements.get(engagement_id)
    found = Preview(engagement_id, engagement.client_id if engagement else "")
    places = {subject_of(each): record.draft.place for each, record in facts}
    settled = settle(engagement_id, gathered(each for each, _ in facts), masters)
    for subject, settlement in settled.subjects.items():
        found.states[settlement.state] += 1
        charge = settlement.charge
        if charge is not None:
            found.minutes += charge.worked_minutes
            found.amounts[charge.currency] = found.amounts.get(charge.currency, Decimal(0)) + charge.amount
            if charge.tax_category is not None and charge.tax_rate is not None:
                found.taxes.add(f"{charge.tax_category} {plain(charge.tax_rate)} %")
        if settlement.parked is not None:
            held = settlement.parked
            found.on_hold.append(OnHold(subject, held.code, held.message, places.get(subject)))
    return found
