"""A later export of one source without ids: the same rows, corrected ones, vanished ones, and what a person decides."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from operations.reexport import Corrections, Standing, with_plans
from operations.webhook_ingest import for_webhook, id_rows
from sources import reviews
from sources.engine import Mapper
from sources.files.parse import Taken, take
from sources.files.records import SourceRow
from sources.mapping import catalogue
from tests.unit.sources.intake import Intake

CASES = Path(__file__).parents[2] / "data" / "sources"
HEAD = "Date,Client,Project,Project Code,Task,Notes,Hours,Billable?,Invoiced?,Approved?,First Name,Last Name,Currency\n"


def row(day: str, notes: str, hours: str, project: str = "Brand", person: str = "Ada,L") -> str:
    return f"2025-02-{day},Globex,{project},GX,Design,{notes},{hours},Yes,No,Yes,{person},Euro - EUR\n"


class Books(Intake):
    """Files of a source published one after the other, every code mapped to itself."""

    def __init__(self, source: str) -> None:
        super().__init__(Mapper(catalogue.load(source)))
        self.mapping, self.known = catalogue.load(source), Standing()

    def takes(self, data: bytes | str, closes: str | None = None, name: str = "x.csv") -> Corrections:
        taken = take(self.mapping, name, data.encode() if isinstance(data, str) else data)
        assert taken.bad == []
        found, corrections = with_plans(self.mapping, self.known, taken, taken, closes)
        self.publishes(found)
        return corrections

    def publishes(self, taken: Taken) -> None:
        for key in taken.codes:
            system, kind, code = key.split(":", 2)
            record = {"system": system, "kind": kind, "code": code, "canonical_id": code, "revision": 1}
            self.arrives("master.code-map", key, record)
        for review in taken.reviews:
            self.reviewed(str(review["entity"]), str(review["record_id"]), str(review["verdict"]), review["message"])
        for each in taken.records:
            place, before = (each.entity, each.id), self.known.records.get((each.entity, each.id))
            if before is None or before.record != each.record:
                self.known.holds[place] = each.hold
            self.known.records[place] = SourceRow(each.topic, each.entity, each.id, each.record, 0, b"", made_id=True)
            self.arrives_held(each)

    def arrives_held(self, each: SourceRow) -> None:
        mapper = self.mapper
        if each.hold is not None:
            self.mapper = _Holding(mapper, each.hold.message)  # type: ignore[assignment]
        self.arrives(each.topic, each.id, each.record)
        self.mapper = mapper

    def reviewed(self, entity: str, record_id: str, verdict: str, message: object = "a person") -> None:
        review = {"system": self.mapping.system, "entity": entity, "record_id": record_id, "verdict": verdict}
        full = {**review, "message": message, "replaces": []}
        self.known.reviews[entity, record_id] = full
        self.arrives(reviews.TOPIC, reviews.key_of(self.mapping.system, entity, record_id), full)

    def decides(self, outcome: str) -> None:
        """One act on the only question there is."""
        ((subject, (code, _, _)),) = self.open.items()
        _, _, entity, own = subject.split(":", 3)
        if code == reviews.PROPOSED_CORRECTION:
            self.reviewed(entity, own, "publish" if outcome == "both" else "withdraw")
            return
        hold = self.known.holds[entity, own]
        assert hold is not None
        for each in hold.replaces:
            self.reviewed(entity, each, "withdraw" if outcome == "correction" else "publish")
        self.reviewed(entity, own, "withdraw" if outcome == "duplicate" else "publish")

    @property
    def billed(self) -> int:
        return sum(self.minutes().values())


class _Holding:
    """A mapper whose next record carries a hold."""

    def __init__(self, mapper: Mapper, message: str) -> None:
        self._mapper, self._message = mapper, message

    def apply(self, *given: object) -> object:
        return self._mapper.apply(*given, self._message)  # type: ignore[arg-type]


def case(name: str, file: str) -> bytes:
    return (CASES / name / file).read_bytes()


@pytest.mark.parametrize(("outcome", "billed"), [("correction", 90), ("duplicate", 90), ("both", 180)])
def test_an_edited_note_is_a_proposed_correction_that_one_act_decides(outcome: str, billed: int) -> None:
    books = Books("harvest")
    books.takes(case("harvest-note-edited", "before.csv"))
    assert books.takes(case("harvest-note-edited", "after.csv")) == Corrections(held=1)
    assert books.billed == 90
    ((code, message, _),) = books.open.values()
    assert (code, "differs in note from" in message) == ("POSSIBLE_DUPLICATE", True)
    books.decides(outcome)
    assert (books.billed, books.open) == (billed, {})
    notes = {record["note"] for record in books.standing().values()}
    assert ("typo in the note" in notes) == (outcome != "duplicate")
    again = books.takes(case("harvest-note-edited", "after.csv"))
    assert (again.held + again.asked, books.billed) == (0, billed)  # what was decided is not asked again


def test_another_time_zone_of_the_profile_makes_no_new_entry() -> None:
    books = Books("toggl")
    books.takes(case("toggl-timezone-of-profile-changed", "t-utc.csv"))
    assert books.takes(case("toggl-timezone-of-profile-changed", "t-berlin.csv")) == Corrections(same=1)
    assert (books.billed, books.open) == (60, {})


def test_a_renamed_project_waits_and_is_not_billed_again() -> None:
    books = Books("toggl")
    books.takes(case("toggl-timezone-of-profile-changed", "t-utc.csv"))
    assert books.takes(case("toggl-timezone-of-profile-changed", "t-renamed.csv")) == Corrections(held=1)
    assert books.minutes() == {next(iter(books.minutes())): 60}
    books.decides("correction")
    assert [name.split("/toggl")[0] for name in books.minutes()] == ["Müller / Relaunch 2025"]


def test_a_row_that_vanished_is_asked_about_and_stays_until_a_person_decides() -> None:
    books, whole = Books("harvest"), HEAD + row("03", "logo", "1.5") + row("04", "review", "1") + row("05", "end", "2")
    books.takes(whole)
    later = HEAD + row("03", "logo", "1.5") + row("05", "end", "2")
    assert books.takes(later) == Corrections(asked=1)
    ((code, message, _),) = books.open.values()
    assert (code, books.billed) == ("PROPOSED_CORRECTION", 270)
    assert books.takes(later) == Corrections()
    assert books.takes(whole) == Corrections()  # it is there again, so nothing is asked any more
    assert (books.open, books.billed) == ({}, 270)
    books.takes(later)
    books.decides("correction")
    assert (books.open, books.billed, message) == ({}, 210, message)
    books.takes(whole)
    assert books.billed == 270  # in the export again


def test_a_file_that_closes_its_month_withdraws_what_is_gone() -> None:
    books = Books("harvest")
    books.takes(HEAD + row("03", "logo", "1.5") + row("04", "review", "1") + row("27", "end", "2", "Other", "Bo,K"))
    found = books.takes(HEAD + row("03", "logo as a second draft", "2"), closes="2025-02")
    assert (found, books.billed, books.open) == (Corrections(withdrawn=3), 120, {})
    assert books.takes(HEAD, closes="2025-03") == Corrections()


def test_an_export_of_other_days_or_projects_asks_nothing() -> None:
    books = Books("harvest")
    books.takes(HEAD + row("03", "logo", "1.5") + row("04", "review", "1"))
    assert books.takes(HEAD + row("10", "logo again", "3")) == Corrections()
    assert books.takes(HEAD + row("03", "another thing", "4", "Other")) == Corrections()
    assert books.takes(HEAD + row("03", "of another person", "1.5", person="Bo,K")) == Corrections()
    assert (books.billed, books.open) == (90 + 60 + 180 + 240 + 90, {})


def test_the_second_correction_takes_the_place_of_the_first() -> None:
    books = Books("harvest")
    for notes in ("logo", "logo draft", "logo drafts"):
        books.takes(HEAD + row("03", notes, "1.5"))
    assert (len(books.open), books.billed) == (1, 90)
    books.decides("correction")
    assert [record["note"] for record in books.standing().values()] == ["logo drafts"]


def test_two_wholly_alike_rows_with_a_beginning_wait_and_others_are_two_entries() -> None:
    head = "Project,Client,Description,Task,User,Email,Tags,Billable,Start Date,Start Time,Duration (h)\n"
    alike = "Web,Alpha,x,Dev,Ada,ada@x.test,,Yes,03/14/2025,09:00:00 AM,01:00:00\n"
    books = Books("clockify")
    assert books.takes(head + alike + alike.replace(",x,", ",y,") + alike) == Corrections(held=1)
    assert books.billed == 120
    ((_, message, _),) = books.open.values()
    assert "line 4 is wholly alike line 2" in message
    assert books.takes(head + alike + alike.replace(",x,", ",y,") + alike) == Corrections(held=1)
    books.decides("both")
    assert books.billed == 180


def test_a_deleted_worklog_is_withdrawn_and_one_that_never_was_makes_nothing() -> None:
    message = json.loads(case("jira-worklog-deleted", "message.json"))
    mapping, webhook = for_webhook(catalogue.load("jira"))
    assert webhook.deleted == ("worklog_deleted",)
    ((entity, layout, values),) = id_rows(mapping, json.dumps(message).encode())
    assert (entity, values[layout.columns["id"][0]]) == ("worklogs", "100028")
    books = Books("jira")
    books.arrives(
        "source.jira.issues", "10002", {"id": "10002", "key": "A-1", "project": "A", "type": "T", "summary": "s"}
    )
    (log,) = take(mapping, "m", json.dumps(message).encode()).records
    books.reviewed("worklogs", "7", "withdraw")
    for own in ("100028", "7"):
        nothing = take(mapping, "m", b'{"worklog": []}')
        books.publishes(replace(nothing, records=[replace(log, id=own, record={**log.record, "id": own})]))
    for kind, code in (("engagement", "A"), ("task", "A / T"), ("consultant", "a-1")):
        key = f"jira:{kind}:{code}"
        record = {"system": "jira", "kind": kind, "code": code, "canonical_id": code, "revision": 1}
        books.arrives("master.code-map", key, record)
    assert books.minutes() == {"A/jira-100028": 200}
    books.reviewed("worklogs", "100028", "withdraw")
    assert books.minutes() == {}
    assert books.published["time.entries", "A", "jira-100028"]["status"] == "withdrawn"
    later = {**log.record, "updated": "2030-01-01T00:00:00.000+0000", "seconds": 60}
    books.arrives("source.jira.worklogs", "100028", later)  # a message that was late
    assert books.minutes() == {}
