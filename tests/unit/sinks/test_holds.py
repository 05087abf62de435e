"""Which charges a hold keeps out of invoices (DOMAIN.md §4.11)."""

from datetime import date
from typing import Any

import pytest

from invoicing.holds import Holds, holds_on

DAY = date(2025, 4, 1)


def hold(**fields: object) -> dict[str, Any]:
    """A hold on a whole engagement."""
    start: dict[str, object] = {
        "hold_id": "h",
        "engagement_id": "E-1",
        "subject": None,
        "status": "held",
        "until": None,
    }
    return start | {"until": None, "revision": 1} | fields


def test_a_hold_is_on_a_subject_or_on_the_whole_engagement() -> None:
    whole, one = holds_on([hold()], DAY), holds_on([hold(subject="time:a")], DAY)
    assert [whole.keeps_back("E-1", "time:a"), whole.keeps_back("E-1", "fee:2025-03")] == [True, True]
    assert [one.keeps_back("E-1", "time:a"), one.keeps_back("E-1", "time:b")] == [True, False]
    assert not whole.keeps_back("E-2", "time:a")
    assert not one.keeps_back("E-2", "time:a")
    assert holds_on([hold(subject="")], DAY) == whole


@pytest.mark.parametrize(("until", "held"), [(date(2025, 4, 2), True), (DAY, False), (date(2025, 3, 31), False)])
def test_with_until_it_holds_for_issue_dates_before_that_day(until: date, held: bool) -> None:
    assert holds_on([hold(until=until)], DAY).keeps_back("E-1", "time:a") == held


def test_the_highest_revision_counts_and_of_equal_ones_the_first() -> None:
    released = hold(status="released", revision=2)
    for records in ([hold(), released], [released, hold()], [released, hold(revision=2)]):
        assert holds_on(records, DAY) == Holds()
    assert holds_on([released, hold(hold_id="other")], DAY) != Holds()
    assert holds_on([released, hold(engagement_id="E-2")], DAY).engagements == {"E-2"}
