"""What a source says it sent, held to what arrived: complete, gaps that are named, or not proven."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from assurance.completeness import Arrived, ControlTotal, Part, UnmappedRecords, completeness, standing_totals

AS_OF = datetime(2025, 4, 1, tzinfo=UTC)
MARCH: Part = ("tock", "lines", "2025-03")


def total(count: int, minutes: int | None, part: Part = MARCH, hours: int = 0) -> ControlTotal:
    """What the source counted, so many hours later."""
    return ControlTotal(*part, count=count, minutes=minutes, as_of=AS_OF + timedelta(hours=hours))


def test_what_was_counted_and_what_arrived_are_compared() -> None:
    april, may = ("tock", "lines", "2025-04"), ("tock", "lines", "2025-05")
    june, july = ("tock", "lines", "2025-06"), ("tock", "lines", "2025-07")
    stated = [total(10, 600), total(10, 600, april), total(3, None, june), total(2, 60, july)]
    arrived = {MARCH: Arrived(10, 600), april: Arrived(8, 500), may: Arrived(1, 60), july: Arrived(3, 90)}
    arrived[june] = Arrived(3, 777)  # a source without minutes does not speak of them
    waiting = {("tock", "lines"): UnmappedRecords(2, 1)}
    found = completeness(stated, arrived, waiting)
    assert [(one.part[2], one.verdict, one.missing_records, one.missing_minutes) for one in found] == [
        ("2025-03", "complete", 0, 0),
        ("2025-04", "gaps", 2, 100),
        ("2025-05", "unproven", 0, 0),
        ("2025-06", "complete", 0, 0),
        ("2025-07", "gaps", -1, -30),
    ]
    assert {one.waiting for one in found} == {UnmappedRecords(2, 1)}


def test_equal_records_of_other_minutes_are_a_gap() -> None:
    (found,) = completeness([total(10, 600)], {MARCH: Arrived(10, 590)}, {})
    assert (found.verdict, found.missing_records, found.missing_minutes) == ("gaps", 0, 10)


def test_nothing_that_arrived_of_what_was_stated_is_a_gap() -> None:
    (found,) = completeness([total(10, 600)], {}, {})
    assert (found.verdict, found.missing_records, found.arrived) == ("gaps", 10, Arrived(0, 0))


@given(st.data())
def test_the_latest_count_stands_in_whatever_order_they_come(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99), st.none() | st.integers(0, 99))))
    totals = [total(count, minutes, hours=hours) for hours, count, minutes in counts]
    shuffled = data.draw(st.permutations(totals + totals[:2]))
    stands = standing_totals(shuffled)
    assert stands == standing_totals(totals)
    if totals:
        assert stands[MARCH].as_of == max(one.as_of for one in totals)
