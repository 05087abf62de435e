"""Overlapping time and days over 24 hours, by person over all engagements (DOMAIN.md §2 rule 16)."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rating.model.facts import TimeEntry
from rating.time.advisories import advisories
from streaming.state import MemoryRows, State
from tables.advisories.intervals import ENDS, Interval, Intervals
from tests.unit.agents.advisory_bus import PARTITIONS, AdvisoryBus, at, winners, worked
from topics.catalogue import ADVISORY_INPUTS

OVER = "PERSON_DAY_OVER_24H"
OVERLAP = "OVERLAPPING_TIME"
FIRST, SECOND = ("ENG-1", "overlap:E-1", OVERLAP), ("ENG-2", "overlap:E-2", OVERLAP)


def test_two_engagements_overlap_by_one_minute() -> None:
    bus = AdvisoryBus()
    assert bus.hears(worked()) == set()
    assert bus.hears(worked("E-2", "ENG-2", started_at=at(9, 59), ended_at=at(11))) == {FIRST, SECOND}


def test_intervals_that_touch_do_not_overlap() -> None:
    assert AdvisoryBus().hears(worked(), worked("E-2", "ENG-2", started_at=at(10), ended_at=at(11))) == set()


def test_entries_without_a_usable_interval_do_not_count() -> None:
    without = worked("E-2", "ENG-2", started_at=None)
    backwards = worked("E-3", "ENG-2", started_at=at(10), ended_at=at(9))
    empty = worked("E-4", "ENG-2", started_at=at(9, 30), ended_at=at(9, 30))
    assert AdvisoryBus().hears(worked(), without, backwards, empty) == set()


def test_another_consultant_does_not_overlap() -> None:
    assert AdvisoryBus().hears(worked(), worked("E-2", "ENG-2", consultant_id="C-2")) == set()


def test_submitted_and_invalid_entries_do_not_count() -> None:
    bus = AdvisoryBus()
    submitted, invalid = worked("E-2", "ENG-2", status="submitted"), worked("E-3", "ENG-2", minutes=1441)
    assert bus.hears(worked(), submitted, invalid) == set()
    assert bus.hears(replace(submitted, status="approved", revision=2)) == {FIRST, SECOND}


def test_one_id_in_two_engagements_is_two_entries() -> None:
    found = AdvisoryBus().hears(worked("E-1", "ENG-1"), worked("E-1", "ENG-2"))
    assert found == {FIRST, ("ENG-2", "overlap:E-1", OVERLAP)}


def test_a_correction_resolves_both_by_itself() -> None:
    bus = AdvisoryBus()
    bus.hears(worked(), worked("E-2", "ENG-2"))
    assert bus.hears(worked("E-2", "ENG-2", started_at=at(10), ended_at=at(11), revision=2)) == set()
    assert bus.told()[-2:].count(("overlap:E-1", "resolved")) == 1


def test_of_three_one_withdrawn_leaves_the_pair_that_still_overlaps() -> None:
    bus = AdvisoryBus()
    third = worked("E-3", "ENG-2", started_at=at(9, 30), ended_at=at(12))
    fourth = worked("E-4", "ENG-2", started_at=at(11), ended_at=at(13))
    assert len(bus.hears(worked(), third, fourth)) == 3
    assert bus.hears(replace(third, status="withdrawn", revision=2)) == set()


def test_another_consultant_of_an_entry_takes_its_time_along() -> None:
    bus = AdvisoryBus()
    bus.hears(worked(), worked("E-2", "ENG-2"))
    moved = worked("E-2", "ENG-2", consultant_id="C-2", revision=2)
    assert bus.hears(moved) == set()
    assert bus.hears(replace(moved, consultant_id="C-1", revision=3)) == {FIRST, SECOND}


def test_a_day_has_1440_minutes_over_all_engagements() -> None:
    bus = AdvisoryBus()
    first = worked(minutes=1000, started_at=None, ended_at=None)
    second = worked("E-2", "ENG-2", minutes=440, started_at=None, ended_at=None)
    assert bus.hears(first, second) == set()
    day = ("", "person-day:C-1:2024-03-04", OVER)
    assert bus.hears(replace(second, minutes=441, revision=2)) == {day}
    assert bus.hears(replace(first, work_date=date(2024, 3, 5), revision=2)) == set()
    assert bus.told() == [(day[1], "open"), (day[1], "resolved")]


def test_a_warning_holds_nothing_back() -> None:
    bus = AdvisoryBus()
    bus.hears(worked(), worked("E-2", "ENG-2"))
    assert {each["severity"] for each in bus.exceptions} == {"warning"}
    assert {(each["minutes"], each["amount_at_stake"]) for each in bus.exceptions} == {(0, None)}


def test_a_repeat_and_an_older_revision_publish_nothing() -> None:
    bus = AdvisoryBus()
    bus.hears(worked(revision=2), worked("E-2", "ENG-2"))
    before = len(bus.exceptions), {where: len(records) for where, records in bus.log.items() if "entries" not in where}
    bus.hears(worked(revision=2), worked(revision=1, status="withdrawn"), worked("E-2", "ENG-2"))
    assert before[0] == len(bus.exceptions)
    assert len(bus.log["time.by-consultant", min(n for t, n in bus.log if t == "time.by-consultant")]) == 2


@st.composite
def histories(draw: st.DrawFn) -> list[TimeEntry]:
    """Revisions of few entries of few people on two days, each with what its revision says."""
    revisions = dict[tuple[str, str], int]()
    found = []
    for _ in range(draw(st.integers(2, 14))):
        engagement, one = draw(st.sampled_from(["ENG-1", "ENG-2", "ENG-3"])), draw(st.sampled_from(["E-1", "E-2"]))
        revision = revisions[engagement, one] = revisions.get((engagement, one), 0) + 1
        began = at(8) + timedelta(minutes=30 * draw(st.integers(0, 8)))
        found.append(
            worked(
                one,
                engagement,
                consultant_id=draw(st.sampled_from(["C-1", "C-2", "C-3"])),
                status=draw(st.sampled_from(["approved", "approved", "approved", "withdrawn", "submitted"])),
                minutes=draw(st.sampled_from([60, 700, 800, 1441])),
                work_date=draw(st.sampled_from([date(2024, 3, 4), date(2024, 3, 5)])),
                started_at=draw(st.sampled_from([began, began, began, None])),
                ended_at=began + timedelta(minutes=draw(st.sampled_from([0, 15, 30, 45, 100, 500]))),
                revision=revision,
            )
        )
    return found


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_any_arrival_gives_the_same_open_warnings(history: list[TimeEntry], seed: int) -> None:
    """In any order, with repeats, in any batches of any partition in any turn, with batches that are given up."""
    pick = random.Random(seed)
    arrived = [*history, *(pick.choice(history) for _ in range(3))]
    pick.shuffle(arrived)
    bus = AdvisoryBus()
    while arrived:
        for entry in arrived[: (n := pick.randint(1, 3))]:
            bus.publish(entry)
        arrived = arrived[n:]
        for _ in range(pick.randint(0, 4)):
            most = {topic: pick.randint(0, 3) for topic in ADVISORY_INPUTS}
            bus.step(pick.randrange(PARTITIONS), most, dies=pick.random() < 0.3)
    bus.come_to_rest()
    assert bus.open() == advisories(winners(history))
    for where in {(each["engagement_id"], each["subject"]) for each in bus.exceptions}:
        statuses = [e["status"] for e in bus.exceptions if (e["engagement_id"], e["subject"]) == where]
        assert "resolved" not in statuses[:1]
        assert ("resolved", "resolved") not in pairwise(statuses)


class CountedRows(MemoryRows):
    """Rows that count how many a scan has given."""

    scanned = 0

    def scan(self, prefix: bytes, start: bytes = b""):  # type: ignore[no-untyped-def]  # noqa: ANN201
        for row in super().scan(prefix, start):
            self.scanned += 1
            yield row


def test_the_search_looks_at_neighbours_only_however_much_a_person_has_worked() -> None:
    """One hour a day for 2,000 days, then one more hour: the rows it meets are those of its own hour."""
    rows, hour = CountedRows(), 3_600_000
    state = State(rows)
    intervals = Intervals(state)
    for day in range(2_000):
        intervals.add("C-1", Interval(day * 24 * hour, day * 24 * hour + hour, "ENG-1", f"E-{day}"))
    rows.commit(state)
    rows.scanned = 0
    late = State(rows)
    Intervals(late).add("C-1", Interval(1_000 * 24 * hour, 1_000 * 24 * hour + hour, "ENG-2", "E-1"))
    assert rows.scanned <= 6
    assert sum(ENDS.holds(key) for key in late.changes) == 3  # the one met leaves its group, and two come into theirs


def test_a_year_long_interval_by_mistake_is_found() -> None:
    mistake = worked(
        "E-2", "ENG-2", started_at=datetime(2023, 6, 1, tzinfo=UTC), ended_at=datetime(2024, 6, 1, tzinfo=UTC)
    )
    assert AdvisoryBus().hears(mistake, worked()) == {FIRST, SECOND}
