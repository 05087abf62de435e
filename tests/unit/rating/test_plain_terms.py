"""Which engagements may take the fast path: those whose every term it knows (DESIGN.md §3)."""

from dataclasses import field, fields, make_dataclass, replace
from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import ENGAGEMENT, card, entry, line, masters_of

from rating.model.facts import TimeEntry
from rating.model.master_data import (
    BlendedTerms,
    Cap,
    Client,
    Consultant,
    Engagement,
    Grade,
    Minimum,
    Multipliers,
    RateCard,
    RateLine,
    Rounding,
    Task,
)
from rating.time.fast_path import plain_terms
from rating.time.fast_path_support import SUPPORTED, supports
from rating.time.fast_path_support import supports_engagement as is_plain
from schemas import codec
from schemas.schema_types import Array, Enum, Optional

CONTRACTS = (
    (TimeEntry, "time.entries", ""),
    (Engagement, "master.engagements", ""),
    (Rounding, "master.engagements", "rounding"),
    (Multipliers, "master.engagements", "multipliers"),
    (Client, "master.clients", ""),
    (Consultant, "master.consultants", ""),
    (Grade, "master.consultants", "grades"),
    (Task, "master.tasks", ""),
    (RateCard, "master.rate-cards", ""),
    (RateLine, "master.rate-cards", "lines"),
)


def test_time_and_materials_by_the_entry_is_plain() -> None:
    assert is_plain(ENGAGEMENT)
    assert plain_terms(entry(), masters_of()) is not None


@pytest.mark.parametrize(
    "terms",
    [
        {"billing_method": "retainer"},
        {"cap": Cap(amount=Decimal(1), policy="park")},
        {"minimum": Minimum(amount=Decimal(1))},
        {"blended_rate": BlendedTerms(amount=Decimal(1), unit="hour")},
        {"amount_rounding": "cumulative"},
        {"late_policy": "park"},
        {"rounding": Rounding(increment_minutes=1, mode="up", scope="person_day")},
        {"multipliers": Multipliers(weekend=Decimal(2))},
    ],
)
def test_other_terms_are_not(terms: dict[str, object]) -> None:
    contract = replace(ENGAGEMENT, **terms)
    assert not is_plain(contract)
    assert plain_terms(entry(), masters_of(contract)) is None


def test_the_defaults_of_terms_are() -> None:
    assert is_plain(replace(ENGAGEMENT, amount_rounding="entry", late_policy="next_invoice"))


def test_a_field_that_is_not_listed_takes_the_general_path() -> None:
    names = {field.name for field in fields(Engagement)}
    support = SUPPORTED[Engagement]
    for name in names - support.any_value - support.values.keys():
        assert not is_plain(replace(ENGAGEMENT, **{name: object()})), name


@pytest.mark.parametrize("kind", SUPPORTED, ids=lambda kind: kind.__name__)
def test_a_field_added_tomorrow_takes_the_general_path_unless_it_has_its_default(kind: type) -> None:
    tomorrow = make_dataclass(
        "Tomorrow", [("added", str, field(default="off"))], bases=(kind,), kw_only=True, frozen=True
    )
    known = {each.name: _supported_value(kind, each.name) for each in fields(kind)}
    assert supports(kind, tomorrow(**known))
    assert not supports(kind, tomorrow(**known, added="on"))


def _supported_value(kind: type, name: str) -> object:
    return next(iter(SUPPORTED[kind].values.get(name, (None,))))


@pytest.mark.parametrize(("kind", "topic", "path"), CONTRACTS)
def test_every_field_of_the_contract_is_supported_or_has_its_default(kind: type, topic: str, path: str) -> None:
    """Each field in turn: no value of it is supported that the list does not name."""
    shape = codec.shape(topic)
    for step in filter(None, path.split(".")):
        (inner,) = (each.shape for each in shape.fields if each.name == step)
        shape = inner.items if isinstance(inner, Array) else inner  # type: ignore[assignment]
    support = SUPPORTED[kind]
    plain = {each.name: _supported_value(kind, each.name) for each in fields(kind)}
    assert {each.name for each in shape.fields} == plain.keys() - {"origin"}
    for each in shape.fields:
        of = each.shape.inner if isinstance(each.shape, Optional) else each.shape
        values = of.symbols if isinstance(of, Enum) else (object(),)
        for value in values:
            listed = each.name in support.any_value or value in support.values.get(each.name, ())
            assert supports(kind, kind(**plain | {each.name: value})) == listed, (each.name, value)


def test_a_daily_rate_and_a_failed_check_are_not() -> None:
    assert plain_terms(entry(), masters_of(card(line(unit="day")))) is None
    assert plain_terms(entry(work_date=date(2014, 12, 31)), masters_of()) is None
