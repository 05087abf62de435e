"""Expenses priced by the day, by place and season (DOMAIN.md §2, E1, E4 and E5, §6)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import (
    MONDAY,
    NOW,
    amounts,
    charges,
    codes,
    engagement,
    expense,
    fx,
    masters_of,
    policy,
    rule,
    settled,
)

from rating.items.per_diems import in_season, per_diem_on
from rating.model.charge import MasterRef
from rating.model.facts import Expense
from rating.model.master_data import Engagement, PerDiem
from rating.model.masters import Masters, lookups_touched

TRAVELS = engagement(expense_policy_id="POL")


def per_diem(per_diem_id: str = "PD", amount: str = "68", **changes: object) -> PerDiem:
    start = PerDiem(
        source="gsa",
        revision=1,
        occurred_at=NOW,
        per_diem_id=per_diem_id,
        place="Boston",
        component="meals",
        currency="USD",
        amount=Decimal(amount),
        valid_from=date(2023, 10, 1),
    )
    return replace(start, **changes)  # type: ignore[arg-type]


def stay(amount: str = "300", currency: str = "USD", **changes: object) -> Expense:
    return expense(amount, currency, category="meals", **({"place": "Boston"} | changes))


def masters(what: str = "flat", *rates: PerDiem | object, contract: Engagement = TRAVELS, **terms: object) -> Masters:
    rules = policy(rule("meals", per_diem=what, component="meals", **terms))
    return masters_of(contract, rules, *(rates or (per_diem(),)))  # type: ignore[arg-type]


def test_e5_flat_is_days_times_rate_whatever_was_spent() -> None:
    assert amounts(masters(), stay("9999", "CHF", quantity=Decimal("2.5"))) == ["170.00"]
    assert amounts(masters(), stay(quantity=None)) == ["68.00"]
    assert amounts(masters(), stay(quantity=Decimal(0))) == ["0.00"]


def test_e5_up_to_is_the_lesser_converted_to_the_expenses_currency() -> None:
    rate = fx("EUR", "USD", "1.25")
    assert amounts(masters("up_to", per_diem(), rate), stay("300", "EUR", quantity=Decimal(2))) == ["136.00"]
    charge = charges(masters("up_to", per_diem(), rate), stay("300", "EUR", quantity=Decimal(2)))["x1"]
    assert "meals of 300 EUR; at most 2 days of meals at Boston at 68 USD; 1 EUR = 1.25 USD" in charge.derivation
    in_euro = replace(TRAVELS, currency="EUR")
    found = amounts(masters("up_to", per_diem(), rate, contract=in_euro), stay("300", "EUR", quantity=Decimal(2)))
    assert found == ["108.80"]
    assert amounts(masters("up_to", per_diem(), rate), stay("100", "EUR", quantity=Decimal(2))) == ["125.00"]
    assert amounts(masters("up_to"), stay("-5")) == ["-5.00"]


def test_e5_mark_up_applies_after() -> None:
    assert amounts(masters(markup_percent=Decimal(10)), stay()) == ["74.80"]
    assert amounts(masters("up_to", markup_percent=Decimal(10)), stay("60")) == ["66.00"]


def test_e5_nothing_is_rounded_between() -> None:
    rate = fx("EUR", "USD", "3")
    # 68 USD are 22.666... EUR, which are 68 USD again.
    assert amounts(masters("up_to", per_diem(), rate), stay("300", "EUR")) == ["68.00"]


def test_e5_its_rate_is_in_the_lineage() -> None:
    charge = charges(masters(), stay())["x1"]
    assert MasterRef("per_diem", "PD", 1) in charge.lineage.masters
    assert "1 days of meals at Boston at 68 USD = 68.00 USD" in charge.derivation


@pytest.mark.parametrize(
    "changes",
    [
        {"place": None},
        {"place": "boston"},
        {"incurred_on": date(2023, 9, 30)},
    ],
)
def test_e4_no_match_is_no_per_diem(changes: dict[str, object]) -> None:
    assert codes(masters(), stay(**changes)) == ["NO_PER_DIEM"]


def test_e4_a_rate_of_another_component_or_no_longer_valid_does_not_match() -> None:
    for other in ({"component": "lodging"}, {"valid_to": MONDAY}, {"season_from": "01-09", "season_to": "12-31"}):
        assert codes(masters("flat", per_diem(**other)), stay()) == ["NO_PER_DIEM"]


def test_e4_of_several_rates_the_later_then_the_one_with_a_season_then_the_lower_id_counts() -> None:
    season = {"season_from": "01-01", "season_to": "01-31"}
    rates = [
        per_diem("B", "1"),
        per_diem("D", "2", **season),
        per_diem("C", "3", **season),
        per_diem("E", "4", valid_from=MONDAY),
        per_diem("A", "5", valid_from=MONDAY),
        per_diem("0", "6", valid_from=MONDAY, component="lodging"),
    ]
    for left, amount in ((6, "5.00"), (4, "4.00"), (3, "3.00"), (2, "2.00"), (1, "1.00")):
        assert amounts(masters("flat", *rates[:left]), stay()) == [amount]


@pytest.mark.parametrize(
    ("season", "inside", "outside"),
    [
        (("06-01", "08-31"), ["2024-06-01", "2024-08-31"], ["2024-05-31", "2024-09-01"]),
        (("11-15", "02-28"), ["2024-11-15", "2024-12-31", "2024-01-01", "2024-02-29"], ["2024-03-01", "2024-11-14"]),
        (("02-29", "03-01"), ["2023-02-28", "2024-02-28", "2024-02-29", "2024-03-01"], ["2024-02-27", "2024-03-02"]),
        (("01-01", "02-29"), ["2023-02-28", "2024-02-29"], ["2024-03-01", "2023-12-31"]),
        (("02-29", "02-28"), ["2024-02-28", "2024-02-29"], ["2024-02-27", "2024-03-01"]),
        (("05-05", "05-05"), ["2024-05-05"], ["2024-05-04", "2024-05-06"]),
    ],
)
def test_e4_seasons(season: tuple[str, str], inside: list[str], outside: list[str]) -> None:
    rate = per_diem(season_from=season[0], season_to=season[1])
    assert [day for day in inside if not in_season(rate, date.fromisoformat(day))] == []
    assert [day for day in outside if in_season(rate, date.fromisoformat(day))] == []


def test_e1_the_checks_of_the_recorded_amount_come_first() -> None:
    assert codes(masters(receipt_above=Decimal(10)), stay(place=None)) == ["RECEIPT_MISSING"]
    assert codes(masters(limit=Decimal(10)), stay(place=None)) == ["EXPENSE_OVER_LIMIT"]
    assert codes(masters(limit=Decimal(10), limit_currency="EUR"), stay(place=None)) == ["NO_FX_RATE"]
    assert codes(masters("flat", per_diem(currency="EUR")), stay()) == ["NO_FX_RATE"]
    assert codes(masters("up_to", per_diem(currency="EUR")), stay()) == ["NO_FX_RATE"]
    assert codes(masters(), stay(quantity=Decimal(-1))) == ["INVALID"]


def test_rule_3_on_an_engagement_that_is_not_billable_only_the_rate_must_be_found() -> None:
    free = replace(TRAVELS, billing_method="non_billable")
    assert amounts(masters("flat", per_diem(currency="EUR"), contract=free), stay()) == ["0.00"]
    assert codes(masters(contract=free), stay(place="Nowhere")) == ["NO_PER_DIEM"]


def test_a_changed_rate_settles_again_who_looked_for_its_place() -> None:
    old, new = per_diem(), per_diem(place="Salem", revision=2)
    assert lookups_touched("master.per-diems", old, new) == {"per-diem:Boston", "per-diem:Salem"}
    before = masters("flat", old)
    after = before.with_records([("master.per-diems", "PD", new)])
    assert per_diem_on(after.per_diems["Boston"], "meals", MONDAY) is None
    assert per_diem_on(after.per_diems["Salem"], "meals", MONDAY) == new
    found = settled(masters("flat", old), stay(place="Nowhere"))["expense:x1"]
    assert found.parked is not None
    assert found.parked.missing is not None
    assert found.parked.missing.id == "Nowhere"
