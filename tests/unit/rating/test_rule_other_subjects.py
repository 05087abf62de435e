"""DOMAIN §2, Milestones, Fees, Adjustments and Decisions."""

from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import (
    MONDAY,
    adjustment,
    amounts,
    charges,
    codes,
    decision,
    engagement,
    entry,
    masters_of,
    milestone,
    minutes_of,
    only,
    period,
    settled,
)

from rating.model.facts import Fact, subject_of
from rating.model.master_data import Engagement, MilestoneTerms, Retainer, Subscription

STAGES = (
    MilestoneTerms(milestone_id="m1", name="Design", amount=Decimal("1000.005")),
    MilestoneTerms(milestone_id="m1", name="Again", amount=Decimal(1)),
)
RETAINER = Retainer(included_minutes=60, monthly_fee=Decimal("1433.655"), rollover_months=0)
SUBSCRIPTION = Subscription(monthly_fee=Decimal(99))


def test_a_completed_milestone_is_charged_its_amount() -> None:
    masters = masters_of(engagement(billing_method="fixed_fee", milestones=STAGES))
    assert amounts(masters, milestone()) == ["1000.01"]
    assert codes(masters, milestone("m2")) == ["UNKNOWN_MILESTONE"]
    assert settled(masters, milestone(status="reopened"))["milestone:m1"].state == "void"


@pytest.mark.parametrize(
    ("contract", "fee"),
    [
        (engagement(billing_method="retainer", retainer=RETAINER), ["1433.66"]),
        (engagement(billing_method="subscription", subscription=SUBSCRIPTION), ["99.00"]),
        (engagement(billing_method="retainer", subscription=SUBSCRIPTION), []),
        (engagement(billing_method="time_and_materials", retainer=RETAINER), []),
        (engagement(billing_method="subscription"), []),
    ],
)
def test_a_fee_is_charged_whole_where_the_method_names_one(contract: Engagement, fee: list[str]) -> None:
    assert amounts(masters_of(contract), period()) == fee
    assert len(settled(masters_of(contract), period(status="open"))) == len(fee)


def test_a_fee_is_charged_on_the_first_of_its_month_and_unknown_engagements_have_none() -> None:
    charge = charges(masters_of(engagement(billing_method="retainer", retainer=RETAINER)), period())["2024-01"]
    assert (charge.work_date, charge.period, charge.kind) == (date(2024, 1, 1), "2024-01", "fee")
    assert settled(only(), period(), period("nonsense")) == {}


def test_an_adjustment_of_an_amount_is_charged_with_its_sign() -> None:
    masters = masters_of(engagement(billing_method="retainer", retainer=RETAINER))
    assert amounts(masters, adjustment(amount=Decimal("-12.345"), subject="time:none")) == ["-12.35"]
    assert settled(masters, adjustment(amount=Decimal(1), status="submitted"))["adjustment:a1"].state == "pending"


def test_agreed_minutes_are_no_line_of_the_ledger_unless_parked() -> None:
    facts: list[Fact] = [entry(), minutes_of("t1", 30)]
    assert set(settled(masters_of(), *facts)) == {"time:t1"}
    assert amounts(masters_of(), *facts) == ["50.00"]
    for status in ("submitted", "rejected", "withdrawn"):
        assert set(settled(masters_of(), entry(), minutes_of("none", 30, status=status))) == {"time:t1"}


def test_agreed_minutes_wait_for_their_entry_of_whatever_status() -> None:
    assert codes(masters_of(), minutes_of("t1", 30)) == ["UNKNOWN_SUBJECT"]
    assert set(settled(masters_of(), entry(status="withdrawn"), minutes_of("t1", 30))) == {"time:t1"}
    assert codes(only(), minutes_of("t1", 30)) == ["UNKNOWN_SUBJECT"]


def test_of_several_agreed_minutes_the_greatest_day_and_id_applies() -> None:
    later = date(2024, 2, 1)
    facts = [
        minutes_of("t1", 6, "b"),
        minutes_of("t1", 12, "a"),
        minutes_of("t1", 18, "z", status="submitted"),
        minutes_of("t1", 2000, "y", effective_on=later),
    ]
    assert charges(masters_of(), entry(), *facts)["t1"].billable_minutes == 6
    facts.append(minutes_of("t1", 24, "0", effective_on=later))
    assert charges(masters_of(), entry(), *facts)["t1"].billable_minutes == 24


def test_a_waive_holds_for_one_revision_while_it_would_be_parked() -> None:
    parked = entry(task_id="T-NONE")
    one = settled(masters_of(), parked, decision("time:t1"))["time:t1"]
    assert (one.state, one.worked_minutes, one.charge) == ("waived", 60, None)
    assert one.parked is not None
    assert (one.parked.code, one.parked.waived) == ("UNKNOWN_TASK", True)
    assert settled(masters_of(), parked, decision("time:t1", subject_revision=2))["time:t1"].state == "parked"
    assert settled(masters_of(), entry(), decision("time:t1"))["time:t1"].state == "charged"
    assert settled(masters_of(), entry(status="withdrawn"), decision("time:t1"))["time:t1"].state == "void"


def test_a_waive_is_taken_back_by_retry_and_any_of_several_suffices() -> None:
    parked = entry(task_id="T-NONE")
    assert settled(masters_of(), parked, decision("time:t1", "retry"))["time:t1"].state == "parked"
    both = [decision("time:t1", "retry"), decision("time:t1", decision_id="d2")]
    assert settled(masters_of(), parked, *both)["time:t1"].state == "waived"


def test_waived_minutes_still_count_towards_the_24_hours() -> None:
    day: list[Fact] = [entry("a", 1000), entry("b", 441), decision("time:a")]
    found = settled(masters_of(), *day)
    assert {key: one.state for key, one in found.items()} == {"time:a": "waived", "time:b": "parked"}


@pytest.mark.parametrize("fact", [minutes_of("none", 5), milestone("none"), adjustment(amount=None)])
def test_every_parked_subject_can_be_waived(fact: Fact) -> None:
    subject = subject_of(fact)
    one = settled(masters_of(), fact, decision(subject))[subject]
    assert (one.state, one.worked_minutes) == ("waived", 0)


def test_the_day_of_an_adjustment_is_its_effective_day() -> None:
    assert charges(masters_of(), adjustment(amount=Decimal(1)))["a1"].work_date == MONDAY
