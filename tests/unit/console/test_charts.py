"""Charts: heights in proportion, a scale that holds the tallest column."""

from itertools import pairwise

import pytest

from console.pages.charts import BOTTOM, HEIGHT, TOP, Series, columns


@pytest.mark.parametrize("most", [0, 1, 4, 5, 8, 9, 41, 99, 100, 799, 800, 801, 1_000_000])
def test_the_scale_holds_the_tallest_column_and_has_whole_quarters(most: int) -> None:
    chart = columns([Series("x", "good", [most])], ["now"], 1)
    ups = [int(up.text.replace(",", "")) for up in chart.ups]
    assert ups[0] == 0
    assert ups[-1] >= most
    assert ups[-1] <= max(4, most * 2.5)
    assert len({b - a for a, b in pairwise(ups)}) == 1


def test_parts_stand_on_each_other_in_proportion() -> None:
    chart = columns([Series("a", "good", [30, 0]), Series("b", "bad", [10, 40])], ["first", "second"], 1)
    first_a, first_b, second_b = chart.bars
    assert first_a.height == pytest.approx(first_b.height * 3)
    assert second_b.height == pytest.approx(HEIGHT - BOTTOM - TOP)
    assert first_b.y + first_b.height == pytest.approx(first_a.y)
    assert (first_a.title, second_b.title) == ("first: 30 a", "second: 40 b")
