"""Monthly minimums and fees by days (DOMAIN.md §2 rule 15 and Fees, §6)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import (
    CLIENT,
    ENGAGEMENT,
    TASK,
    adjustment,
    card,
    charges,
    codes,
    decision,
    engagement,
    entry,
    expense,
    line,
    masters_of,
    period,
    settled,
    tax_rule,
)

from rating.model.charge import Charge
from rating.model.facts import Fact
from rating.model.master_data import BlendedTerms, Cap, Engagement, Minimum, Retainer, Subscription
from rating.model.masters import Masters

MINIMUM = engagement(minimum=Minimum(amount=Decimal(1000)))
MASTERS = masters_of(MINIMUM)


def minimum(masters: Masters, *facts: Fact, month: str = "2024-01") -> Charge | None:
    return settled(masters, *facts)[f"minimum:{month}"].charge


def amount(masters: Masters, *facts: Fact) -> str:
    charge = minimum(masters, *facts)
    assert charge is not None
    return str(charge.amount)


def test_rule_15_a_closed_month_is_charged_what_its_time_is_short_of_the_minimum() -> None:
    assert amount(MASTERS, entry("a", 150), period()) == "750.00"
    assert amount(MASTERS, period()) == "1000.00"


def test_rule_15_its_charge() -> None:
    charge = minimum(MASTERS, entry("a", 150), period(revision=3))
    assert charge is not None
    assert (charge.kind, charge.work_date, charge.period) == ("minimum", date(2024, 1, 1), "2024-01")
    assert (charge.reason, charge.tax_category, charge.worked_minutes, charge.lineage.revision) == (None, "S", 0, 3)
    assert "minimum of 2024-01: 1000 less time of 250.00 = 750.00 USD" in charge.derivation


def test_rule_13_a_minimum_that_is_reached_is_zero_with_that_reason() -> None:
    for minutes in (600, 601):
        charge = minimum(MASTERS, entry("a", minutes), period())
        assert charge is not None
        assert (str(charge.amount), charge.reason) == ("0.00", "MINIMUM_REACHED")
    tiny = masters_of(engagement(minimum=Minimum(amount=Decimal("0.004"))))
    charge = minimum(tiny, period())
    assert charge is not None
    assert (str(charge.amount), charge.reason) == ("0.00", "MINIMUM_REACHED")


def test_rule_15_only_charged_time_of_that_month_counts() -> None:
    others: list[Fact] = [
        expense("100"),
        adjustment(amount=Decimal(100)),
        entry("feb", 60, work_date=date(2024, 2, 1)),
        entry("parked", 60, task_id="T9"),
        entry("submitted", 60, status="submitted"),
        entry("not billable", 60, billable=False),
    ]
    assert amount(MASTERS, *others, period()) == "1000.00"


def test_rule_15_time_counts_as_the_cap_leaves_it() -> None:
    for policy in ("park", "absorb"):
        capped = masters_of(replace(MINIMUM, cap=Cap(amount=Decimal(200), policy=policy)))  # type: ignore[arg-type]
        assert amount(capped, entry("a", 150), period()) == "800.00"


def test_rule_15_covered_time_of_a_retainer_counts_nothing() -> None:
    terms = Retainer(included_minutes=60, monthly_fee=Decimal(500), rollover_months=0)
    masters = masters_of(replace(MINIMUM, billing_method="retainer", retainer=terms))
    assert amount(masters, entry("a", 90), period()) == "950.00"


@pytest.mark.parametrize("method", ["fixed_fee", "subscription", "outcome", "non_billable"])
def test_rule_15_other_methods_have_none(method: str) -> None:
    masters = masters_of(replace(MINIMUM, billing_method=method))  # type: ignore[arg-type]
    assert "minimum:2024-01" not in settled(masters, period())


def test_rule_15_only_a_closed_month_with_a_day_of_the_contract_has_one() -> None:
    contract = replace(MINIMUM, starts_on=date(2024, 1, 31), ends_on=date(2024, 2, 1))
    for month, has_one in (("2023-12", False), ("2024-01", True), ("2024-02", True), ("2024-03", False)):
        assert (f"minimum:{month}" in settled(masters_of(contract), period(month))) == has_one
        assert f"minimum:{month}" not in settled(masters_of(contract), period(month, status="open"))
    backwards = masters_of(replace(MINIMUM, starts_on=date(2024, 1, 20), ends_on=date(2024, 1, 10)))
    assert settled(backwards, period()) == {}
    assert settled(MASTERS, period("2024-13")) == {}
    assert settled(masters_of(ENGAGEMENT), period()) == {}


def test_rule_15_its_checks_are_those_of_a_fee() -> None:
    assert codes(MASTERS, period(source="")) == ["INVALID"]
    assert codes(masters_of(replace(MINIMUM, client_id="NONE")), period()) == ["UNKNOWN_CLIENT"]
    assert codes(masters_of(replace(MINIMUM, on_hold_from=date(2024, 1, 1))), period()) == ["ENGAGEMENT_NOT_ACTIVE"]
    assert codes(masters_of(replace(MINIMUM, on_hold_from=date(2024, 1, 2))), period()) == [None]
    later = tax_rule("TX-NY", "US-NY", "1", date(2024, 1, 2))
    found = settled(masters_of(MINIMUM, later), period())["minimum:2024-01"]
    assert found.parked is not None
    assert (found.parked.code, str(found.parked.amount_at_stake)) == ("NO_TAX_RULE", "1000.00")
    german = masters_of(
        replace(MINIMUM, seller_country="DE"), replace(CLIENT, country="FR", vat_id="FR1", tax_jurisdiction="FR")
    )
    assert codes(german, period()) == ["INVALID_VAT_ID"]


def test_d1_a_minimum_may_be_waived_for_a_revision_of_its_period() -> None:
    draft = masters_of(replace(MINIMUM, status="draft"))
    closed = period(revision=2)
    assert settled(draft, closed, decision("minimum:2024-01", "waive", 2))["minimum:2024-01"].state == "waived"
    assert settled(draft, closed, decision("minimum:2024-01", "waive", 1))["minimum:2024-01"].state == "parked"
    assert settled(draft, closed, decision("fee:2024-01", "waive", 2))["minimum:2024-01"].state == "parked"


def test_rule_15_a_fee_and_a_minimum_are_two_subjects_of_one_period() -> None:
    terms = Retainer(included_minutes=0, monthly_fee=Decimal(500), rollover_months=0)
    masters = masters_of(replace(MINIMUM, billing_method="retainer", retainer=terms))
    found = settled(masters, period())
    assert {name: str(one.charge.amount) for name, one in found.items() if one.charge} == {
        "fee:2024-01": "500.00",
        "minimum:2024-01": "1000.00",
    }


def test_rule_15_cumulative_and_blended_time_counts_as_charged() -> None:
    contract = replace(
        MINIMUM, amount_rounding="cumulative", blended_rate=BlendedTerms(amount=Decimal(100), unit="hour")
    )
    assert amount(masters_of(contract), *(entry(name, 20) for name in "abc"), period()) == "900.00"


def subscribed(**changes: object) -> Engagement:
    terms = Subscription(monthly_fee=Decimal(3000), proration="daily")
    return engagement(billing_method="subscription", subscription=terms, **changes)


@pytest.mark.parametrize(
    ("month", "fee"),
    [("2024-02", "2068.97"), ("2024-03", "3000.00"), ("2024-04", "1500.00"), ("2024-01", None), ("2024-05", None)],
)
def test_f2_a_daily_fee_is_that_of_the_contracts_days(month: str, fee: str | None) -> None:
    masters = masters_of(subscribed(starts_on=date(2024, 2, 10), ends_on=date(2024, 4, 15)))
    found = settled(masters, period(month))[f"fee:{month}"]
    assert (str(found.charge.amount) if found.charge else None) == fee
    if fee is None:
        assert found.parked is not None
        assert found.parked.code == "OUTSIDE_CONTRACT_DATES"


def test_f2_a_contract_within_a_month_and_a_whole_fee() -> None:
    contract = subscribed(starts_on=date(2024, 2, 10), ends_on=date(2024, 2, 10))
    assert str(charges(masters_of(contract), period("2024-02"))["2024-02"].amount) == "103.45"
    for proration in (None, "whole"):
        terms = Subscription(monthly_fee=Decimal(3000), proration=proration)
        masters = masters_of(replace(contract, subscription=terms))
        assert str(charges(masters, period("2024-02"))["2024-02"].amount) == "3000.00"


def test_f2_a_hold_takes_no_days_away_and_a_retainer_is_prorated_too() -> None:
    terms = Retainer(included_minutes=60, monthly_fee=Decimal(3000), rollover_months=0, proration="daily")
    contract = engagement(
        billing_method="retainer", retainer=terms, starts_on=date(2024, 2, 10), on_hold_from=date(2024, 2, 20)
    )
    masters = masters_of(contract, card(line()), TASK)
    assert str(charges(masters, period("2024-02"))["2024-02"].amount) == "2068.97"
    covered = charges(masters, entry("a", 60, work_date=date(2024, 2, 12)))["a"]
    assert (str(covered.amount), covered.reason) == ("0.00", "COVERED_BY_RETAINER")
