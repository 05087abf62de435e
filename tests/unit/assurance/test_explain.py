"""An explanation has each rule in order, why other rate lines lost, and how far away each threshold is."""

from datetime import date
from decimal import Decimal

from assurance.explain import Explanation, explain
from rating.model.facts import Fact
from rating.model.master_data import Cap, Master, Minimum, Multipliers, OutcomeTerms, Retainer, Rounding
from tests.unit.rating.billing_contracts import (
    MONDAY,
    adjustment,
    card,
    decision,
    engagement,
    entry,
    expense,
    fx,
    line,
    masters_of,
    outcome,
    period,
    policy,
    rule,
    tiers,
)


def explained(subject: str, facts: list[Fact], *changed: Master) -> Explanation:
    found = explain("E1", subject, facts, masters_of(*changed))
    assert found is not None
    return found


def rules_of(found: Explanation) -> list[str]:
    return [step.rule for step in found.steps]


def test_time_is_explained_rule_by_rule_with_the_revisions_it_used() -> None:
    found = explained("time:t1", [entry(minutes=50)])
    assert (found.state, found.amount, found.currency) == ("charged", Decimal("83.33"), "USD")
    numbers = ["§1.3", "§2 rules 1 and 14", "§2 rule 2", "§2 rule 3", "§2 rule 4", "§2 rule 5", "§2 rule 6"]
    assert rules_of(found) == [*numbers, "§2 rules 7 and 8", "§2 rule 12"]
    by_rule = {step.rule: step for step in found.steps}
    assert by_rule["§2 rule 5"].inputs == "rate_card RC-1 revision 1 line 1"
    assert by_rule["§2 rule 5"].result == "100 USD per hour"
    assert by_rule["§2 rule 4"].result == "Engineer"
    assert by_rule["§2 rules 7 and 8"].result == "83.33 USD"


def test_it_says_why_other_rate_lines_lost_and_when_the_next_one_begins() -> None:
    lines = (
        line("1", "100"),
        line("2", "120", task_id="T1"),
        line("3", "130", task_id="T1", valid_from=date(2024, 2, 1)),
        line("4", "90", valid_to=date(2012, 1, 1)),
    )
    found = explained("time:t1", [entry()], card(*lines))
    [searched] = found.cards
    verdicts = {each.line.line_id: each.verdict for each in searched.competitors}
    assert verdicts["2"] == "decides: the most specific line valid that day"
    assert verdicts["1"] == "matches, less specific than line 2"
    assert verdicts["3"].startswith("valid from 2024-02-01")
    assert verdicts["4"].startswith("valid from 2010-01-01 to 2012-01-01")
    assert "from 2024-02-01 on line 3 of card RC-1 is 130 USD per hour" in found.changes


def test_it_says_at_how_many_minutes_the_next_increment_begins() -> None:
    terms = engagement(rounding=Rounding(increment_minutes=15, mode="up", scope="entry"))
    changes = explained("time:t1", [entry(minutes=47)], terms).changes
    assert "61 min recorded in place of 47 bill 75 min in place of 60" in changes
    assert "45 min recorded in place of 47 bill 45 min in place of 60" in changes


def test_it_says_what_is_left_of_a_cap_and_what_the_cap_cut() -> None:
    terms = engagement(cap=Cap(amount=Decimal(150), policy="park"))
    found = explained("time:t2", [entry("t1"), entry("t2")], terms)
    by_rule = {step.rule: step for step in found.steps if step.rule == "§2 rule 11"}
    assert found.amount == Decimal("50.00")
    assert by_rule["§2 rule 11"].result.startswith("on hold: CAP_EXCEEDED")
    assert any(step.inputs == "cap 150, park; 100.00 before it" for step in found.steps)
    assert "0.00 USD of the cap of 150 are left" in found.changes


def test_it_says_how_many_retainer_minutes_and_minutes_before_overtime_are_left() -> None:
    terms = engagement(
        billing_method="retainer",
        retainer=Retainer(included_minutes=100, monthly_fee=Decimal(500), rollover_months=0),
        multipliers=Multipliers(overtime_after_minutes=480, overtime=Decimal("1.5")),
    )
    found = explained("time:t1", [entry(minutes=60)], terms)
    assert "§2 rule 10" in rules_of(found)
    assert f"40 retainer minutes are left after {MONDAY}; minutes beyond them are charged" in found.changes
    assert f"420 min more of C1 on {MONDAY} reach overtime (times 1.5)" in found.changes


def test_a_subject_on_hold_names_the_failed_check_and_what_heals_it() -> None:
    found = explained("time:t1", [entry(task_id="T9")])
    assert (found.state, found.amount) == ("on hold", None)
    failed, heals = found.steps[-2:]
    assert failed.result == "on hold: UNKNOWN_TASK, 60 min; waits for task T9"
    assert heals.rule == "heals when"
    assert heals.inputs == "master.tasks"


def test_a_failed_search_for_a_rate_shows_the_cards_it_searched() -> None:
    found = explained("time:t1", [entry()], card(line(labor_category="Partner")))
    assert found.state == "on hold"
    assert [(each.card.rate_card_id, each.verdict) for each in found.cards] == [("RC-1", "no line matches")]


def test_a_waived_subject_says_so() -> None:
    found = explained("time:t1", [entry(task_id="T9"), decision("time:t1")])
    assert found.state == "waived"
    assert found.steps[-2].result.startswith("waived: UNKNOWN_TASK")


def test_time_that_a_fee_covers_and_time_that_is_not_billable_have_their_reason() -> None:
    covered = explained("time:t1", [entry()], engagement(billing_method="fixed_fee"))
    assert covered.steps[-1].result == "COVERED_BY_FEE"
    free = explained("time:t1", [entry(billable=False)])
    assert free.steps[-1].result == "NON_BILLABLE"
    assert free.cards == ()


def test_an_expense_says_its_limits_and_how_long_its_exchange_rate_serves() -> None:
    terms = engagement(expense_policy_id="POL")
    limited = policy(rule(limit=Decimal(500), receipt_above=Decimal(200)))
    found = explained("expense:x1", [expense(currency="EUR")], terms, limited, fx("EUR", "USD", "1.25"))
    assert found.amount == Decimal("125.00")
    assert "above 500 EUR the expense is on hold" in found.changes
    assert "above 200 EUR it needs a receipt" in found.changes
    assert f"the rate of {MONDAY} serves days until 2024-02-08" in found.changes


def test_other_subjects_are_explained_too() -> None:
    fixed = explained("adjustment:a1", [adjustment(amount=Decimal(-20))])
    assert "§2 A1" in rules_of(fixed)
    steps = tiers(("10", "1", "0"), (None, "2", "0"))
    metered = engagement(outcomes=(OutcomeTerms(metric="calls", model="graduated", tiers=steps),))
    sold = explained("outcome:o1", [outcome("o1", "4")], metered)
    assert "6 calls more in 2024-01 fill this tier; more go to the next" in sold.changes
    least = engagement(minimum=Minimum(amount=Decimal(1000)))
    filled = explained("minimum:2024-01", [period(), entry(minutes=150)], least)
    assert filled.amount == Decimal("750.00")
    assert "the time of 2024-01 is 750.00 USD short of the minimum, which fills it" in filled.changes


def test_a_subject_that_no_fact_makes_has_no_explanation() -> None:
    assert explain("E1", "time:t9", [entry()], masters_of()) is None
