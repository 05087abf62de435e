"""DOMAIN §2 rules 10, 11 and 13: what a retainer covers, what a cap leaves, and the reason of a charge."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import (
    TASK,
    amounts,
    card,
    charges,
    codes,
    decision,
    engagement,
    entry,
    line,
    masters_of,
    settled,
)

from rating.model.facts import TimeEntry
from rating.model.master_data import Cap, Engagement, Multipliers, Retainer
from rating.model.masters import Masters


def retainer(minutes: int, rollover: int = 0, **changes: object) -> Engagement:
    terms = Retainer(included_minutes=minutes, monthly_fee=Decimal(500), rollover_months=rollover)
    return engagement(billing_method="retainer", retainer=terms, starts_on=date(2024, 1, 20), **changes)


def on(entry_id: str, day: date, minutes: int = 60) -> TimeEntry:
    return entry(entry_id, minutes, work_date=day)


JANUARY, FEBRUARY, MARCH, APRIL = (date(2024, month, 22) for month in (1, 2, 3, 4))


def test_rule_10_minutes_beyond_the_included_ones_are_priced_as_a_second_component() -> None:
    charge = charges(masters_of(retainer(40)), on("t1", JANUARY))["t1"]
    assert (str(charge.amount), charge.billable_minutes, charge.reason) == ("33.33", 60, "COVERED_BY_RETAINER")
    parts = [(part.minutes, str(part.amount), part.reason) for part in charge.components]
    assert parts == [(40, "0.00", "COVERED_BY_RETAINER"), (20, "33.33", None)]


def test_rule_10_canonical_order_decides_who_uses_the_minutes() -> None:
    late = [on("z", JANUARY), on("a", date(2024, 1, 23))]
    assert amounts(masters_of(retainer(60)), *late) == ["0.00", "100.00"]
    assert amounts(masters_of(retainer(60)), *late, on("y", date(2024, 1, 21))) == ["100.00", "100.00", "0.00"]


def test_rule_10_the_month_of_the_start_grants_whole_and_a_rest_rolls_over_oldest_first() -> None:
    work = [on("a", JANUARY, 20), on("b", FEBRUARY, 100), on("c", MARCH, 100), on("d", APRIL, 100)]
    # a leaves 40 of January; b takes those and 60 of February; c and d have only their own month.
    assert amounts(masters_of(retainer(60, 1)), *work) == ["0.00", "0.00", "66.67", "66.67"]
    assert amounts(masters_of(retainer(60, 0)), *work) == ["0.00", "66.67", "66.67", "66.67"]
    assert amounts(masters_of(retainer(60, 2)), on("d", APRIL, 200)) == ["33.33"]
    assert amounts(masters_of(retainer(60, 9)), on("b", FEBRUARY, 200)) == ["133.33"]


def test_rule_10_every_entry_needs_its_rate_covered_or_not() -> None:
    assert codes(masters_of(retainer(600), card(line(task_id="T2"))), on("t1", JANUARY)) == ["NO_RATE"]


def test_rule_10_a_retainer_without_terms_is_time_and_materials() -> None:
    assert amounts(masters_of(engagement(billing_method="retainer")), entry()) == ["100.00"]


def test_rules_7_and_10_the_retainer_covers_the_head_and_overtime_is_the_tail() -> None:
    overtime = Multipliers(overtime_after_minutes=60, overtime=Decimal(2))
    charge = charges(masters_of(retainer(30, multipliers=overtime)), on("t1", JANUARY, 90))["t1"]
    parts = [(part.minutes, part.multiplier, str(part.amount)) for part in charge.components]
    assert parts == [(30, Decimal(1), "0.00"), (30, Decimal(1), "50.00"), (30, Decimal(2), "100.00")]
    weekend = Multipliers(weekend=Decimal("0.5"))
    cheaper = charges(masters_of(retainer(30, multipliers=weekend)), on("t1", date(2024, 1, 27), 90))["t1"]
    assert (str(cheaper.amount), cheaper.multiplier) == ("50.00", Decimal("0.5"))
    covered = charges(masters_of(retainer(80, multipliers=overtime)), on("t1", JANUARY, 90))["t1"]
    assert [(part.minutes, part.multiplier) for part in covered.components] == [(80, Decimal(1)), (10, Decimal(2))]
    assert (covered.amount, covered.multiplier) == (Decimal("33.33"), Decimal(2))


def test_rules_8_and_10_half_days_count_the_minutes_beyond_the_retainer() -> None:
    contract = retainer(240, day_rule="half_day_steps")
    masters = masters_of(contract, card(line(amount="800", unit="day")))
    assert amounts(masters, on("a", JANUARY, 240), on("b", JANUARY, 240)) == ["0.00", "400.00"]
    assert amounts(masters, on("a", JANUARY, 240), on("b", JANUARY, 300)) == ["0.00", "800.00"]


def capped(amount: str, policy: str, **changes: object) -> Masters:
    terms = Cap(amount=Decimal(amount), policy=policy)
    refund = line("credit", "-50", labor_category="Credit")
    return masters_of(engagement(cap=terms, **changes), card(line(), refund), replace(TASK, task_id="T2"))


WORK = [entry("a"), entry("b", 30), entry("c")]


def test_rule_11_park_holds_what_is_beyond_the_cap() -> None:
    found = settled(capped("120.004", "park"), *WORK)
    assert [one.state for one in found.values()] == ["charged", "charged", "parked"]
    part, whole = found["time:b"], found["time:c"]
    assert part.charge is not None
    assert part.parked is not None
    assert (str(part.charge.amount), part.charge.billable_minutes, part.charge.reason) == ("20.00", 30, None)
    assert (part.parked.code, part.parked.amount_at_stake, part.parked.minutes) == ("CAP_EXCEEDED", Decimal("30.00"), 0)
    assert whole.parked is not None
    assert (whole.charge, whole.parked.amount_at_stake, whole.parked.minutes) == (None, Decimal("100.00"), 60)


def test_rule_11_a_raised_cap_resumes_by_itself() -> None:
    assert amounts(capped("250", "park"), *WORK) == ["100.00", "50.00", "100.00"]
    assert codes(capped("250", "park"), *WORK) == [None, None, None]


def test_rule_11_absorb_writes_down_and_keeps_the_minutes() -> None:
    found = charges(capped("120", "absorb"), *WORK)
    assert {key: (str(one.amount), one.reason, one.billable_minutes) for key, one in found.items()} == {
        "a": ("100.00", None, 60),
        "b": ("20.00", "OVER_CAP", 30),
        "c": ("0.00", "OVER_CAP", 60),
    }


def test_rule_11_amounts_of_zero_or_below_pass_and_give_room_back() -> None:
    credit = entry("bb", 120, labor_category="Credit")
    assert amounts(capped("120", "park"), entry("a"), entry("b"), credit, entry("c")) == [
        "100.00",
        "20.00",
        "-100.00",
        "100.00",
    ]
    assert amounts(capped("-5", "park"), entry("a", 0)) == ["0.00"]


def test_rule_11_caps_time_only_and_after_the_retainer() -> None:
    cap = Cap(amount=Decimal(0), policy="park")
    found = settled(masters_of(retainer(40, cap=cap)), on("a", JANUARY), on("b", JANUARY))
    part, whole = found["time:a"], found["time:b"]
    assert part.charge is not None
    assert part.parked is not None
    assert (str(part.charge.amount), part.charge.reason, part.parked.minutes) == ("0.00", "COVERED_BY_RETAINER", 0)
    assert (whole.charge, whole.state) == (None, "parked")


def test_rule_11_a_waive_of_a_part_charged_subject_closes_its_exception_and_changes_no_line() -> None:
    found = settled(capped("120", "park"), *WORK, decision("time:b"), decision("time:c", decision_id="d2"))
    assert (found["time:b"].state, found["time:c"].state) == ("charged", "waived")
    assert found["time:b"].charge is not None
    assert found["time:b"].parked is not None
    assert found["time:b"].parked.waived


@pytest.mark.parametrize("policy", ["park", "absorb"])
def test_rule_13_over_cap_comes_before_covered_by_retainer(policy: str) -> None:
    cap = Cap(amount=Decimal(10), policy=policy)
    charge = charges(masters_of(retainer(40, cap=cap)), on("a", JANUARY))["a"]
    assert charge.reason == ("OVER_CAP" if policy == "absorb" else "COVERED_BY_RETAINER")
    assert sum(part.amount for part in charge.components) == charge.amount == Decimal(10)


def test_a_withdrawn_entry_and_a_late_one_leave_the_others_charged() -> None:
    """The figure of §6: 4.5 h and 3.5 h invoiced, the second withdrawn, 1 h logged later: 4.5 h + 1 h stand."""
    first = [entry("a", 270), entry("b", 210)]
    later = [entry("a", 270), entry("b", 210, revision=2, status="withdrawn"), entry("c", 60)]
    assert sum(one.billable_minutes for one in charges(masters_of(), *first).values()) == 480
    assert {key: one.billable_minutes for key, one in charges(masters_of(), *later).items()} == {"a": 270, "c": 60}
