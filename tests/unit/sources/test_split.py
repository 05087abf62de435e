"""Quantities as whole minutes, and minutes over weekdays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.mapping.ast import Unit
from sources.mapping.split import divided, weekdays, whole_minutes


@pytest.mark.parametrize(
    ("quantity", "unit", "minutes"),
    [
        ("36.00", "hours", 2160),
        ("0.33", "hours", 20),  # 19.8
        ("0.025", "hours", 2),  # 1.5: half up
        ("0.008", "hours", 0),
        (3, "hours", 180),
        ("90", "minutes", 90),
        (30, "seconds", 1),
        (29, "seconds", 0),
        (31837, "seconds", 531),
        ("0.00", "hours", 0),
    ],
)
def test_a_quantity_becomes_whole_minutes(quantity: str | int, unit: Unit, minutes: int) -> None:
    assert whole_minutes(quantity, unit) == minutes


@pytest.mark.parametrize("quantity", ["", "eight", "NaN", "Infinity", "1e999999", None, True, 1.5, ["8"]])
def test_what_is_no_quantity_is_refused(quantity: object) -> None:
    with pytest.raises(ValueError, match="is no number of hours"):
        whole_minutes(quantity, "hours")


def test_weekdays_are_monday_to_friday_both_ends_included() -> None:
    assert weekdays("2015-04-05", "2015-04-11") == tuple(f"2015-04-{day:02}" for day in range(6, 11))
    assert weekdays("2014-10-01", "2014-10-04") == ("2014-10-01", "2014-10-02", "2014-10-03")
    assert weekdays("2015-04-06", "2015-04-06") == ("2015-04-06",)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2015-04-04", "2015-04-05", "no weekday"),
        ("2015-04-10", "2015-04-06", "no weekday"),
        ("soon", "2015-04-06", "no period of days"),
        ("2015-04-06", "2115-04-06", "longer than a year"),
    ],
)
def test_a_period_without_weekdays_is_refused(first: str, last: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        weekdays(first, last)


@given(st.integers(-10_000, 100_000), st.integers(1, 300))
def test_division_loses_no_minute(minutes: int, days: int) -> None:
    shares = divided(minutes, days)
    assert sum(shares) == minutes
    assert len(shares) == days
    assert set(shares[:-1]) <= {minutes // days}
    assert 0 <= shares[-1] - minutes // days < days


def test_the_remainder_is_on_the_last_day() -> None:
    assert divided(2162, 5) == [432, 432, 432, 432, 434]
