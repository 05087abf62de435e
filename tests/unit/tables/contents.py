"""What the stream takes in, by name and with sensible fields, for tests that say only what matters to them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.unit.tables.stream import Line
from topics.catalogue import TOPICS

Json = dict[str, Any]
Content = tuple[str, Json]  # topic, value without source and revision; occurred_at where it matters

TUESDAY = "2024-01-30"  # two days before its month ends
ADDRESS = {"street": "Hauptstr. 1", "city": "Berlin", "postcode": "10115", "country": "DE"}
ENGAGEMENTS = ("E1", "E2", "E3", "E4")
METHODS = {"E1": "time_and_materials", "E2": "time_and_materials", "E3": "retainer", "E4": "fixed_fee"}


def engagement(engagement_id: str, **changed: object) -> Content:
    """A contract: E1 plain time and materials, E2 with a cap, E3 a retainer, E4 a fixed fee with outcomes."""
    value: Json = {
        "engagement_id": engagement_id,
        "client_id": "CL",
        "name": f"Engagement {engagement_id}",
        "status": "active",
        "starts_on": "2024-01-01",
        "currency": "EUR",
        "legal_entity": "Compass",
        "seller_country": "DE",
        "seller_tax_jurisdiction": "DE",
        "billing_method": METHODS.get(engagement_id, "time_and_materials"),
        "discount_percent": "0",
        "rounding": {"increment_minutes": 15, "mode": "up", "scope": "entry"},
        "hours_per_day": "8",
        "day_rule": "prorata",
        "multipliers": {},
        "milestones": [{"milestone_id": "1", "name": "Stage 1", "amount": "1000.005"}],
        "outcomes": [
            {
                "metric": "calls",
                "model": "volume",
                "tiers": [
                    {"up_to": "10", "unit_price": "2", "flat_fee": "3"},
                    {"unit_price": "0.505", "flat_fee": "0"},
                ],
            }
        ],
        "owner": f"{engagement_id.lower()}@example.com",
    }
    if engagement_id == "E2":
        value["cap"] = {"amount": "300", "policy": "park"}
    if engagement_id == "E3":
        value["retainer"] = {"included_minutes": 300, "monthly_fee": "500", "rollover_months": 1}
    return "master.engagements", value | changed


def rate_card(hourly: str, day: str | None = None, valid_from: str = "2020-01-01") -> Content:
    """The firm's card: a rate an hour for everybody, and one a day for engineers where `day` is given."""
    lines: list[Json] = [{"line_id": "1", "unit": "hour", "amount": hourly, "valid_from": valid_from}]
    if day is not None:
        lines.append(
            {"line_id": "2", "labor_category": "Engineer", "unit": "day", "amount": day, "valid_from": "2020-01-01"}
        )
    value = {"rate_card_id": "RC", "name": "Firm", "currency": "EUR", "is_firm_default": True, "lines": lines}
    return "master.rate-cards", value


def client(jurisdiction: str = "DE") -> Content:
    """The one client, of the seller's country."""
    value = {
        "client_id": "CL",
        "name": "Client",
        "country": "DE",
        "region": "EMEA",
        "tax_jurisdiction": jurisdiction,
        "currency": "EUR",
        "payment_terms_days": 30,
        "address": ADDRESS,
    }
    return "master.clients", value


def task(engagement_id: str, number: int = 1, **changed: object) -> Content:
    """A billable task, open for good."""
    task_id = f"{engagement_id}-T{number}"
    value: Json = {"task_id": task_id, "engagement_id": engagement_id, "code": "T", "name": task_id, "billable": True}
    return "master.tasks", value | changed


def consultant(consultant_id: str, category: str | None) -> Content:
    """A consultant with one grade, or none."""
    grades = [] if category is None else [{"valid_from": "2020-01-01", "labor_category": category}]
    value = {"consultant_id": consultant_id, "name": consultant_id, "region": "EMEA", "grades": grades}
    return "master.consultants", value


def tax_rule(rate: str, rule_id: str = "TX", jurisdiction: str = "DE") -> Content:
    """A standard rate, valid for good."""
    value = {"tax_rule_id": rule_id, "jurisdiction": jurisdiction, "category": "S", "rate": rate}
    return "master.tax-rules", value | {"valid_from": "2000-01-01"}


