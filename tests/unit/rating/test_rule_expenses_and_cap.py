"""A cap on time and expenses (DOMAIN.md §2 rule 11)."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from billing_contracts import (
    MONDAY,
    adjustment,
    amounts,
    charges,
    codes,
    decision,
    engagement,
    entry,
    expense,
    fx,
    masters_of,
    milestone,
    policy,
    rule,
    settled,
)

from rating.model.master_data import Cap, Engagement, MilestoneTerms


def capped(amount: str, policy: str = "park", scope: str | None = "time_and_expenses", **more: object) -> Engagement:
    terms = Cap(amount=Decimal(amount), policy="absorb" if policy == "absorb" else "park")
    return engagement(cap=replace(terms, scope=scope), **more)  # type: ignore[arg-type]


def test_rule_11_time_and_expenses_use_one_cap_in_order_of_day_and_subject() -> None:
    # On one day expense:x1 is before time:t1; the day before is before both.
    facts = [entry("t0", 60, work_date=MONDAY - timedelta(days=1)), entry("t1", 60), expense("100")]
    found = charges(masters_of(capped("250")), *facts)
    assert {name: str(charge.amount) for name, charge in found.items()} == {
        "t0": "100.00",
        "x1": "100.00",
        "t1": "50.00",
    }
    assert codes(masters_of(capped("250")), *facts) == [None, None, "CAP_EXCEEDED"]


def test_rule_11_a_cap_on_time_leaves_expenses_alone() -> None:
    for scope in (None, "time"):
        assert amounts(masters_of(capped("50", scope=scope)), entry("t1", 60), expense("100")) == ["50.00", "100.00"]


def test_rule_11_an_expense_beyond_the_cap_is_parked_whole_or_in_part() -> None:
    masters = masters_of(capped("100.005"))
    found = settled(masters, expense("60", expense_id="a"), expense("60", expense_id="b"), expense("5", expense_id="c"))
    a, b, c = (found[f"expense:{name}"] for name in "abc")
    assert a.charge is not None
    assert b.charge is not None
    assert b.parked is not None
    assert c.parked is not None
    assert (str(a.charge.amount), str(b.charge.amount)) == ("60.00", "40.01")  # the cap is 100.01
    assert (b.state, b.parked.code, str(b.parked.amount_at_stake)) == ("charged", "CAP_EXCEEDED", "19.99")
    assert (c.state, c.charge, str(c.parked.amount_at_stake)) == ("parked", None, "5.00")
    assert "the cap leaves 40.01 USD" in b.charge.derivation


def test_rule_11_an_absorbed_expense_is_written_down() -> None:
    found = charges(masters_of(capped("60", "absorb")), expense("60", expense_id="a"), expense("60", expense_id="b"))
    assert (found["a"].reason, found["b"].reason) == (None, "OVER_CAP")
    assert str(found["b"].amount) == "0.00"


def test_rule_11_a_negative_expense_gives_room_back() -> None:
    facts = [expense("60", expense_id="a"), expense("-30", expense_id="b"), expense("60", expense_id="c")]
    assert amounts(masters_of(capped("60")), *facts) == ["60.00", "-30.00", "30.00"]


def test_rule_11_expenses_count_after_conversion_and_mark_up() -> None:
    masters = masters_of(
        capped("130", expense_policy_id="POL"), policy(rule(markup="10")), fx("EUR", "USD", "1.25", MONDAY)
    )
    assert amounts(masters, expense("80", "EUR"), entry("t1", 60)) == ["110.00", "20.00"]


def test_rule_11_other_subjects_do_not_use_the_cap() -> None:
    terms = (MilestoneTerms(milestone_id="m1", name="Stage", amount=Decimal(500)),)
    masters = masters_of(capped("100", milestones=terms))
    facts = [milestone(completed_on=date(2024, 1, 1)), adjustment(amount=Decimal(300)), expense("100")]
    assert amounts(masters, *facts) == ["500.00", "300.00", "100.00"]


def test_rule_11_expenses_of_any_method_use_the_cap() -> None:
    facts = [entry("t1", 60), expense("60", expense_id="a"), expense("60", expense_id="b")]
    found = amounts(masters_of(capped("100", billing_method="fixed_fee")), *facts)
    assert found == ["0.00", "60.00", "40.00"]
    nothing = amounts(masters_of(capped("100", billing_method="non_billable")), *facts)
    assert nothing == ["0.00", "0.00", "0.00"]


def test_rule_11_an_expense_that_a_check_parks_uses_no_room() -> None:
    facts = [expense("100", "EUR", expense_id="a"), expense("60", expense_id="b")]
    assert amounts(masters_of(capped("60")), *facts) == ["60.00"]
    assert codes(masters_of(capped("60")), *facts) == ["NO_FX_RATE", None]


def test_d1_an_expense_beyond_the_cap_may_be_waived_and_d2_a_part_of_one_too() -> None:
    facts = [expense("60", expense_id="a"), expense("60", expense_id="b"), expense("60", expense_id="c")]
    waived = [decision("expense:b", decision_id="1"), decision("expense:c", decision_id="2")]
    found = settled(masters_of(capped("100")), *facts, *waived)
    b, c = found["expense:b"], found["expense:c"]
    assert b.charge is not None
    assert b.parked is not None
    assert c.parked is not None
    assert (b.state, str(b.charge.amount), b.parked.waived) == ("charged", "40.00", True)
    assert (c.state, c.parked.waived) == ("waived", True)
