"""A source of another kind needs a mapping file only: its own revisions, mapped codes, seconds, statuses, offsets."""

from datetime import UTC, date, datetime

import pytest

from sources.engine import CONFLICT, OPEN, RESOLVED, Applied
from sources.mapping.errors import Unusable
from tests.unit.sources.intake import Tracker

W1 = "source:tracker:worklogs:W-1"


@pytest.fixture
def tracker() -> Tracker:
    """All codes but the task's are mapped."""
    tracker = Tracker()
    tracker.person("ada", "ada@example.com")
    tracker.code("consultant", "ada@example.com", "C1")
    tracker.code("engagement", "ABC", "E1")
    return tracker


@pytest.fixture
def mapped(tracker: Tracker) -> Tracker:
    """All codes are mapped."""
    tracker.code("task", "ABC/7", "T-7")
    return tracker


def test_a_code_nobody_mapped_is_an_exception_that_heals(tracker: Tracker) -> None:
    (opened,) = tracker.worklog().problems
    assert (opened.subject, opened.code, opened.status) == (W1, "UNMAPPED_CODE", OPEN)
    assert opened.message.startswith("worklogs W-1: the task code 'ABC/7' of tracker is not mapped")
    assert opened.missing == ("code", "tracker:task:ABC/7")
    healed = tracker.code("task", "ABC/7", "T-7")
    assert [(problem.status, problem.missing) for problem in healed.problems] == [(RESOLVED, opened.missing)]
    (entry,) = healed.canonical
    assert (entry.record["task_id"], entry.record["minutes"]) == ("T-7", 91)
    assert (entry.record["engagement_id"], entry.record["consultant_id"]) == ("E1", "C1")
    assert entry.record["work_date"] == date(2024, 1, 31)
    assert entry.record["occurred_at"] == datetime(2024, 2, 1, 8, tzinfo=UTC)
    assert (entry.source_revision, entry.origin.offset) == ("2024-02-01T08:00:00.000Z", 4)


def test_every_code_of_a_record_is_asked_for_in_turn() -> None:
    tracker = Tracker()
    tracker.person("ada", "ada@example.com")
    tracker.worklog()
    asked = []
    for kind, code in (("engagement", "ABC"), ("task", "ABC/7"), ("consultant", "ada@example.com")):
        asked.append(tracker.open[W1][2])
        tracker.code(kind, code, f"{kind}-1")
    assert asked == [
        ("code", "tracker:engagement:ABC"),
        ("code", "tracker:task:ABC/7"),
        ("code", "tracker:consultant:ada@example.com"),
    ]
    assert tracker.open == {}
    assert tracker.minutes() == {"engagement-1/W-1": 91}


def test_a_code_mapped_to_another_engagement_moves_its_entries(mapped: Tracker) -> None:
    mapped.worklog()
    mapped.worklog(key="W-2")
    moved = mapped.code("engagement", "ABC", "E2", revision=2)
    assert [(each.key, each.record["entry_id"], each.record["status"]) for each in moved.canonical] == [
        ("E1", "W-1", "withdrawn"),
        ("E2", "W-1", "approved"),
        ("E1", "W-2", "withdrawn"),
        ("E2", "W-2", "approved"),
    ]
    assert mapped.code("engagement", "ABC", "E1", revision=1) == Applied()


def test_a_code_found_through_a_look_up_follows_it(mapped: Tracker) -> None:
    mapped.worklog()
    (opened,) = mapped.person("ada", "lovelace@example.com").problems
    assert opened.missing == ("code", "tracker:consultant:lovelace@example.com")
    assert mapped.minutes() == {}  # withdrawn: what was published no longer holds
    mapped.code("consultant", "lovelace@example.com", "C1")
    assert mapped.minutes() == {"E1/W-1": 91}


def test_a_code_that_is_absent_is_no_code_to_map(mapped: Tracker) -> None:
    mapped.person("ada", None)
    (opened,) = mapped.worklog().problems
    assert (opened.code, opened.missing) == ("UNMAPPABLE", None)
    assert "consultant_id" in opened.message


def test_codes_of_other_systems_and_codes_nobody_uses_change_nothing(tracker: Tracker) -> None:
    tracker.worklog()
    rows = dict(tracker.state)
    assert tracker.code("task", "ABC/7", "T-7", system="tempo") == Applied()
    assert tracker.state == rows
    assert tracker.code("client", "ABC/7", "T-7") == Applied()


def test_of_two_mappings_with_one_revision_the_first_stands_and_masters_tells(mapped: Tracker) -> None:
    mapped.worklog()
    assert mapped.code("task", "ABC/7", "T-8") == Applied()
    assert mapped.standing()["time.entries", "E1", "W-1"]["task_id"] == "T-7"


def test_the_highest_source_revision_wins_in_any_order(mapped: Tracker) -> None:
    mapped.worklog("2024-02-03T09:00:00Z", seconds=120)
    assert mapped.worklog("2024-02-02T09:00:00Z", seconds=60) == Applied()
    assert mapped.minutes() == {"E1/W-1": 2}
    mapped.code("task", "ABC/7", "T-8", revision=3)
    assert mapped.code("task", "ABC/7", "T-9", revision=2) == Applied()
    assert mapped.standing()["time.entries", "E1", "W-1"]["task_id"] == "T-8"


def test_an_equal_revision_with_other_content_never_replaces_the_first(mapped: Tracker) -> None:
    mapped.worklog(seconds=120)
    (opened,) = mapped.worklog(seconds=60).problems
    assert (opened.code, opened.status) == (CONFLICT, OPEN)
    assert mapped.minutes() == {"E1/W-1": 2}
    mapped.code("task", "ABC/7", "T-8", revision=2)
    assert mapped.standing()["time.entries", "E1", "W-1"]["task_id"] == "T-8"
    (resolved,) = mapped.worklog("2024-02-05T09:00:00Z", seconds=180).problems
    assert resolved.status == RESOLVED
    assert mapped.minutes() == {"E1/W-1": 3}


def test_a_later_revision_that_differs_in_its_instant_only_publishes_nothing(mapped: Tracker) -> None:
    mapped.worklog()
    assert mapped.worklog("2024-02-03T09:00:00Z").canonical == []


def test_statuses_are_translated_and_unknown_ones_are_exceptions(mapped: Tracker) -> None:
    (entry,) = mapped.worklog(state="OPEN").canonical
    assert entry.record["status"] == "submitted"
    changed = mapped.worklog("2024-02-03T09:00:00Z", state="LOST")
    assert [(problem.code, problem.message) for problem in changed.problems] == [
        ("UNMAPPED_CODE", "worklogs W-1: the code 'LOST' is none of OPEN, DONE")
    ]
    assert [each.record["status"] for each in changed.canonical] == ["withdrawn"]


@pytest.mark.parametrize("updated", ["yesterday", "2024-02-01T09:00:00"])
def test_a_revision_that_is_none_is_unusable(updated: str) -> None:
    tracker = Tracker()
    with pytest.raises(Unusable):
        tracker.worklog(updated)
    with pytest.raises(Unusable, match="is no revision"):
        tracker.worklog(updated=None)  # type: ignore[arg-type] - as a source may send it
    assert tracker.state == {}
