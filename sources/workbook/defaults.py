"""What an empty cell means where the contract requires a value: one table, for every format.

A contract has no defaults for required fields. These are the ones of the plainest engagement: nothing rounded, no
discount, eight hours a day. A field without a line here must be given.
"""

from collections.abc import Mapping
from typing import Any

from schemas.schema_types import Array, AvroRecord, Optional, Shape
from topics import topic_names

Record = dict[str, Any]

_FIXED: Mapping[tuple[str, str], object] = {
    (topic_names.MASTER_CLIENTS, "payment_terms_days"): 30,
    (topic_names.MASTER_ENGAGEMENTS, "status"): "active",
    (topic_names.MASTER_ENGAGEMENTS, "discount_percent"): "0",
    (topic_names.MASTER_ENGAGEMENTS, "rounding.increment_minutes"): 1,
    (topic_names.MASTER_ENGAGEMENTS, "rounding.mode"): "nearest",
    (topic_names.MASTER_ENGAGEMENTS, "rounding.scope"): "entry",
    (topic_names.MASTER_ENGAGEMENTS, "hours_per_day"): "8",
    (topic_names.MASTER_ENGAGEMENTS, "day_rule"): "prorata",
    (topic_names.MASTER_ENGAGEMENTS, "outcomes.tiers.flat_fee"): "0",
    (topic_names.MASTER_TASKS, "billable"): True,
    (topic_names.MASTER_RATE_CARDS, "is_firm_default"): False,
    (topic_names.MASTER_RATE_CARDS, "lines.unit"): "hour",
    (topic_names.MASTER_EXPENSE_POLICIES, "rules.allowed"): True,
    (topic_names.MASTER_EXPENSE_POLICIES, "rules.markup_percent"): "0",
    (topic_names.TIME_ENTRIES, "billable"): True,
}
_DERIVED: Mapping[tuple[str, str], str] = {
    (topic_names.MASTER_CLIENTS, "tax_jurisdiction"): "the country",
    (topic_names.MASTER_LEGAL_ENTITIES, "tax_jurisdiction"): "the country",
    (topic_names.MASTER_TASKS, "code"): "the task_id",
    (topic_names.MASTER_ENGAGEMENTS, "seller_country"): "the country of the legal entity",
    (topic_names.MASTER_ENGAGEMENTS, "seller_tax_jurisdiction"): "the tax_jurisdiction of the legal entity",
    (topic_names.MASTER_RATE_CARDS, "lines.line_id"): "what the line selects and its valid_from",
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
        case (topic_names.MASTER_CLIENTS | topic_names.MASTER_LEGAL_ENTITIES, "tax_jurisdiction"):
            return record.get("country")
        case (topic_names.MASTER_TASKS, "code"):
            return record.get("task_id")
        case (topic_names.MASTER_ENGAGEMENTS, "seller_country"):
            return entities.get(str(whole.get("legal_entity")), {}).get("country")
        case (topic_names.MASTER_ENGAGEMENTS, "seller_tax_jurisdiction"):
            return entities.get(str(whole.get("legal_entity")), {}).get("tax_jurisdiction")
        case (topic_names.MASTER_RATE_CARDS, "lines.line_id"):
            parts = (record.get(name) for name in ("consultant_id", "task_id", "labor_category", "valid_from"))
            return "/".join(str(part) for part in parts if part)
        case _:
            return None
