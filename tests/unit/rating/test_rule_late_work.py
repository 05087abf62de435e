"""Work that comes after its month was closed (DOMAIN.md §1.4 and §2 rule 14)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from billing_contracts import (
    NOW,
    adjustment,
    amounts,
    codes,
    decision,
    engagement,
    entry,
    expense,
    masters_of,
    milestone,
    outcome,
    period,
    settled,
    tiers,
)

from rating.model.facts import BillingPeriod
from rating.model.master_data import MilestoneTerms, OutcomeTerms
from rating.model.revision_order import is_earlier_repeat, resolve_revision, winner

CLOSED_AT = datetime(2024, 2, 3, 12, tzinfo=UTC)
LATER = CLOSED_AT + timedelta(milliseconds=1)
CALLS = OutcomeTerms(metric="calls", model="per_unit", tiers=tiers((None, "2", "0")))
PARKS = engagement(
    late_policy="park",
    outcomes=(CALLS,),
    milestones=(MilestoneTerms(milestone_id="m1", name="Stage", amount=Decimal(10)),),
)
MASTERS = masters_of(PARKS)


def closed(**changes: object) -> BillingPeriod:
    return period(occurred_at=CLOSED_AT, **changes)


def test_rule_14_late_time_expenses_and_outcomes_are_parked() -> None:
    for fact in (entry("a", 60), expense("10"), outcome("o", "1")):
        late = replace(fact, occurred_at=LATER)
        assert codes(MASTERS, late, closed()) == ["PERIOD_CLOSED"], fact
        assert codes(MASTERS, replace(fact, occurred_at=CLOSED_AT), closed()) == [None], fact
        assert codes(MASTERS, late, closed(status="open")) == [None], fact
        assert codes(MASTERS, late, period("2024-02", occurred_at=CLOSED_AT)) == [None], fact
        assert codes(MASTERS, late) == [None], fact


def test_rule_14_only_where_it_is_agreed() -> None:
    for policy in (None, "next_invoice"):
        assert codes(masters_of(engagement(late_policy=policy)), entry("a", 60, occurred_at=LATER), closed()) == [None]


def test_rule_14_milestones_and_adjustments_are_never_late() -> None:
    facts = [milestone(occurred_at=LATER), adjustment(amount=Decimal(1), occurred_at=LATER)]
    assert codes(MASTERS, *facts, closed()) == [None, None]


def test_rule_14_facts_that_were_taken_back_are_not_late() -> None:
    found = settled(MASTERS, entry("a", 60, occurred_at=LATER, status="withdrawn"), closed())
    assert found["time:a"].state == "void"


def test_rule_14_a_later_closing_releases_it() -> None:
    late = entry("a", 60, occurred_at=LATER)
    assert amounts(MASTERS, late, closed(revision=2, status="closed")) == []
    assert amounts(MASTERS, late, period(revision=2, occurred_at=LATER)) == ["100.00"]


def test_rule_14_comes_after_the_common_checks_and_before_times_own() -> None:
    late = entry("a", 60, occurred_at=LATER, task_id="T9")
    assert codes(MASTERS, late, closed()) == ["PERIOD_CLOSED"]
    assert codes(MASTERS, replace(late, minutes=1441), closed()) == ["INVALID"]
    day = date(2014, 12, 31)
    assert codes(MASTERS, replace(late, work_date=day), closed(period="2014-12")) == ["OUTSIDE_CONTRACT_DATES"]


def test_rule_14_time_that_is_not_billable_may_be_late_too() -> None:
    assert codes(MASTERS, entry("a", 60, occurred_at=LATER, billable=False), closed()) == ["PERIOD_CLOSED"]
    masters = masters_of(replace(PARKS, billing_method="non_billable"))
    assert codes(masters, expense("10", occurred_at=LATER), closed()) == ["PERIOD_CLOSED"]


def test_rule_14_late_time_counts_to_the_24_hours_and_may_be_waived() -> None:
    day = [entry("a", 800, occurred_at=LATER), entry("b", 800)]
    assert codes(MASTERS, *day, closed()) == ["PERIOD_CLOSED", "DAY_OVER_24H"]
    assert settled(MASTERS, day[0], decision("time:a"), closed())["time:a"].state == "waived"


def test_1_4_the_earliest_of_equal_repeats_counts() -> None:
    seen = entry("a", 60, occurred_at=LATER)
    earlier = replace(seen, occurred_at=CLOSED_AT)
    assert winner(seen, earlier) is earlier
    assert winner(earlier, seen) is earlier
    assert resolve_revision(seen, earlier) == "duplicate"
    assert is_earlier_repeat(seen, earlier)
    assert not is_earlier_repeat(None, earlier)


def test_1_3_and_1_5_an_earlier_time_of_other_content_or_of_a_lower_revision_changes_nothing() -> None:
    seen = entry("a", 60, occurred_at=LATER, revision=2)
    for other in (replace(seen, minutes=61), replace(seen, revision=1)):
        assert winner(seen, replace(other, occurred_at=NOW)) is seen
    assert winner(seen, replace(seen, revision=3)).revision == 3
