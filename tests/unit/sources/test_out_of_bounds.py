"""Source records that no canonical record can hold: each is an exception, a dead letter or a bad row of its own."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sources.engine import Mapper
from sources.files.parse import Taken, take
from sources.files.records import MOST_ROW_BYTES
from sources.mapping import catalogue
from sources.mapping.conversions import day, instant, minutes_between
from sources.mapping.errors import Unmappable, Unusable
from sources.state import id_text
from tests.unit.sources.intake import Intake

CASE = Path(__file__).parents[2] / "data" / "robust" / "year-one-in-a-file" / "w.json"
WORKLOG = {
    "id": "1", "issueId": "10", "author": {"accountId": "a", "displayName": "A"}, "timeSpentSeconds": 1800,
    "started": "2025-03-28T10:00:00.000+0000", "created": "2025-03-28T10:00:00.000+0000",
    "updated": "2025-03-28T10:00:00.000+0000",
}  # fmt: skip
FORMATS = ("%m/%d/%Y",)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00.000+0100", "9999-12-31T23:30:00-01:00", "0001-01-01T00:30+14:00"]
)
def test_an_instant_that_its_offset_takes_out_of_the_calendar_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="leaves the years 1 to 9999"):
        instant(text)
    with pytest.raises(ValueError, match="leaves the years 1 to 9999"):
        minutes_between(text, "2025-03-28T10:00:00Z")


def test_a_day_that_a_zone_or_a_day_more_takes_out_of_the_calendar_is_none() -> None:
    for text, zone in (("9999-12-31T23:30:00Z", "Europe/Berlin"), ("0001-01-01T00:30:00Z", "America/New_York")):
        with pytest.raises(ValueError, match="leaves the years 1 to 9999"):
            day(text, zone=zone)
    with pytest.raises(ValueError, match="leaves the years 1 to 9999"):
        day("12/31/9999", FORMATS, plus=1)
    with pytest.raises(ValueError, match="leaves the years 1 to 9999"):
        day("2025-01-01", plus=10**30)
    for text in ("01/01/0001 00:10", "12/31/9999 23:50"):
        zone = "Europe/Berlin" if text.startswith("01") else "America/New_York"
        with pytest.raises(ValueError, match="leaves the years 1 to 9999"):
            instant(text, ("%m/%d/%Y %H:%M",), zone)
    assert day("12/31/9999", FORMATS) == date.max


def test_an_id_has_at_most_200_characters_and_no_u_0000() -> None:
    assert id_text("𝔘" * 200) == "𝔘" * 200
    for bad in ("x" * 201, "nu\0l", True, 1.5, ["x"], 10**201):
        with pytest.raises(Unusable):
            id_text(bad)


def test_a_message_is_shorter_than_what_it_quotes() -> None:
    assert len(Unmappable("x" * 500_000).message) == 2_001


def jira(*worklogs: dict[str, Any]) -> Taken:
    data = json.dumps({"worklogs": list(worklogs)}).encode()
    return take(catalogue.load("jira"), "w.json", data)


def test_a_worklog_of_the_year_1_in_a_file_is_a_bad_row_and_the_other_one_is_taken() -> None:
    taken = take(catalogue.load("jira"), CASE.name, CASE.read_bytes())
    assert [row.id for row in taken.records] == ["2"]
    (bad,) = taken.bad
    assert "'0001-01-01T00:00:00.000+0100' leaves the years 1 to 9999" in bad.why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "x" * 201}, "id is 'x"),
        ({"id": "nu\0l"}, "leave out the character U+0000"),
        ({"issueId": "nu\0l"}, "leave out the character U+0000"),
        ({"timeSpentSeconds": 2**63}, "seconds does not fit"),
        ({"timeSpentSeconds": 10**4000}, "seconds"),
        ({"author": {"accountId": "a", "displayName": "x" * 300_000}}, "bytes; at most 250,000 are taken"),
        ({"updated": "0001-01-01T00:00:00.000+0100"}, "leaves the years 1 to 9999"),
        ({"updated": "9999-12-31T23:59:59.999-1200"}, "leaves the years 1 to 9999"),
    ],
    ids=lambda given: str(given)[:30] if isinstance(given, str) else next(iter(given)),
)
def test_a_row_that_no_record_can_hold_is_a_bad_row_and_those_around_it_are_taken(
    change: dict[str, object], why: str
) -> None:
    taken = jira(WORKLOG, WORKLOG | {"id": "2"} | change, WORKLOG | {"id": "3"})
    assert [row.id for row in taken.records] == ["1", "3"]
    assert [why in bad.why for bad in taken.bad] == [True]
    assert len(taken.bad[0].why) < 3_000


def test_half_a_surrogate_pair_costs_its_letter_and_in_an_id_its_row() -> None:
    taken = jira(
        WORKLOG | {"id": "\ud800"}, WORKLOG | {"id": "2", "issueId": "1\ud83d"}, WORKLOG | {"id": "\ud83d\ude00"}
    )
    assert [(row.id, row.record["issue"]) for row in taken.records] == [("2", "1\ufffd"), ("😀", WORKLOG["issueId"])]
    assert [b"\\ud83d" in row.raw for row in taken.records] == [True, True]  # its own bytes are kept
    assert "of which a letter is lost" in taken.bad[0].why


def test_a_mapped_record_beyond_a_bound_is_an_exception_of_its_own() -> None:
    intake = Intake(Mapper(catalogue.load("jira")))
    issue = {"id": "10", "key": "A-1", "project": "A", "type": "T", "summary": "s"}
    intake.arrives("source.jira.issues", "10", issue)
    for kind, code in (("engagement", "A"), ("task", "A / T"), ("consultant", "a")):
        record = {"system": "jira", "kind": kind, "code": code, "canonical_id": code, "revision": 1}
        intake.arrives("master.code-map", f"jira:{kind}:{code}", record)
    for id_, seconds in (("1", 1800), ("2", 2**63 - 1), ("3", 6_000_060), ("4", 6_000_000)):
        (row,) = jira(WORKLOG | {"id": id_, "timeSpentSeconds": seconds}).records
        intake.arrives(row.topic, row.id, row.record)
    assert sorted(each["entry_id"] for each in intake.standing().values()) == ["jira-1", "jira-4"]
    assert sorted(intake.open) == ["source:jira:worklogs:2", "source:jira:worklogs:3"]
    assert all("give a number from -100000 to 100000" in message for _, message, _ in intake.open.values())


def test_rows_that_are_joined_keep_no_more_bytes_than_a_header_takes() -> None:
    samples = Path(__file__).parents[3] / "sources" / "gsa" / "samples" / "s70_sample.csv"
    head, row = samples.read_bytes().splitlines()[:2], samples.read_bytes().splitlines()[2]
    taken = take(catalogue.load("gsa"), "gsa.csv", b"\r\n".join([*head, *[row] * 3_000]))
    assert taken.bad == []
    assert max(len(each.raw) for each in taken.records) <= MOST_ROW_BYTES
