"""DOMAIN §2, Outcomes, and the tier figures of §6."""

from datetime import date
from decimal import Decimal

import pytest
from billing_contracts import amounts, codes, engagement, masters_of, outcome, tiers, total

from rating.model.master_data import OutcomeTerms, Tier
from rating.model.masters import Masters

GRADUATED = tiers(("10", "10", "2"), ("20", "5", "3"), (None, "5", "3"))
VOLUME = tiers(("100", "2", "10"), ("200", "1", "0"), (None, "0.5", "50"))


def priced(model: str, steps: tuple[Tier, ...]) -> Masters:
    terms = OutcomeTerms(metric="calls", model=model, tiers=steps)
    return masters_of(engagement(billing_method="outcome", outcomes=(terms,)))


@pytest.mark.parametrize(
    ("quantity", "amount"), [("0", "2"), ("1", "12"), ("10", "102"), ("11", "110"), ("12", "115"), ("21", "163")]
)
def test_figure_graduated(quantity: str, amount: str) -> None:
    assert amounts(priced("graduated", GRADUATED), outcome("o", quantity)) == [f"{amount}.00"]


@pytest.mark.parametrize(("quantity", "amount"), [("1", "12.00"), ("100", "210.00"), ("100.5", "100.50")])
def test_figure_volume(quantity: str, amount: str) -> None:
    assert amounts(priced("volume", VOLUME), outcome("o", quantity)) == [amount]


def test_graduated_goes_on_from_one_outcome_to_the_next() -> None:
    masters = priced("graduated", GRADUATED)
    found = [outcome("a", "0"), outcome("b", "10"), outcome("c", "0.5"), outcome("d", "0.5"), outcome("e", "10")]
    # 0-10 costs 100 + 2 (its fee on a, the first), 10-11 5 + 3, and 11-21 50 + 3.
    assert amounts(masters, *found) == ["2.00", "100.00", "5.50", "2.50", "53.00"]
    assert total(amounts(masters, *found)) == Decimal(163)


def test_graduated_crossing_a_tier_enters_it_once_and_an_empty_tier_never() -> None:
    assert amounts(priced("graduated", GRADUATED), outcome("a", "21"), outcome("b", "1")) == ["163.00", "5.00"]
    steps = tiers(("10", "1", "1"), ("10", "1", "100"), (None, "1", "1"))
    assert amounts(priced("graduated", steps), outcome("a", "11")) == ["13.00"]


def test_volume_shares_the_rounded_total_in_canonical_order() -> None:
    steps = tiers(("10", "1.0005", "10"), (None, "1", "0"))
    found = [outcome("b", "1"), outcome("a", "1", achieved_on=date(2024, 1, 31)), outcome("c", "1")]
    # 13.0015 is 13.00; canonical order is day, then id, so `c` is the second: 4.33, then 8.67, then 13.00 in all.
    assert amounts(priced("volume", steps), *found) == ["4.33", "4.33", "4.34"]


def test_volume_of_no_quantity_leaves_it_all_to_the_last() -> None:
    assert amounts(priced("volume", VOLUME), outcome("a", "0"), outcome("b", "0")) == ["0.00", "10.00"]
    assert amounts(priced("volume", VOLUME), outcome("a", "1"), outcome("b", "0")) == ["12.00", "0.00"]


def test_per_unit_has_the_first_tiers_price() -> None:
    assert amounts(priced("per_unit", GRADUATED), outcome("a", "1.5"), outcome("b", "100")) == ["15.00", "1000.00"]


def test_months_and_metrics_are_apart_and_only_what_passes_counts() -> None:
    masters = priced("graduated", GRADUATED)
    found = [
        outcome("a", "10"),
        outcome("b", "10", status="rejected"),
        outcome("c", "-1"),
        outcome("d", "10", achieved_on=date(2024, 2, 1)),
    ]
    assert amounts(masters, *found) == ["102.00", "102.00"]


def test_unknown_metric() -> None:
    assert codes(priced("volume", VOLUME), outcome("a", "1", metric="seats")) == ["UNKNOWN_METRIC"]
    assert codes(priced("volume", ()), outcome("a", "1")) == ["UNKNOWN_METRIC"]


def test_of_equal_terms_the_first_counts() -> None:
    once = OutcomeTerms(metric="calls", model="per_unit", tiers=tiers((None, "1", "0")))
    again = OutcomeTerms(metric="calls", model="per_unit", tiers=tiers((None, "2", "0")))
    assert amounts(masters_of(engagement(outcomes=(once, again))), outcome("a", "1")) == ["1.00"]
