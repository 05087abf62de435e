"""Decoded records of the master topics as masters: `master`, and what counts as absent (DOMAIN.md, Conventions)."""

from collections.abc import Mapping
from typing import Any

from rating.model.absent import optional_texts
from rating.model.master_data import (
    Address,
    BlendedTerms,
    Calendar,
    Cap,
    Client,
    CodeMapping,
    Consultant,
    Engagement,
    ExpensePolicy,
    ExpenseRule,
    FxRate,
    Grade,
    LegalEntity,
    Master,
    MilestoneTerms,
    Minimum,
    Multipliers,
    OutcomeTerms,
    PerDiem,
    RateCard,
    RateLine,
    Retainer,
    Rounding,
    Subscription,
    Task,
    TaxOverride,
    TaxRule,
    Tier,
)

MASTER_TYPES: dict[str, type[Master]] = {
    "master.clients": Client,
    "master.legal-entities": LegalEntity,
    "master.consultants": Consultant,
    "master.engagements": Engagement,
    "master.tasks": Task,
    "master.rate-cards": RateCard,
    "master.expense-policies": ExpensePolicy,
    "master.per-diems": PerDiem,
    "master.tax-rules": TaxRule,
    "master.fx-rates": FxRate,
    "master.calendars": Calendar,
    "master.code-map": CodeMapping,
}

# The fields that hold a record, or a list of records, and the shape of that record.
_NESTED: dict[type[object], dict[str, type[Any]]] = {
    Client: {"address": Address},
    LegalEntity: {"address": Address},
    Consultant: {"grades": Grade},
    Engagement: {
        "cap": Cap,
        "minimum": Minimum,
        "blended_rate": BlendedTerms,
        "rounding": Rounding,
        "multipliers": Multipliers,
        "retainer": Retainer,
        "subscription": Subscription,
        "milestones": MilestoneTerms,
        "outcomes": OutcomeTerms,
        "tax_override": TaxOverride,
    },
    OutcomeTerms: {"tiers": Tier},
    RateCard: {"lines": RateLine},
    ExpensePolicy: {"rules": ExpenseRule},
}


def master(topic: str, record: Mapping[str, object]) -> Master:
    """The master of a decoded record of a `master.*` topic; absent optional fields and empty optional texts are None.

    Raises KeyError for a topic that carries no masters, TypeError for a record that lacks a required field.
    """
    built: Master = _build(MASTER_TYPES[topic], record)
    return built


_SHAPES: tuple[type[Any], ...] = (
    *MASTER_TYPES.values(),
    *_NESTED,
    *(s for of in _NESTED.values() for s in of.values()),
)
_OPTIONAL_TEXTS = {shape: optional_texts(shape) for shape in _SHAPES}


def _build(shape: type[Any], record: Mapping[str, object]) -> Any:  # noqa: ANN401 - an instance of the given shape
    nested, texts = _NESTED.get(shape, {}), _OPTIONAL_TEXTS[shape]
    return shape(
        **{
            name: None if value == "" and name in texts else _value(nested.get(name), value)
            for name, value in record.items()
        }
    )


def _value(shape: type[Any] | None, value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(_value(shape, item) for item in value)
    if shape is not None and isinstance(value, Mapping):
        return _build(shape, value)
    return value
