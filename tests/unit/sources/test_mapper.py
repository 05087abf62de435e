"""The engine on small histories of Tock: revisions, withdrawals, waiting, look-ups that change, exceptions."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from sources.engine import OPEN, RESOLVED
from sources.mapping.errors import Unusable
from tests.unit.sources.intake import Tock

MONDAY_TO_FRIDAY = [f"2015-04-{day:02}" for day in range(6, 11)]


@pytest.fixture
def tock() -> Tock:
    return Tock()


def test_a_line_becomes_an_entry_a_weekday(tock: Tock) -> None:
    tock.week()
    made = tock.line(48, timecard=7, project=2, hours="36.03").canonical
    assert [(each.topic, each.key, each.record["entry_id"]) for each in made] == [
        ("time.entries", "code-5", f"48:{day}") for day in MONDAY_TO_FRIDAY
    ]
    assert [each.record["minutes"] for each in made] == [432, 432, 432, 432, 434]
    assert made[0].record == {
        "entry_id": "48:2015-04-06",
        "engagement_id": "code-5",
        "task_id": "project-2",
        "consultant_id": "user-9",
        "work_date": date(2015, 4, 6),
        "minutes": 432,
        "labor_category": None,
        "billable": True,
        "status": "approved",
        "approved_by": None,
        "note": None,
        "started_at": None,
        "ended_at": None,
        "source": "tock",
        "revision": 1,
        "occurred_at": datetime(2015, 4, 6, 14, 9, 33, 703000, UTC),
    }
    assert (made[0].source_record, made[0].source_revision, made[0].origin.topic) == (
        "lines:48",
        None,
        "source.tock.lines",
    )


def test_a_lines_own_grade_is_its_labor_category(tock: Tock) -> None:
    tock.week()
    tock.grade(33, employee=9, grade=13, since="2014-10-07")
    made = tock.line(48, timecard=7, project=2, grade=33).canonical
    assert {each.record["labor_category"] for each in made} == {"GS-13"}


def test_masters_are_made_of_reference_data(tock: Tock) -> None:
    tock.sends("agencies", 1, name="Peace Corps")
    tock.code(5, agency=1, billable=False)
    tock.project(2, code=5)
    standing = tock.standing()
    assert standing["master.clients", "agency-1", "agency-1"]["name"] == "Peace Corps"
    engagement = standing["master.engagements", "code-5", "code-5"]
    assert (engagement["name"], engagement["client_id"]) == ("C5 East", "agency-1")
    assert (engagement["hours_per_day"], engagement["starts_on"]) == (Decimal(8), date(2014, 10, 1))
    task = standing["master.tasks", "project-2", "project-2"]
    assert (task["engagement_id"], task["billable"]) == ("code-5", False)


def test_grades_are_dated_in_the_order_of_their_start(tock: Tock) -> None:
    tock.grade(1, employee=9, grade=12, since="2015-03-01")
    tock.user(9)
    tock.grade(2, employee=9, grade=11, since="2014-10-07")
    tock.grade(3, employee=8, grade=15, since="2014-10-07")
    grades = tock.standing()["master.consultants", "user-9", "user-9"]["grades"]
    assert [(grade["labor_category"], grade["valid_from"], grade["valid_to"]) for grade in grades] == [
        ("GS-11", date(2014, 10, 7), date(2015, 3, 1)),
        ("GS-12", date(2015, 3, 1), None),
    ]


def test_a_grade_that_moves_to_another_employee_changes_both(tock: Tock) -> None:
    tock.user(8)
    tock.user(9)
    tock.grade(1, employee=9, grade=12, since="2015-03-01")
    tock.grade(1, employee=8, grade=12, since="2015-03-01")
    held = {key: len(record["grades"]) for (_, key, _), record in tock.standing().items()}
    assert held == {"user-8": 1, "user-9": 0}


def test_an_equal_record_publishes_nothing(tock: Tock) -> None:
    tock.week()
    tock.line(48, timecard=7, project=2)
    rows = dict(tock.state)
    assert tock.line(48, timecard=7, project=2).canonical == []
    assert tock.state == rows


def test_a_record_that_is_earlier_and_no_different_repeats_its_revision(tock: Tock) -> None:
    """The earliest of equal repeats counts (DOMAIN.md §1.4); a later one changes nothing."""
    tock.week()
    tock.line(48, timecard=7, project=2)
    assert tock.line(48, timecard=7, project=2, created="2015-04-07T00:00:00.000Z").canonical == []
    earlier = tock.line(48, timecard=7, project=2, created="2015-04-05T00:00:00.000Z").canonical
    assert [each.record["revision"] for each in earlier] == [1] * 5
    assert {each.record["occurred_at"] for each in earlier} == {datetime(2015, 4, 5, tzinfo=UTC)}
    assert tock.line(48, timecard=7, project=2).canonical == []
    changed = tock.line(48, timecard=7, project=2, hours="40.05").canonical
    assert [each.record["revision"] for each in changed] == [2]


def test_only_entries_that_change_get_a_revision(tock: Tock) -> None:
    tock.week()
    tock.line(48, timecard=7, project=2, hours="40.00")
    changed = tock.line(48, timecard=7, project=2, hours="40.05").canonical
    assert [(each.record["entry_id"], each.record["revision"], each.record["minutes"]) for each in changed] == [
        ("48:2015-04-10", 2, 483)
    ]


def test_a_line_that_moves_is_withdrawn_under_its_old_engagement(tock: Tock) -> None:
    tock.week()
    tock.code(6)
    tock.project(3, code=6)
    tock.line(48, timecard=7, project=2)
    made = tock.line(48, timecard=7, project=3).canonical
    assert [(each.key, each.record["status"], each.record["revision"]) for each in made] == [
        *[("code-5", "withdrawn", 2)] * 5,
        *[("code-6", "approved", 1)] * 5,
    ]
    back = tock.line(48, timecard=7, project=2).canonical
    assert {(each.key, each.record["status"], each.record["revision"]) for each in back} == {
        ("code-6", "withdrawn", 2),
        ("code-5", "approved", 3),
    }


def test_a_period_that_changes_withdraws_the_days_it_loses(tock: Tock) -> None:
    tock.week()
    tock.line(48, timecard=7, project=2, hours="5.00")
    tock.period(3, "2015-04-05", "2015-04-08")
    assert tock.minutes() == {f"code-5/48:{day}": 100 for day in MONDAY_TO_FRIDAY[:3]}


def test_a_project_that_changes_its_code_takes_its_lines_along(tock: Tock) -> None:
    tock.week()
    tock.code(6)
    for line in range(100, 300):
        tock.line(line, timecard=7, project=2, hours="5.00")
    assert len(tock.project(2, code=6).canonical) == 1 + 200 * 10
    assert {name.split("/")[0] for name in tock.minutes()} == {"code-6"}


def test_what_is_not_looked_up_remakes_nothing(tock: Tock) -> None:
    tock.week()
    tock.line(48, timecard=7, project=2)
    assert tock.code(5, billable=False).canonical[-1].topic == "master.tasks"


def test_a_line_waits_for_its_look_ups(tock: Tock) -> None:
    assert tock.line(48, timecard=7, project=2, grade=33).canonical == []
    tock.line(49, timecard=7, project=2)
    assert tock.mapper.waiting(tock.state) == {"projects": 2}
    tock.project(2, code=5)
    assert tock.mapper.waiting(tock.state) == {"accounting_codes": 1, "timecards": 2}
    tock.timecard(7, user=9, period=3)
    assert tock.mapper.waiting(tock.state) == {"accounting_codes": 1, "grades": 1, "reporting_periods": 1}
    tock.period(3, "2015-04-05", "2015-04-11")
    assert list(tock.mapper.waiting_records(tock.state)) == [
        ("lines", "48", ("grades", "33")),
        ("projects", "2", ("accounting_codes", "5")),
    ]
    made = tock.grade(33, employee=9, grade=13, since="2014-10-07").canonical
    assert [each.origin.offset for each in made] == [1] * 5
    tock.code(5)
    assert tock.mapper.waiting(tock.state) == {}


def test_a_line_that_waits_again_is_withdrawn(tock: Tock) -> None:
    tock.week()
    tock.line(48, timecard=7, project=2)
    made = tock.line(48, timecard=8, project=2).canonical
    assert {each.record["status"] for each in made} == {"withdrawn"}
    assert tock.mapper.waiting(tock.state) == {"timecards": 1}
    assert tock.timecard(8, user=9, period=3).canonical[0].record["revision"] == 3


def test_what_the_source_deletes_is_withdrawn(tock: Tock) -> None:
    tock.week()
    tock.line(48, timecard=7, project=2)
    assert len(tock.deletes("lines", 48).canonical) == 5
    assert tock.minutes() == {}
    assert tock.deletes("lines", 48).canonical == []
    tock.line(48, timecard=7, project=2)
    assert len(tock.minutes()) == 5
    tock.deletes("timecards", 7)
    assert tock.minutes() == {}
    assert tock.mapper.waiting(tock.state) == {"timecards": 1}


def test_what_cannot_be_mapped_is_an_exception_until_it_can(tock: Tock) -> None:
    tock.week()
    (opened,) = tock.line(48, timecard=7, project=2, hours="a lot").problems
    assert (opened.subject, opened.code, opened.status) == ("source:tock:lines:48", "UNMAPPABLE", OPEN)
    assert opened.message == "lines 48: 'a lot' is no number of hours"
    (other,) = tock.line(48, timecard=7, project=2, hours=None).problems
    assert (other.first_seen_ms, other.attempts, other.status) == (opened.first_seen_ms, 2, OPEN)
    healed = tock.line(48, timecard=7, project=2, hours="5.00")
    assert [problem.status for problem in healed.problems] == [RESOLVED]
    assert len(healed.canonical) == 5


def test_an_exception_of_a_look_up_heals_with_the_look_up(tock: Tock) -> None:
    tock.week()
    tock.line(48, timecard=7, project=2)
    (opened,) = tock.period(3, "2015-04-11", "2015-04-12").problems
    assert "no weekday to put work on" in opened.message
    assert tock.minutes() == {}
    (healed,) = tock.period(3, "2015-04-05", "2015-04-11").problems
    assert (healed.subject, healed.status) == ("source:tock:lines:48", RESOLVED)
    assert len(tock.minutes()) == 5


def test_a_record_that_does_not_fit_its_contract_is_an_exception(tock: Tock) -> None:
    tock.user(9)
    (opened,) = tock.grade(1, employee=9, grade=12, since="spring").problems
    assert opened.subject == "source:tock:users:9"
    assert "grades[0].valid_from must be a date" in opened.message


def test_an_empty_look_up_that_is_needed_is_an_exception(tock: Tock) -> None:
    tock.week()
    (opened,) = tock.sends("lines", 48, timecard=None, project=2, hours_spent="1.00").problems
    assert opened.message == "lines 48: timecard is empty, so nothing can be looked up"


def test_a_key_that_is_not_the_records_id_is_unusable(tock: Tock) -> None:
    with pytest.raises(Unusable, match="the key is '5', the record's own id '6'"):
        tock.arrives("source.tock.agencies", 5, {"id": 6, "name": "Peace Corps"})
    with pytest.raises(Unusable, match="is no id"):
        tock.arrives("source.tock.agencies", "a\0b", {"id": "a\0b", "name": "Peace Corps"})
    assert tock.state == {}


def test_a_link_that_comes_and_goes_leaves_no_trace(tock: Tock) -> None:
    tock.week()
    tock.project(3, code=5)
    for turn in range(200):
        tock.line(48, timecard=7, project=2 + turn % 2)
    tock.line(49, timecard=7, project=2)
    assert {each.source_record for each in tock.project(2, code=6).canonical} == {"lines:49"}
