"""DOMAIN §2 rules 8 and 9, and the figures of §6 about them: exact amounts, rounded once."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from billing_contracts import (
    CLIENT,
    CONSULTANT,
    MONDAY,
    SATURDAY,
    TASK,
    TAX_RULE,
    amounts,
    card,
    charges,
    engagement,
    entry,
    line,
    masters_of,
    only,
    total,
)

from rating.model.master_data import Multipliers
from rating.model.money import rounded
from rating.time.amounts import half_days


def test_figure_five_entries_at_100_per_hour_from_exact_minutes() -> None:
    facts = [entry(str(place), minutes) for place, minutes in enumerate([15, 50, 225, 75, 35])]
    found = amounts(masters_of(), *facts)
    assert found == ["25.00", "83.33", "375.00", "125.00", "58.33"]
    assert total(found) == Decimal("666.66")


@pytest.mark.parametrize(
    ("minutes", "rate", "amount"),
    [([30], "27.50", ["13.75"]), ([15, 15], "27.50", ["6.88", "6.88"]), ([50], "100", ["83.33"])],
)
def test_figure_each_entry_is_rounded_by_itself(minutes: list[int], rate: str, amount: list[str]) -> None:
    facts = [entry(str(place), one) for place, one in enumerate(minutes)]
    assert amounts(masters_of(card(line(amount=rate))), *facts) == amount


def test_figure_seconds_at_75_per_hour_before_rounding() -> None:
    before = Fraction(31837, 3600) * 75
    assert round(before, 4) == Fraction("663.2708")
    assert rounded(before, "USD") == Decimal("663.27")


def test_rule_8_a_day_by_prorata() -> None:
    masters = masters_of(engagement(hours_per_day=Decimal("7.5")), card(line(amount="900", unit="day")))
    assert amounts(masters, entry("a", 450), entry("b", 60), entry("c", 0)) == ["900.00", "120.00", "0.00"]


def test_rule_8_the_discount_is_taken_before_the_one_rounding() -> None:
    masters = masters_of(engagement(discount_percent=Decimal("12.5")), card(line(amount="100.01")))
    assert amounts(masters, entry(minutes=20)) == ["29.17"]


@pytest.mark.parametrize(
    ("hours", "days"),
    [("0", "0"), ("0.1", "0.5"), ("4", "0.5"), ("4.1", "1"), ("8", "1"), ("9", "2"), ("16", "2"), ("16.1", "3")],
)
def test_rule_8_half_day_steps(hours: str, days: str) -> None:
    assert half_days(int(Decimal(hours) * 60), Decimal(8)) == Fraction(days)


STEPS = engagement(day_rule="half_day_steps")


def test_rule_8a_a_groups_days_are_divided_by_minutes_and_its_rounded_sum_is_shared() -> None:
    masters = masters_of(STEPS, card(line(amount="1000", unit="day")), replace(TASK, task_id="T2"))
    facts = [entry("a", 180), entry("b", 180), entry("c", 180), entry("other task", 30, task_id="T2")]
    assert amounts(masters, *facts) == ["666.67", "666.66", "666.67", "500.00"]


def test_rule_8_each_part_has_its_own_rate_and_hours_are_not_in_the_group() -> None:
    lines = [
        line("1", "800", "day", labor_category="Senior"),
        line("2", "400", "day", labor_category="Junior"),
        line("3", "60", labor_category="Hourly"),
    ]
    facts = [
        entry("a", 240, labor_category="Senior"),
        entry("b", 240, labor_category="Junior"),
        entry("c", 240, labor_category="Hourly"),
    ]
    assert amounts(masters_of(STEPS, card(*lines)), *facts) == ["400.00", "200.00", "240.00"]


def test_rule_8_multipliers_apply_within_a_group() -> None:
    overtime = Multipliers(overtime_after_minutes=240, overtime=Decimal(2), weekend=Decimal("1.5"))
    masters = masters_of(replace(STEPS, multipliers=overtime), card(line(amount="800", unit="day")))
    assert amounts(masters, entry("a", 240), entry("b", 240)) == ["400.00", "800.00"]
    assert amounts(masters, entry("a", 480, work_date=SATURDAY)) == ["1400.00"]


def test_rule_8_entries_without_minutes_are_charged_nothing_and_are_not_the_last() -> None:
    masters = masters_of(STEPS, card(line(amount="1000", unit="day")))
    assert amounts(masters, entry("a", 100), entry("b", 200), entry("c", 0)) == ["333.33", "666.67", "0.00"]


@pytest.mark.parametrize("method", ["fixed_fee", "subscription", "outcome"])
def test_rule_9_time_covered_by_a_fee_needs_a_tax_rule_but_no_rate(method: str) -> None:
    contract = engagement(billing_method=method, holiday_calendar="CAL-NONE")
    ungraded = replace(CONSULTANT, grades=())
    charge = charges(only(contract, CLIENT, TASK, ungraded, TAX_RULE), entry(minutes=47))["t1"]
    assert (str(charge.amount), charge.billable_minutes, charge.reason) == ("0.00", 47, "COVERED_BY_FEE")
    assert (charge.tax_category, charge.rate, charge.components) == ("S", None, ())
    assert charges(only(contract, CLIENT, TASK, ungraded), entry()) == {}


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "83"), ("USD", "83.33"), ("KWD", "83.333")])
def test_amounts_are_in_the_currencys_minor_unit(currency: str, amount: str) -> None:
    masters = masters_of(engagement(currency=currency), card(currency=currency))
    assert amounts(masters, entry(minutes=50, work_date=MONDAY)) == [amount]
