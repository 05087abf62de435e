"""Which record of an identity counts (DOMAIN.md §1.2 to 1.5), and the records of an engagement."""

from collections.abc import Iterable
from typing import Any

Rec = dict[str, Any]

MASTER_IDS = {
    "master.clients": ("client_id",),
    "master.legal-entities": ("legal_entity_id",),
    "master.consultants": ("consultant_id",),
    "master.engagements": ("engagement_id",),
    "master.tasks": ("task_id",),
    "master.rate-cards": ("rate_card_id",),
    "master.expense-policies": ("expense_policy_id",),
    "master.per-diems": ("per_diem_id",),
    "master.tax-rules": ("tax_rule_id",),
    "master.fx-rates": ("base", "quote", "date"),
    "master.calendars": ("calendar_id",),
    "master.code-map": ("system", "kind", "code"),
}
FACT_IDS = {
    "time.entries": "entry_id",
    "expenses": "expense_id",
    "milestones": "milestone_id",
    "outcomes": "outcome_id",
    "adjustments": "adjustment_id",
    "billing.periods": "period",
    "exception.decisions": "decision_id",
}


def winning(records: Iterable[tuple[str, Rec]]) -> tuple[dict[str, list[Rec]], dict[str, dict[str, list[Rec]]]]:
    """(masters by topic, facts by engagement and topic) of records in arrival order."""
    found: dict[tuple[Any, ...], Rec] = {}
    for topic, record in records:
        if topic in MASTER_IDS:
            key: tuple[Any, ...] = (topic, *(record[name] for name in MASTER_IDS[topic]))
        elif topic in FACT_IDS:
            key = (topic, record["engagement_id"], record[FACT_IDS[topic]])
        else:
            continue
        now = found.get(key)
        if now is None or record["revision"] > now["revision"]:
            found[key] = dict(record)
        elif record["revision"] == now["revision"] and _content(record) == _content(now):
            now["occurred_at"] = min(now["occurred_at"], record["occurred_at"])
    masters: dict[str, list[Rec]] = {topic: [] for topic in MASTER_IDS}
    facts: dict[str, dict[str, list[Rec]]] = {}
    for key, record in found.items():
        if key[0] in MASTER_IDS:
            masters[key[0]].append(record)
        else:
            facts.setdefault(key[1], {topic: [] for topic in FACT_IDS})[key[0]].append(record)
    return masters, facts


def _content(value: Any) -> Any:  # noqa: ANN401 - whatever a record holds
    """All but occurred_at; an empty text, like an absent one, is left out."""
    if isinstance(value, dict):
        kept = {name: _content(item) for name, item in value.items() if name != "occurred_at"}
        return {name: item for name, item in kept.items() if item not in (None, "")}
    return [_content(item) for item in value] if isinstance(value, list) else value
