"""DOMAIN §2 rules 4 and 5: labor category and card precedence with effective dates."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
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
)

from rating.model.master_data import Grade, RateLine

GRADES = (
    Grade(valid_from=date(2020, 1, 1), labor_category="Junior"),
    Grade(valid_from=date(2024, 1, 8), valid_to=date(2024, 1, 9), labor_category="Acting lead"),
)


def test_rule_4_entry_then_task_then_the_grade_of_that_day() -> None:
    masters = masters_of(replace(CONSULTANT, grades=GRADES), replace(TASK, task_id="T2", labor_category="Tester"))
    found = charges(
        masters,
        entry("own", labor_category="Expert", task_id="T2"),
        entry("task", task_id="T2"),
        entry("later grade"),
        entry("grade", work_date=date(2024, 1, 9)),
        entry("none", work_date=date(2019, 12, 31)),
    )
    assert {key: charge.labor_category for key, charge in found.items()} == {
        "own": "Expert",
        "task": "Tester",
        "later grade": "Acting lead",
        "grade": "Junior",
        "none": None,
    }


RANKED = [
    {"consultant_id": "C1", "task_id": "T1", "labor_category": "Engineer"},
    {"consultant_id": "C1", "task_id": "T1"},
    {"consultant_id": "C1", "labor_category": "Engineer"},
    {"consultant_id": "C1"},
    {"task_id": "T1", "labor_category": "Engineer"},
    {"task_id": "T1"},
    {"labor_category": "Engineer"},
    {},
]


@pytest.mark.parametrize("rank", range(len(RANKED)))
def test_rule_5_the_most_specific_line_wins(rank: int) -> None:
    lines = [line(str(place), str(100 + place), **RANKED[place]) for place in range(rank, len(RANKED))]
    assert amounts(masters_of(card(*reversed(lines))), entry()) == [f"{100 + rank}.00"]


@pytest.mark.parametrize("other", [{"consultant_id": "C2"}, {"task_id": "T2"}, {"labor_category": "Tester"}])
def test_rule_5_a_line_matches_when_each_selector_equals(other: dict[str, Any]) -> None:
    assert codes(masters_of(card(replace(line(), **other))), entry()) == ["NO_RATE"]


def test_rule_5_the_later_valid_from_wins_and_periods_are_half_open() -> None:
    old = line("old", "100", valid_to=MONDAY)
    new = line("new", "200", valid_from=MONDAY)
    sunday = entry("a", work_date=date(2024, 1, 7))
    assert amounts(masters_of(card(old, new)), sunday, entry("b")) == ["100.00", "200.00"]
    overlapping = card(new, line("open", "100"))
    assert amounts(masters_of(overlapping), entry()) == ["200.00"]


def test_rule_5_equals_of_one_day_are_ambiguous_whatever_the_amounts() -> None:
    assert codes(masters_of(card(line("1"), line("2"))), entry()) == ["AMBIGUOUS_RATE"]
    beaten = card(line("1"), line("2"), line("3", task_id="T1"))
    assert codes(masters_of(beaten), entry()) == [None]


def test_rule_5_cards_are_searched_in_order_and_only_in_the_engagements_currency() -> None:
    client = replace(CLIENT, default_rate_card_id="RC-CLIENT")
    own = card(line(amount="1", task_id="T2"))
    of_client = card(line(amount="2", task_id="T3"), rate_card_id="RC-CLIENT")
    in_euro = card(line(amount="3"), rate_card_id="A-FIRM", currency="EUR", firm=True)
    firm = card(line(amount="4"), rate_card_id="B-FIRM", firm=True)
    later_firm = card(line(amount="5", task_id="T1"), rate_card_id="C-FIRM", firm=True)
    masters = masters_of(
        client, own, of_client, later_firm, firm, in_euro, replace(TASK, task_id="T2"), replace(TASK, task_id="T3")
    )
    facts = [entry("a", task_id="T2"), entry("b", task_id="T3"), entry("c")]
    assert amounts(masters, *facts) == ["1.00", "2.00", "4.00"]


def test_rule_5_a_named_card_is_missed_only_when_the_search_reaches_it() -> None:
    client = replace(CLIENT, default_rate_card_id="RC-NONE")
    assert codes(masters_of(client), entry()) == [None]
    assert codes(masters_of(client, card(line(task_id="T2"))), entry()) == ["UNKNOWN_RATE_CARD"]
    assert codes(masters_of(client, engagement(rate_card_id=None)), entry()) == ["UNKNOWN_RATE_CARD"]


def test_rule_5_nothing_matched() -> None:
    only_engineers: RateLine = line(labor_category="Engineer")
    ungraded = replace(CONSULTANT, grades=())
    assert codes(masters_of(card(only_engineers), ungraded), entry()) == ["NO_LABOR_CATEGORY"]
    assert codes(masters_of(card(only_engineers)), entry(labor_category="Tester")) == ["NO_RATE"]
    assert codes(masters_of(replace(ENGAGEMENT, currency="EUR")), entry()) == ["NO_RATE"]


@pytest.mark.parametrize(
    ("grade", "rate"), [("7", 59), ("9", 72), ("11", 87), ("12", 104), ("13", 124), ("14", 146), ("15", 172)]
)
def test_figure_gsa_rates_by_grade_of_fiscal_year_2015(grade: str, rate: int) -> None:
    """Fiscal year 2015 began on 1 October 2014; the year before has other rates, which must not leak in."""
    known = {"7": 59, "9": 72, "11": 87, "12": 104, "13": 124, "14": 146, "15": 172}
    lines = [
        line(
            grade_of_line,
            str(amount),
            labor_category=f"GS-{grade_of_line}",
            valid_from=date(2014, 10, 1),
            valid_to=date(2015, 10, 1),
        )
        for grade_of_line, amount in known.items()
    ]
    masters = masters_of(card(*lines))
    day = date(2015, 3, 2)
    assert amounts(masters, entry(labor_category=f"GS-{grade}", work_date=day)) == [f"{rate}.00"]
    assert codes(masters, entry(labor_category=f"GS-{grade}", work_date=date(2015, 10, 1))) == ["NO_RATE"]
