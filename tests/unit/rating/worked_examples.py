"""Reads the worked inputs of tests/data/examples as facts and masters, the way the stream would see them in the end."""

import gzip
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from rating.model.facts import FACT_TYPES, Fact, Facts, Origin, fact, gathered, identity
from rating.model.master_data import MASTER_TYPES, Master, master
from rating.model.masters import Masters
from rating.model.revision_order import judge

FOLDER = Path(__file__).parents[2] / "data" / "examples"
_DATES = {"work_date", "incurred_on", "completed_on", "achieved_on", "effective_on", "valid_from", "valid_to"} | {
    *("on_hold_from", "starts_on", "ends_on", "closed_on", "date", "holidays")
}
_DECIMALS = {"amount", "quantity", "rate", "unit_price", "flat_fee", "up_to", "limit", "receipt_above"} | {
    *(
        "cost_rate",
        "markup_percent",
        "discount_percent",
        "hours_per_day",
        "monthly_fee",
        "weekend",
        "holiday",
        "overtime",
    )
}


def lines(path: Path) -> list[dict[str, object]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def load(name: str) -> tuple[dict[str, Facts], Masters]:
    """The winning facts of each engagement, and the masters, of one example."""
    facts: dict[tuple[str, str, str], Fact] = {}
    masters: dict[tuple[str, str], Master] = {}
    for offset, line in enumerate(lines(FOLDER / name / "facts.jsonl.gz")):
        topic, key = str(line["topic"]), str(line["key"])
        record = _typed(line["value"])
        if topic in MASTER_TYPES:
            incoming = master(topic, record)
            if _is_dead_letter(incoming):
                continue
            if judge(masters.get((topic, key)), incoming) == "replaced":
                masters[topic, key] = incoming
        elif topic in FACT_TYPES:
            new = fact(topic, record, Origin(topic, 0, offset, 0))
            at = (topic, new.engagement_id, identity(new))
            if all(at) and judge(facts.get(at), new) == "replaced":
                facts[at] = new
    snapshot = Masters.empty().with_records((topic, key, known) for (topic, key), known in masters.items())
    groups: dict[str, list[Fact]] = {}
    for (_, engagement_id, _), found in facts.items():
        groups.setdefault(engagement_id, []).append(found)
    return {engagement_id: gathered(group) for engagement_id, group in groups.items()}, snapshot


def _is_dead_letter(record: Master) -> bool:
    hours = getattr(record, "hours_per_day", 1)
    rounding = getattr(record, "rounding", None)
    return hours < 1 or (rounding is not None and rounding.increment_minutes < 1)


def _typed(value: object, name: str = "") -> dict[str, object]:
    found = _value(value, name)
    assert isinstance(found, dict)
    return found


def _value(value: object, name: str) -> object:
    if isinstance(value, dict):
        return {key: _value(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if name == "occurred_at":
        return datetime.fromisoformat(value)
    if name in _DATES:
        return date.fromisoformat(value)
    return Decimal(value) if name in _DECIMALS else value
