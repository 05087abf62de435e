"""What an empty cell means where the contract requires a value: one table, for every format.

A contract has no defaults for required fields. These are the ones of the plainest engagement: nothing rounded, no
discount, eight hours a day. A field without a line here must be given.
"""

from collections.abc import Mapping
from typing import Any

from schemas.schema_types import Array, AvroRecord, Optional, Shape

Record = dict[str, Any]

_FIXED: Mapping[tuple[str, str], object] = {
    ("master.clients", "payment_terms_days"): 30,
    ("master.engagements", "status"): "active",
    ("master.engagements", "discount_percent"): "0",
    ("master.engagements", "rounding.increment_minutes"): 1,
    ("master.engagements", "rounding.mode"): "nearest",
    ("master.engagements", "rounding.scope"): "entry",
    ("master.engagements", "hours_per_day"): "8",
    ("master.engagements", "day_rule"): "prorata",
    ("master.engagements", "outcomes.tiers.flat_fee"): "0",
    ("master.tasks", "billable"): True,
    ("master.rate-cards", "is_firm_default"): False,
    ("master.rate-cards", "lines.unit"): "hour",
    ("master.expense-policies", "rules.allowed"): True,
    ("master.expense-policies", "rules.markup_percent"): "0",
    ("time.entries", "billable"): True,
}
_DERIVED: Mapping[tuple[str, str], str] = {
    ("master.clients", "tax_jurisdiction"): "the country",
    ("master.legal-entities", "tax_jurisdiction"): "the country",
    ("master.tasks", "code"): "the task_id",
    ("master.engagements", "seller_country"): "the country of the legal entity",
    ("master.engagements", "seller_tax_jurisdiction"): "the tax_jurisdiction of the legal entity",
    ("master.rate-cards", "lines.line_id"): "what the line selects and its valid_from",
}


def default_of(topic: str, path: str) -> str | None:
    """What an empty cell of a required field stands for, in words; None where it must be filled."""
    if (value := _FIXED.get((topic, path))) is not None:
        return {True: "yes", False: "no"}.get(value) if isinstance(value, bool) else str(value)
    return _DERIVED.get((topic, path))


def filled(topic: str, shape: AvroRecord, record: Record, entities: Mapping[str, Record]) -> Record:
    """The record in JSON form with its defaults; `entities` are the legal entities by id, themselves filled."""
    return _filled(topic, shape, record, "", record, entities)


def _filled(
    topic: str, shape: AvroRecord, record: Record, at: str, whole: Record, entities: Mapping[str, Record]
) -> Record:
    found = dict(record)
    for field in shape.fields:
        path = f"{at}{field.name}"
        value = found.get(field.name)
        if value is None or value == "":
            value = _default(topic, path, found, whole, entities, field.shape)
        inner = _record_in(field.shape)
        if inner is not None and isinstance(value, dict):
            value = _filled(topic, inner, value, f"{path}.", whole, entities)
        elif inner is not None and isinstance(value, list):
            value = [
                _filled(topic, inner, item, f"{path}.", whole, entities) if isinstance(item, dict) else item
                for item in value
            ]
        if value is not None:
            found[field.name] = value
    return found


def _record_in(shape: Shape) -> AvroRecord | None:
    while isinstance(shape, Optional | Array):
        shape = shape.inner if isinstance(shape, Optional) else shape.items
    return shape if isinstance(shape, AvroRecord) else None


def _default(
    topic: str, path: str, record: Record, whole: Record, entities: Mapping[str, Record], shape: Shape
) -> object:
    if (topic, path) in _FIXED:
        return _FIXED[topic, path]
    match shape:
        case AvroRecord():
            return {}
        case Array():
            return []
        case _:
            return _derived(topic, path, record, whole, entities)


def _derived(topic: str, path: str, record: Record, whole: Record, entities: Mapping[str, Record]) -> object:
    match topic, path:
        case ("master.clients" | "master.legal-entities", "tax_jurisdiction"):
            return record.get("country")
        case ("master.tasks", "code"):
            return record.get("task_id")
        case ("master.engagements", "seller_country"):
            return entities.get(str(whole.get("legal_entity")), {}).get("country")
        case ("master.engagements", "seller_tax_jurisdiction"):
            return entities.get(str(whole.get("legal_entity")), {}).get("tax_jurisdiction")
        case ("master.rate-cards", "lines.line_id"):
            parts = (record.get(name) for name in ("consultant_id", "task_id", "labor_category", "valid_from"))
            return "/".join(str(part) for part in parts if part)
        case _:
            return None
