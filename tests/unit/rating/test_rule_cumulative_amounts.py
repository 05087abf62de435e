"""Amounts rounded by the running sum of a line, and rates that need no card (DOMAIN.md §2 rules 5, 8 and 8b, §6)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from billing_contracts import (
    CLIENT,
    CONSULTANT,
    ENGAGEMENT,
    MONDAY,
    TASK,
    amounts,
    card,
    charges,
    codes,
    engagement,
    entry,
    line,
    masters_of,
    total,
)

from rating.model.charge import MasterRef
from rating.model.master_data import BlendedTerms, Cap, Multipliers, Retainer, Rounding

CUMULATIVE = engagement(amount_rounding="cumulative")
STEPS = engagement(day_rule="half_day_capped")
DAILY = card(line(amount="800", unit="day"))


def blended(amount: str, unit: str = "hour", **more: object) -> BlendedTerms:
    return BlendedTerms(amount=Decimal(amount), unit="day" if unit == "day" else "hour")


def test_rule_8b_three_entries_of_20_minutes_at_100_are_100() -> None:
    found = amounts(masters_of(CUMULATIVE), entry("a", 20), entry("b", 20), entry("c", 20))
    assert found == ["33.33", "33.34", "33.33"]
    assert total(found) == 100


def test_rule_8b_amounts_are_rounded_by_entry_unless_agreed() -> None:
    for rounding in (None, "entry"):
        masters = masters_of(engagement(amount_rounding=rounding))
        assert amounts(masters, entry("a", 20), entry("b", 20), entry("c", 20)) == ["33.33"] * 3


def test_rule_8b_a_line_goes_over_consultants_in_order_of_day_and_id() -> None:
    masters = masters_of(CUMULATIVE, replace(CONSULTANT, consultant_id="C2"))
    found = charges(
        masters,
        entry("c", 20, work_date=date(2024, 1, 9)),
        entry("a", 20, work_date=date(2024, 1, 10)),
        entry("b", 20, consultant_id="C2"),
    )
    assert {name: str(charge.amount) for name, charge in found.items()} == {"b": "33.33", "c": "33.34", "a": "33.33"}


def test_rule_8b_another_task_category_rate_or_month_is_another_line() -> None:
    masters = masters_of(
        CUMULATIVE,
        replace(TASK, task_id="T2"),
        replace(CONSULTANT, consultant_id="C2", grades=()),
        card(line(), line("2", "100", labor_category="Junior"), line("3", "50", labor_category="Cheap")),
    )
    for other in (
        {"task_id": "T2"},
        {"labor_category": "Junior"},
        {"consultant_id": "C2"},
        {"work_date": date(2024, 2, 1)},
    ):
        assert amounts(masters, entry("a", 20), entry("b", 20, **other)) == ["33.33", "33.33"], other
    assert amounts(masters, entry("a", 20), entry("b", 20, labor_category="Cheap")) == ["33.33", "16.67"]


def test_rule_8b_an_equal_rate_of_another_card_line_is_the_same_line() -> None:
    lines = [line("1", "100", valid_to=MONDAY), line("2", "100.000000", valid_from=MONDAY)]
    found = amounts(masters_of(CUMULATIVE, card(*lines)), entry("a", 20, work_date=date(2024, 1, 5)), entry("b", 20))
    assert found == ["33.33", "33.34"]


def test_rule_8b_multipliers_discount_and_a_retainer_are_in_the_exact_sum() -> None:
    contract = replace(
        CUMULATIVE,
        billing_method="retainer",
        retainer=Retainer(included_minutes=25, monthly_fee=Decimal(0), rollover_months=0),
        starts_on=date(2024, 1, 1),
        multipliers=Multipliers(overtime_after_minutes=40, overtime=Decimal("1.5")),
        discount_percent=Decimal(10),
    )
    # a: covered; b: 15 of 20 minutes = 22.50; c: 20 minutes of overtime = 45.00, of which S is 67.50.
    found = amounts(masters_of(contract), entry("a", 20), entry("b", 20), entry("c", 20), entry("d", 1))
    assert found == ["0.00", "22.50", "45.00", "2.25"]


def test_rule_8b_daily_rates_keep_their_own_rule() -> None:
    masters = masters_of(CUMULATIVE, card(line(amount="100", unit="day")))
    assert amounts(masters, entry("a", 160), entry("b", 160), entry("c", 160)) == ["33.33"] * 3


def test_rule_8b_the_cap_applies_to_these_amounts() -> None:
    contract = replace(CUMULATIVE, cap=Cap(amount=Decimal("66.67"), policy="park"))
    entries = [entry("a", 20), entry("b", 20), entry("c", 20)]
    assert amounts(masters_of(contract), *entries) == ["33.33", "33.34"]
    assert codes(masters_of(contract), *entries) == [None, None, "CAP_EXCEEDED"]


def test_rule_8b_time_that_a_check_parks_is_in_no_line() -> None:
    entries = [entry("a", 20), entry("b", 20, task_id="T9"), entry("c", 20)]
    assert amounts(masters_of(CUMULATIVE), *entries) == ["33.33", "33.34"]


def test_rule_8_half_day_capped_is_at_most_a_day() -> None:
    masters = masters_of(STEPS, DAILY)
    for minutes, amount in ((0, "0.00"), (1, "400.00"), (240, "400.00"), (241, "800.00"), (1440, "800.00")):
        assert amounts(masters, entry("a", minutes)) == [amount]
    assert amounts(masters, entry("a", 540), entry("b", 60)) == ["720.00", "80.00"]
    assert amounts(masters_of(replace(STEPS, day_rule="half_day_steps"), DAILY), entry("a", 540)) == ["1600.00"]


def test_rule_8a_a_group_of_rate_zero_has_zero() -> None:
    masters = masters_of(STEPS, card(line(amount="0", unit="day")))
    assert amounts(masters, entry("a", 100), entry("b", 100)) == ["0.00", "0.00"]


def test_rule_5_a_blended_rate_needs_no_card() -> None:
    contract = engagement(blended_rate=blended("75"), rate_card_id="RC-NONE")
    charge = charges(masters_of(contract), entry("a", 90))["a"]
    assert (str(charge.amount), charge.rate, charge.rate_unit) == ("112.50", Decimal(75), "hour")
    assert charge.labor_category == "Engineer"
    assert "blended rate of the engagement: 75 USD per hour" in charge.derivation
    assert not [ref for ref in charge.lineage.masters if ref.kind == "rate_card"]
    assert MasterRef("engagement", "E1", 1) in charge.lineage.masters


def test_rule_5_a_blended_rate_needs_no_labor_category() -> None:
    masters = masters_of(engagement(blended_rate=blended("75")), replace(CONSULTANT, grades=()))
    charge = charges(masters, entry("a", 60))["a"]
    assert (str(charge.amount), charge.labor_category) == ("75.00", None)


def test_rule_5_a_blended_daily_rate_has_the_day_rule_and_the_calendar_check() -> None:
    contract = replace(STEPS, blended_rate=blended("800", "day"))
    assert amounts(masters_of(contract), entry("a", 300)) == ["800.00"]
    assert codes(masters_of(replace(contract, holiday_calendar="NONE")), entry("a", 300)) == ["UNKNOWN_CALENDAR"]


def test_rule_8b_blended_time_of_two_categories_is_two_lines() -> None:
    masters = masters_of(replace(CUMULATIVE, blended_rate=blended("100")))
    found = amounts(masters, entry("a", 20), entry("b", 20, labor_category="Junior"), entry("c", 20))
    assert found == ["33.33", "33.33", "33.34"]


def test_rule_6_minutes_are_rounded_before_amounts() -> None:
    rounding = Rounding(increment_minutes=20, mode="up", scope="entry")
    masters = masters_of(replace(CUMULATIVE, rounding=rounding), CLIENT)
    assert amounts(masters, entry("a", 1), entry("b", 21), entry("c", 0)) == ["33.33", "66.67", "0.00"]
    assert ENGAGEMENT.amount_rounding is None
