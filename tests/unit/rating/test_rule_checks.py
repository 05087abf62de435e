"""DOMAIN §2 rules 1 to 3: the checks in their order, the first failure parking the subject."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import (
    CLIENT,
    CONSULTANT,
    ENGAGEMENT,
    MONDAY,
    TASK,
    adjustment,
    card,
    charges,
    codes,
    engagement,
    entry,
    expense,
    line,
    masters_of,
    milestone,
    minutes_of,
    only,
    outcome,
    period,
    settled,
)

from rating.model.facts import Fact
from rating.model.master_data import Engagement, MilestoneTerms, Retainer

RETAINER = Retainer(included_minutes=0, monthly_fee=Decimal(500), rollover_months=0)


@pytest.mark.parametrize(
    "fact",
    [
        entry(minutes=-1),
        entry(minutes=1441),
        entry(task_id=""),
        entry(consultant_id=""),
        entry(source=""),
        expense(category=""),
        expense(currency=""),
        expense(consultant_id=""),
        milestone(source=""),
        outcome("o1", "-1"),
        outcome("o1", "1", metric=""),
        adjustment(amount=None),
        adjustment(amount=Decimal(1), reason=""),
        adjustment(kind="minutes", minutes=5),
        adjustment(kind="minutes", subject="time:t1"),
        adjustment(kind="minutes", subject="fee:2024-01", minutes=5),
        minutes_of("t1", 1441),
    ],
)
def test_rule_1_invalid_comes_before_everything(fact: Fact) -> None:
    assert codes(only(), fact) == ["INVALID"]


@pytest.mark.parametrize("month", ["2024-13", "2024-00", "0000-01", "2024-1", "24-01", "2024-011", "²024-01", ""])
def test_rule_1_a_fee_of_no_month_is_invalid(month: str) -> None:
    contract = engagement(billing_method="retainer", retainer=RETAINER)
    assert codes(masters_of(contract), period(month)) == ["INVALID"]


def test_rule_1_waits_for_engagement_then_client() -> None:
    assert codes(only(), entry()) == ["UNKNOWN_ENGAGEMENT"]
    assert codes(only(ENGAGEMENT), entry()) == ["UNKNOWN_CLIENT"]
    assert codes(only(replace(ENGAGEMENT, status="draft")), entry()) == ["UNKNOWN_CLIENT"]


@pytest.mark.parametrize(
    ("contract", "day", "code"),
    [
        (engagement(status="draft"), MONDAY, "ENGAGEMENT_NOT_ACTIVE"),
        (engagement(on_hold_from=MONDAY), MONDAY, "ENGAGEMENT_NOT_ACTIVE"),
        (engagement(on_hold_from=date(2024, 1, 9)), MONDAY, None),
        (engagement(status="closed", ends_on=MONDAY), MONDAY, None),
        (engagement(ends_on=date(2024, 1, 7)), MONDAY, "OUTSIDE_CONTRACT_DATES"),
        (engagement(starts_on=date(2024, 1, 9)), MONDAY, "OUTSIDE_CONTRACT_DATES"),
        (engagement(starts_on=MONDAY), MONDAY, None),
    ],
)
def test_rule_1_days_of_the_contract(contract: Engagement, day: date, code: str | None) -> None:
    assert codes(masters_of(contract), entry(work_date=day)) == [code]


def test_rule_1_a_fee_is_inside_when_any_day_of_its_month_is() -> None:
    contract = engagement(billing_method="retainer", retainer=RETAINER, starts_on=date(2024, 1, 31))
    assert codes(masters_of(contract), period("2024-01")) == [None]
    assert codes(masters_of(contract), period("2023-12")) == ["OUTSIDE_CONTRACT_DATES"]
    held = replace(contract, on_hold_from=date(2024, 1, 2))
    assert codes(masters_of(held), period("2024-01")) == [None]
    assert codes(masters_of(held), period("2024-02")) == ["ENGAGEMENT_NOT_ACTIVE"]


def test_rule_1_milestones_and_adjustments_may_lie_outside_the_contract_but_not_in_a_hold() -> None:
    stage = MilestoneTerms(milestone_id="m1", name="Stage", amount=Decimal(10))
    facts: list[Fact] = [milestone(), adjustment(amount=Decimal(1))]
    ended = engagement(milestones=(stage,), ends_on=date(2020, 1, 1))
    assert codes(masters_of(ended), *facts) == [None, None]
    held = replace(ended, on_hold_from=MONDAY)
    assert codes(masters_of(held), *facts) == ["ENGAGEMENT_NOT_ACTIVE", "ENGAGEMENT_NOT_ACTIVE"]


def test_rule_2_the_checks_of_time_in_their_order() -> None:
    closed = replace(TASK, closed_on=MONDAY)
    assert codes(only(ENGAGEMENT, CLIENT), entry()) == ["UNKNOWN_TASK"]
    assert codes(masters_of(replace(TASK, engagement_id="E2")), entry()) == ["UNKNOWN_TASK"]
    assert codes(only(ENGAGEMENT, CLIENT, closed), entry()) == ["TASK_CLOSED"]
    assert codes(masters_of(replace(TASK, closed_on=date(2024, 1, 9))), entry()) == [None]
    assert codes(only(ENGAGEMENT, CLIENT, TASK), entry()) == ["UNKNOWN_CONSULTANT"]
    assert codes(only(ENGAGEMENT, CLIENT, TASK, CONSULTANT), entry()) == ["UNKNOWN_RATE_CARD"]
    named = engagement(holiday_calendar="CAL")
    assert codes(only(named, CLIENT, TASK, CONSULTANT, card()), entry()) == ["UNKNOWN_CALENDAR"]
    assert codes(only(ENGAGEMENT, CLIENT, TASK, CONSULTANT, card()), entry()) == ["NO_TAX_RULE"]


def test_rule_2_a_day_over_24_hours_parks_what_did_not_fail_earlier() -> None:
    day = [entry("a", 1000), entry("b", 440), entry("c", 1, task_id="T-NONE")]
    assert codes(masters_of(), *day) == ["DAY_OVER_24H", "DAY_OVER_24H", "UNKNOWN_TASK"]
    assert codes(masters_of(), *day[:2]) == [None, None]
    assert codes(masters_of(), *day[:2], entry("d", 1441)) == [None, None, "INVALID"]
    assert codes(masters_of(), *day[:2], entry("d", 60, status="submitted")) == [None, None, None]
    assert codes(masters_of(), *day[:2], entry("d", 60, consultant_id="C2")) == [None, None, "UNKNOWN_CONSULTANT"]
    assert codes(masters_of(), *day[:2], entry("d", 60, work_date=date(2024, 1, 9))) == [None, None, None]


def test_rule_2_agreed_minutes_do_not_count_as_recorded_ones() -> None:
    day: list[Fact] = [entry("a", 1000), entry("b", 440), minutes_of("b", 1440)]
    assert codes(masters_of(), *day) == [None, None]


@pytest.mark.parametrize(
    ("contract", "task", "marked"),
    [
        (engagement(billing_method="non_billable"), TASK, True),
        (ENGAGEMENT, replace(TASK, billable=False), True),
        (ENGAGEMENT, TASK, False),
        (engagement(billing_method="fixed_fee"), TASK, False),
    ],
)
def test_rule_3_time_that_is_not_billable_is_charged_nothing(contract: Engagement, task: object, marked: bool) -> None:
    masters = only(contract, CLIENT, CONSULTANT, task)  # type: ignore[arg-type]
    charge = charges(masters, entry(minutes=47, billable=marked))["t1"]
    assert (str(charge.amount), charge.worked_minutes, charge.billable_minutes) == ("0.00", 47, 0)
    assert (charge.reason, charge.tax_category, charge.tax_rate, charge.rate) == ("NON_BILLABLE", None, None, None)


def test_rule_3_a_non_billable_engagement_still_charges_adjustments() -> None:
    stage = MilestoneTerms(milestone_id="m1", name="Stage", amount=Decimal(10))
    contract = engagement(billing_method="non_billable", milestones=(stage,))
    found = charges(masters_of(contract), milestone(), expense(currency="XYZ"), adjustment(amount=Decimal("-2.005")))
    assert {key: (str(charge.amount), charge.reason) for key, charge in found.items()} == {
        "m1": ("0.00", "NON_BILLABLE"),
        "x1": ("0.00", "NON_BILLABLE"),
        "a1": ("-2.01", None),
    }


@pytest.mark.parametrize(
    ("status", "state"),
    [("submitted", "pending"), ("rejected", "void"), ("withdrawn", "void"), ("approved", "charged")],
)
def test_only_approved_facts_are_validated_and_charged(status: str, state: str) -> None:
    assert settled(masters_of(), entry(status=status))["time:t1"].state == state
    assert settled(only(), entry(status="submitted", minutes=-1))["time:t1"].state == "pending"


def test_what_is_missing_groups_the_entries_it_blocks() -> None:
    masters = masters_of(card(line(labor_category="Manager")))
    found = settled(masters, entry("a", labor_category="GS-5"), entry("b", labor_category="GS-5"))
    blocked = [one.parked.missing for one in found.values() if one.parked]
    assert len(blocked) == 2
    assert {(one.kind, one.id) for one in blocked if one} == {("rate", "card RC-1 / GS-5 / USD")}
