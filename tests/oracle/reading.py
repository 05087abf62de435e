"""The ledger of an engagement, rule by rule as docs/DOMAIN.md §2 says them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction as F
from typing import Any

from tests.oracle.items import Items
from tests.oracle.sums import EU, days_of, is_vat_id, month, rounded, short, valid, written
from tests.oracle.timework import TimeWork
from tests.oracle.winners import Rec, winning

Tax = tuple[str | None, Decimal | None]


def ledger(records: Iterable[tuple[str, Rec]]) -> list[Rec]:
    """The lines of the ledger, by engagement and subject, of sound records in arrival order."""
    masters, facts = winning(records)
    lines = [line for engagement_id, of in facts.items() for line in Reading(engagement_id, masters, of).lines()]
    return sorted(lines, key=lambda line: (line["engagement_id"], line["subject"]))


@dataclass
class Claim:
    """A subject with its rounded amount before the cap."""

    day: date
    subject: str
    amount: F
    line: Callable[[F, str | None, str | None], None]
    minutes: int = 0
    covered: bool = False
    fact: Rec = field(default_factory=dict)


class Reading:
    """One engagement."""

    def __init__(self, engagement_id: str, masters: dict[str, list[Rec]], facts: dict[str, list[Rec]]) -> None:
        self.id, self.masters, self.facts = engagement_id, masters, facts
        self.engagement = self.one("master.engagements", "engagement_id", engagement_id)
        client_id = self.engagement["client_id"] if self.engagement else None
        self.client = self.one("master.clients", "client_id", client_id)
        self.out: dict[str, Rec] = {}

    def one(self, topic: str, field_name: str, value: object) -> Rec | None:
        return next((record for record in self.masters[topic] if record[field_name] == value), None)

    def lines(self) -> list[Rec]:
        work, items = TimeWork(self), Items(self)
        time = work.claims()
        expenses = items.expense_claims()
        cap = self.engagement.get("cap") if self.engagement else None
        if cap and cap.get("scope") == "time_and_expenses":
            self._within(cap, time + expenses)
        else:
            self._within(cap, time)
            self._within(None, expenses)
        items.all_others()
        return list(self.out.values())

    def _within(self, cap: Rec | None, claims: list[Claim]) -> None:
        currency = self.engagement["currency"] if self.engagement else ""
        room = rounded(F(cap["amount"]), currency) if cap else F(0)
        for claim in sorted(claims, key=lambda claim: (claim.day, claim.subject)):
            if cap is None or claim.amount <= 0 or claim.amount <= room:
                room -= claim.amount
                claim.line(claim.amount, None, None)
                continue
            amount, room = room, F(0)
            if cap["policy"] == "absorb":
                claim.line(amount, "OVER_CAP", None)
            elif amount == 0 and not claim.covered:
                self.park(claim.subject, claim.fact, "CAP_EXCEEDED", claim.minutes)
            else:
                claim.line(amount, None, "CAP_EXCEEDED")

    # Lines of the ledger.

    def put(self, subject: str, state: str, **changes: object) -> None:
        line: Rec = {"subject": subject, "engagement_id": self.id, "state": state, "amount": "0", "currency": None}
        line |= {"worked_minutes": 0, "billable_minutes": 0, "tax_category": None, "tax_rate": None}
        self.out[subject] = line | {"code": None, "reason": None} | changes

    def park(self, subject: str, fact: Rec, code: str, minutes: int = 0) -> None:
        waived = any(
            (d["subject"], d["subject_revision"], d["decision"]) == (subject, fact["revision"], "waive")
            for d in self.facts["exception.decisions"]
        )
        self.put(subject, "waived" if waived else "parked", code=code, worked_minutes=minutes)

    def charge(self, subject: str, amount: F, tax: Tax, reason: str | None = None, **changes: object) -> None:
        currency = self.engagement["currency"] if self.engagement else ""
        category, rate = tax
        self.put(
            subject,
            "charged",
            **({"amount": written(amount, currency), "currency": currency, "tax_category": category}
            | {"tax_rate": None if rate is None else short(rate), "reason": reason} | changes),
        )  # fmt: skip

    def waits(self, subject: str, status: str) -> bool:
        """Whether the fact is not to be charged; then its line is written."""
        if status in ("approved", "completed"):
            return False
        self.put(subject, "pending" if status == "submitted" else "void")
        return True

    # Checks.

    def common(self, invalid: bool, first: date, last: date | None, dates: bool = True) -> str | None:
        """Rule 1: the first failure."""
        engagement = self.engagement
        if invalid:
            return "INVALID"
        if engagement is None:
            return "UNKNOWN_ENGAGEMENT"
        if self.client is None:
            return "UNKNOWN_CLIENT"
        held = engagement.get("on_hold_from")
        if engagement["status"] == "draft" or (held is not None and first >= held):
            return "ENGAGEMENT_NOT_ACTIVE"
        ends = engagement.get("ends_on") or date.max
        days = [first + timedelta(days=n) for n in range(((last or first) - first).days + 1)]
        if dates and not any(engagement["starts_on"] <= day <= ends for day in days):
            return "OUTSIDE_CONTRACT_DATES"
        return None

    def is_late(self, fact: Rec, day: date) -> bool:
        """Rule 14."""
        if self.engagement is None or self.engagement.get("late_policy") != "park":
            return False
        closings = [p for p in self.facts["billing.periods"] if p["period"] == month(day) and p["status"] == "closed"]
        return any(fact["occurred_at"] > closing["occurred_at"] for closing in closings)

    def tax(self, day: date) -> Tax | str:
        """Rule 12: category and rate, or a code."""
        engagement, client = self.engagement, self.client
        assert engagement is not None
        assert client is not None
        override = engagement.get("tax_override")
        if override is not None:
            return override["category"], override["rate"]
        seller, buyer = engagement["seller_country"], client["country"]
        if seller == buyer:
            return self._rule(client["tax_jurisdiction"], day)
        if seller in EU and buyer in EU:
            if not client.get("vat_id"):
                return self._rule(engagement["seller_tax_jurisdiction"], day)
            return ("AE", Decimal(0)) if is_vat_id(client["vat_id"], buyer) else "INVALID_VAT_ID"
        return "O", Decimal(0)

    def _rule(self, jurisdiction: str, day: date) -> Tax | str:
        rules = [r for r in self.masters["master.tax-rules"] if r["jurisdiction"] == jurisdiction and valid(r, day)]
        if not rules:
            return "NO_TAX_RULE"
        latest = max(rule["valid_from"] for rule in rules)
        chosen = min((r for r in rules if r["valid_from"] == latest), key=lambda rule: rule["tax_rule_id"])
        return chosen["category"], chosen["rate"]

    def month_days(self, period: str) -> list[date]:
        """The days of a month within the contract."""
        engagement: dict[str, Any] = self.engagement or {}
        ends = engagement.get("ends_on") or date.max
        return [day for day in days_of(period) or [] if engagement["starts_on"] <= day <= ends]
