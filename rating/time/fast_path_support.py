"""What the fast path supports (DESIGN.md §3): the fields that plain time follows from, and of some the values.

Whatever is not listed here takes the general path. A field that is added tomorrow is not listed, so a record that has
another value in it than its default is not supported until the field is added here and to the fast path.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields

from rating.model.facts import TimeEntry
from rating.model.master_data import (
    Client,
    Consultant,
    Engagement,
    Grade,
    Multipliers,
    RateCard,
    RateLine,
    Rounding,
    Task,
)


@dataclass(frozen=True, slots=True)
class Support:
    """The fields of one type of record: supported whatever they hold, or with these values only."""

    any_value: frozenset[str]
    values: Mapping[str, frozenset[object]]


def _support(any_value: str, values: Mapping[str, frozenset[object]] | None = None) -> Support:
    return Support(frozenset(any_value.split()), values or {})


_REVISED = "source revision occurred_at"
SUPPORTED: Mapping[type, Support] = {
    TimeEntry: _support(
        f"{_REVISED} origin entry_id engagement_id task_id consultant_id work_date minutes labor_category approved_by"
        " note started_at ended_at",
        {"status": frozenset({"approved"}), "billable": frozenset({True})},
    ),
    # Status, dates and calendars are looked at by the checks that both paths share; fees, milestones, outcomes,
    # expenses and invoices are no matter of time.
    Engagement: _support(
        f"{_REVISED} engagement_id client_id name status on_hold_from starts_on ends_on currency legal_entity"
        " seller_country seller_tax_jurisdiction rate_card_id discount_percent rounding hours_per_day day_rule"
        " multipliers holiday_calendar retainer subscription milestones outcomes expense_policy_id tax_override"
        " po_number approval_group invoice_per owner",
        {
            "billing_method": frozenset({"time_and_materials"}),
            "amount_rounding": frozenset({None, "entry"}),
            "late_policy": frozenset({None, "next_invoice"}),
        },
    ),
    Rounding: _support(
        "increment_minutes", {"mode": frozenset({"up", "down", "nearest"}), "scope": frozenset({"entry"})}
    ),
    Multipliers: _support(""),
    Client: _support(
        f"{_REVISED} client_id name country region tax_jurisdiction vat_id currency payment_terms_days"
        " default_rate_card_id address invoice_per"
    ),
    Consultant: _support(f"{_REVISED} consultant_id name region weekly_capacity_minutes grades"),
    Grade: _support("valid_from valid_to labor_category cost_rate"),
    Task: _support(f"{_REVISED} task_id engagement_id code name closed_on billable labor_category"),
    RateCard: _support(f"{_REVISED} rate_card_id name currency is_firm_default lines"),
    RateLine: _support(
        "line_id consultant_id task_id labor_category amount valid_from valid_to", {"unit": frozenset({"hour"})}
    ),
}


def supports(kind: type, record: object) -> bool:
    """Whether the fast path supports the record, which is of `kind` or made from it."""
    support = SUPPORTED[kind]
    return all(getattr(record, name) in values for name, values in support.values.items()) and all(
        getattr(record, name) == default for name, default in _not_listed(type(record), kind)
    )


def supports_engagement(engagement: Engagement) -> bool:
    """Whether each entry is charged by itself, whatever else its consultant's day or month holds."""
    return (
        supports(Engagement, engagement)
        and supports(Rounding, engagement.rounding)
        and supports(Multipliers, engagement.multipliers)
    )


def _not_listed(made: type, kind: type) -> Iterator[tuple[str, object]]:
    """The fields that are not supported, each with the one value with which it changes nothing."""
    support = SUPPORTED[kind]
    return (
        (each.name, None if each.default is MISSING else each.default)
        for each in fields(made)
        if each.name not in support.any_value and each.name not in support.values
    )
