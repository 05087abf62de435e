"""Inputs that went wrong once, each with its right value: tests/data/sources has the files."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sources.engine import Mapper
from sources.files.doubts import doubts
from sources.files.parse import Taken, take
from sources.mapping import catalogue
from sources.mapping.errors import NotRecognised
from tests.unit.sources.intake import Intake

CASES = Path(__file__).parents[2] / "data" / "sources"
ISSUE = {"id": "10", "key": "WEB-1", "project": "WEB", "type": "Task", "summary": "Checkout"}


def taken(case: str, file: str, source: str) -> Taken:
    return take(catalogue.load(source), file, (CASES / case / file).read_bytes())


def lines(found: Taken) -> list[int]:
    return [bad.line for bad in found.bad]


def entries(found: Taken) -> list[tuple[str, str, int]]:
    """(engagement, day, minutes) of each entry, codes standing for themselves."""
    return [
        (str(made.record["engagement_id"]), str(made.record["work_date"]), int(made.record["minutes"]))
        for made in found.made
    ]


def amounts(found: Taken) -> list[tuple[Decimal, str]]:
    return [(made.record["amount"], str(made.record["status"])) for made in found.made]


def test_one_date_that_can_only_be_day_first_decides_for_the_whole_file() -> None:
    found = taken("clockify-day-first-dates", "c.csv", "clockify")
    assert entries(found) == [("M / Relaunch", "2025-04-05", 60), ("M / Relaunch", "2025-04-25", 60)]
    assert any("%d/%m/%Y" in reading and "25/04/2025" in reading for reading in found.readings)


def test_an_activity_is_the_task_and_never_the_project() -> None:
    found = taken("clockify-activity-header", "c.csv", "clockify")
    assert (lines(found), found.made[0].record["task_id"]) == ([], "M / Relaunch / Dev")


def test_projects_of_one_name_are_two_engagements_by_their_clients() -> None:
    found = taken("clockify-two-clients", "ck_two_clients.csv", "clockify")
    assert entries(found) == [("Alpha / Maintenance", "2024-03-04", 60), ("Beta / Maintenance", "2024-03-04", 60)]
    assert any("the mapping says so" in reading for reading in found.readings)


def test_two_entries_that_begin_in_one_second() -> None:
    found = taken("toggl-two-entries-one-start", "t.csv", "toggl")
    assert (lines(found), sum(minutes for *_, minutes in entries(found))) == ([], 60)
    assert "1 entries have no minutes: line 2" in list(doubts(found))


def test_thousands_that_may_be_fractions() -> None:
    found = taken("harvest-thousands", "h.csv", "harvest")
    assert lines(found) == [2, 3, 4]
    assert "may be 1234 or 1.234" in found.bad[0].why
    assert "groups its digits" in found.bad[2].why
    found = taken("harvest-expense-thousands", "e.csv", "harvest")
    assert lines(found) == [2, 3]
    assert amounts(found) == [(Decimal("1234.50"), "approved"), (Decimal("-12.50"), "approved")]
    found = taken("harvest-expenses", "hv_exp.csv", "harvest")
    assert lines(found) == [5, 6]
    assert amounts(found) == [
        (Decimal("89.90"), "approved"),
        (Decimal(2000), "approved"),
        (Decimal(2000), "approved"),
        (Decimal(50), "rejected"),
    ]


def test_hours() -> None:
    found = taken("harvest-hours", "hv_hours.csv", "harvest")
    assert [minutes for *_, minutes in entries(found)] == [450, 1, -90]  # the last is parked when it is settled
    assert [(bad.line, bad.why.split(";")[0]) for bad in found.bad] == [
        (5, "'Hours': '1,250' may be 1250 or 1.250, and its column does not decide, with '7,5' beside it"),
        (6, "'Hours': '1:30' is no number such as 1234.50"),
        (7, "'Task' is empty"),
        (8, "'Approved?' is empty"),
    ]


@pytest.mark.parametrize("case", ["trailing-blank-cells", "excel-sep-line"])
def test_what_spreadsheets_leave_in_a_file(case: str) -> None:
    found = taken(case, "h.csv", "harvest")
    assert (lines(found), [minutes for *_, minutes in entries(found)]) == ([], [90])
    assert found.blank == {"trailing-blank-cells": 2, "excel-sep-line": 0}[case]


def test_a_column_that_is_there_twice() -> None:
    with pytest.raises(NotRecognised, match="'Hours' is the header of columns 7 and 8; remove or rename"):
        taken("duplicate-headers", "h.csv", "harvest")


def test_words_for_billable() -> None:
    found = taken("kimai-billable-words", "k.csv", "kimai")
    assert [made.record["billable"] for made in found.made] == [False, True, False]
    assert [(bad.line, bad.why.split(" of ")[0]) for bad in found.bad] == [
        (4, "'Billable' is empty"),
        (6, "the code 'nein' is none"),
    ]


def test_tempo_bills_half_of_what_was_worked() -> None:
    found = taken("tempo-partly-billable", "w.json", "jira")
    assert lines(found) == []
    intake = Intake(Mapper(catalogue.load("jira")))
    intake.arrives("source.jira.issues", "10", ISSUE)
    for row in found.records:
        intake.arrives(row.topic, row.id, row.record)
    while intake.open:
        (_, _, missing), *_ = intake.open.values()
        assert missing is not None
        system, kind, code = missing[1].split(":", 2)
        record: dict[str, Any] = {"system": system, "kind": kind, "code": code, "canonical_id": code, "revision": 1}
        intake.arrives("master.code-map", missing[1], record)
    assert intake.minutes() == {"WEB/tempo-1": 60, "WEB/tempo-2": 60}
    adjusted = [record for (topic, _, _), record in intake.standing().items() if topic == "adjustments"]
    assert [(each["subject"], each["minutes"], each["kind"]) for each in adjusted] == [("time:tempo-2", 30, "minutes")]
    whole = json.loads((CASES / "tempo-partly-billable" / "w.json").read_text())["results"][1]
    again = take(
        catalogue.load("jira"),
        "w.json",
        json.dumps({"results": [{**whole, "billableSeconds": 3600, "updatedAt": "2025-03-29T10:00:00Z"}]}).encode(),
    )
    for row in again.records:
        intake.arrives(row.topic, row.id, row.record)
    assert [topic for topic, _, _ in intake.standing()] == [
        "time.entries",
        "time.entries",
    ]  # the adjustment is withdrawn
