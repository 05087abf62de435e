"""Which engagements may take the fast path: those whose every term it knows (DESIGN.md §3)."""

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import ENGAGEMENT, card, entry, line, masters_of

from rating.model.master_data import BlendedTerms, Cap, Engagement, Minimum, Multipliers, Rounding
from rating.time.fast_path import LOOKED_AT, UNDERSTOOD, is_plain, plain_terms


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
    contract = replace(ENGAGEMENT, **terms)  # type: ignore[arg-type]
    assert not is_plain(contract)
    assert plain_terms(entry(), masters_of(contract)) is None


def test_the_defaults_of_terms_are() -> None:
    assert is_plain(replace(ENGAGEMENT, amount_rounding="entry", late_policy="next_invoice"))


def test_a_field_that_nobody_placed_makes_time_not_plain() -> None:
    names = {field.name for field in fields(Engagement)}
    assert names >= UNDERSTOOD | LOOKED_AT
    for name in names - UNDERSTOOD - LOOKED_AT:
        assert not is_plain(replace(ENGAGEMENT, **{name: object()})), name  # type: ignore[arg-type]


def test_a_daily_rate_and_a_failed_check_are_not() -> None:
    assert plain_terms(entry(), masters_of(card(line(unit="day")))) is None
    assert plain_terms(entry(work_date=date(2014, 12, 31)), masters_of()) is None
