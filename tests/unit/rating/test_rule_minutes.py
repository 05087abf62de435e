"""DOMAIN §2 rules 6 and 7: billable minutes and multipliers."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import (
    MONDAY,
    SATURDAY,
    SUNDAY,
    TASK,
    amounts,
    calendar,
    charges,
    engagement,
    entry,
    masters_of,
    minutes_of,
)

from rating.model.facts import Fact
from rating.model.master_data import Multipliers, Rounding
from rating.time.rounding import rounded_minutes


@pytest.mark.parametrize(
    ("minutes", "increment", "mode", "rounded"),
    [
        (47, 15, "up", 60),
        (45, 15, "up", 45),
        (0, 15, "up", 0),
        (59, 15, "down", 45),
        (7, 15, "nearest", 0),
        (8, 15, "nearest", 15),
        (3, 6, "nearest", 6),
        (2, 6, "nearest", 0),
        (5, 10, "nearest", 10),
        (31, 1, "up", 31),
    ],
)
def test_rule_6_to_the_increment_by_the_mode(minutes: int, increment: int, mode: str, rounded: int) -> None:
    assert rounded_minutes(minutes, increment, mode) == rounded


def billable(scope: str, mode: str, *facts: Fact) -> dict[str, int]:
    contract = engagement(rounding=Rounding(increment_minutes=15, mode=mode, scope=scope))
    masters = masters_of(contract, replace(TASK, task_id="T2"), replace(TASK, task_id="T3", billable=False))
    return {key: charge.billable_minutes for key, charge in charges(masters, *facts).items()}


def test_rule_6_a_person_day_puts_the_difference_on_its_last_entry() -> None:
    facts = [entry("b", 10), entry("a", 10), entry("c", 10, task_id="T2"), entry("d", 9, work_date=date(2024, 1, 9))]
    assert billable("person_day", "up", *facts) == {"a": 10, "b": 20, "c": 15, "d": 15}
    assert billable("entry", "up", *facts) == {"a": 15, "b": 15, "c": 15, "d": 15}


def test_rule_6_a_person_day_never_goes_below_zero() -> None:
    assert billable("person_day", "down", entry("a", 10), entry("b", 2), entry("c", 1)) == {"a": 0, "b": 0, "c": 0}
    assert billable("person_day", "down", entry("a", 20), entry("b", 5), entry("c", 2)) == {"a": 15, "b": 0, "c": 0}


def test_rule_6_only_entries_that_pass_share_a_group() -> None:
    facts = [entry("a", 10), entry("b", 10, billable=False), entry("c", 10, task_id="T-NONE")]
    assert billable("person_day", "up", *facts) == {"a": 15, "b": 0}


def test_rule_6_rounds_agreed_minutes_and_keeps_the_worked_ones() -> None:
    facts: list[Fact] = [entry(minutes=47), minutes_of("t1", 20)]
    assert billable("entry", "up", *facts) == {"t1": 30}
    contract = masters_of(engagement(rounding=Rounding(increment_minutes=15, mode="up", scope="entry")))
    assert charges(contract, *facts)["t1"].worked_minutes == 47


def billed(terms: Multipliers, *facts: Fact) -> list[str]:
    contract = engagement(multipliers=terms, holiday_calendar="CAL")
    return amounts(masters_of(contract, calendar(MONDAY, SUNDAY), replace(TASK, task_id="T2")), *facts)


WEEKEND, HOLIDAY = Decimal("1.5"), Decimal(2)


def test_rule_7_the_highest_applies_never_two() -> None:
    terms = Multipliers(weekend=WEEKEND, holiday=HOLIDAY)
    days = [entry("a", work_date=SATURDAY), entry("b", work_date=SUNDAY), entry("c", work_date=date(2024, 1, 9))]
    assert billed(terms, *days) == ["150.00", "200.00", "100.00"]
    assert billed(Multipliers(weekend=WEEKEND), *days) == ["150.00", "150.00", "100.00"]


def test_rule_7_null_and_zero_do_not_apply_but_less_than_one_does() -> None:
    assert billed(Multipliers(holiday=Decimal(0)), entry()) == ["100.00"]
    assert billed(Multipliers(holiday=Decimal("0.75")), entry()) == ["75.00"]
    assert billed(Multipliers(overtime=Decimal(2)), entry(minutes=720)) == ["1200.00"]
    assert billed(Multipliers(overtime_after_minutes=60), entry(minutes=720)) == ["1200.00"]
    assert billed(Multipliers(overtime_after_minutes=0, overtime=Decimal(2)), entry()) == ["200.00"]


def test_rule_7_overtime_is_the_tail_of_the_day_over_all_tasks_in_canonical_order() -> None:
    terms = Multipliers(overtime_after_minutes=480, overtime=Decimal("1.5"))
    day = date(2024, 1, 9)
    facts = [
        entry("b", 120, work_date=day),
        entry("a", 420, work_date=day, task_id="T2"),
        entry("c", 60, work_date=day),
    ]
    # 420 are ordinary, then 60 of b; its other 60 and all of c are overtime.
    assert billed(terms, *facts) == ["250.00", "700.00", "150.00"]
    assert billed(terms, *facts, entry("0", 480, work_date=SATURDAY)) == ["250.00", "700.00", "150.00", "800.00"]


def test_rule_7_overtime_on_a_weekend_is_the_higher_of_the_two() -> None:
    terms = Multipliers(weekend=Decimal(2), overtime_after_minutes=30, overtime=Decimal("1.5"))
    assert billed(terms, entry(work_date=SATURDAY)) == ["200.00"]
    charge = charges(masters_of(engagement(multipliers=terms)), entry(work_date=SATURDAY))["t1"]
    assert [(part.minutes, part.multiplier) for part in charge.components] == [(60, Decimal(2))]