def entry(
    engagement_id: str, entry_id: str, minutes: int = 60, work_date: str = "2024-01-30", **rest: object
) -> Content:
    """An approved hour of C1 on the engagement's first task."""
    value: Json = {
        "entry_id": entry_id,
        "engagement_id": engagement_id,
        "task_id": f"{engagement_id}-T1",
        "consultant_id": "C1",
        "work_date": work_date,
        "minutes": minutes,
        "billable": True,
        "status": "approved",
    }
    return "time.entries", value | rest


def agreed_minutes(engagement_id: str, one: str, subject: str, minutes: int | None = 30, **rest: object) -> Content:
    """An approved adjustment that puts `minutes` in place of those of a time subject."""
    value: Json = {
        "adjustment_id": one,
        "engagement_id": engagement_id,
        "subject": subject,
        "kind": "minutes",
        "minutes": minutes,
        "reason": "agreed",
        "effective_on": "2024-01-31",
        "status": "approved",
    }
    return "adjustments", value | rest


def decision(engagement_id: str, one: str, subject: str, what: str = "waive", revision: int = 1) -> Content:
    """What a person decided about a revision of a subject."""
    value = {
        "decision_id": one,
        "engagement_id": engagement_id,
        "subject": subject,
        "subject_revision": revision,
        "decision": what,
        "reason": "seen",
        "by": "lead",
    }
    return "exception.decisions", value


def amount(engagement_id: str, one: str, status: str = "approved") -> Content:
    """An adjustment that takes 3.335 off."""
    return agreed_minutes(engagement_id, one, "", 0, kind="amount", amount="-3.335", status=status)


def expense(engagement_id: str, one: str, day: str, status: str = "approved") -> Content:
    """Ten euros and a cent of travel."""
    value = {"expense_id": one, "engagement_id": engagement_id, "consultant_id": "C1", "category": "travel"}
    return "expenses", value | {"incurred_on": day, "amount": "10.01", "currency": "EUR", "status": status}


def milestone(engagement_id: str, one: str, day: str, status: str = "completed") -> Content:
    """A stage of the contract; 1 is one of its own."""
    return "milestones", {"milestone_id": one, "engagement_id": engagement_id, "status": status, "completed_on": day}


def outcome(engagement_id: str, one: str, metric: str, quantity: str, day: str, status: str = "approved") -> Content:
    """A quantity of a metric; calls are one of the contract's own."""
    value = {"outcome_id": one, "engagement_id": engagement_id, "metric": metric, "quantity": quantity}
    return "outcomes", value | {"achieved_on": day, "status": status}


def period(engagement_id: str, month: str, status: str = "open") -> Content:
    """A month of the engagement."""
    return "billing.periods", {"engagement_id": engagement_id, "period": month, "status": status}


SELLER: Content = (
    "master.legal-entities",
    {"legal_entity_id": "Compass", "name": "Compass GmbH", "country": "DE", "tax_jurisdiction": "DE"}
    | {"vat_id": "DE123456789", "address": ADDRESS},
)
MASTERS: tuple[Content, ...] = (
    client(),
    tax_rule("19"),
    rate_card("100.01", "800.05"),
    consultant("C1", "Engineer"),
    consultant("C2", None),
    *(engagement(name) for name in ENGAGEMENTS),
    *(task(name) for name in ENGAGEMENTS),
)


def line(content: Content, revision: int = 1, minute: int = 0) -> Line:
    """A content as a line of a facts file."""
    topic, value = content
    said = {"occurred_at": f"2024-03-01T00:{minute:02}:00.000Z"} | value | {"source": "test", "revision": revision}
    return {"topic": topic, "key": ":".join(str(said[name]) for name in TOPICS[topic].key), "value": said}


class Revisions:
    """Numbers contents: each is the next revision of its identity."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, ...]] = Counter()

    def next(self, content: Content) -> Line:
        """The content as a line of a facts file."""
        topic, value = content
        identity = (topic, str(value.get("engagement_id")), *(str(value[name]) for name in TOPICS[topic].id))
        self._seen[identity] += 1
        return line(content, self._seen[identity])


def numbered(contents: Sequence[Content]) -> list[Line]:
    """Lines of which each is the next revision of its identity."""
    revisions = Revisions()
    return [revisions.next(content) for content in contents]
