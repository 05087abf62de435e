"""`hourstream publish` on a running stream: revisions by the topics, change sets with their effect."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook

from operations.firm.publish import FirmPublisher, PublicationRefused, Ready
from tests.integration.stream.firm_stream import FirmStream, amounts
from tests.integration.stream.running import running
from tests.unit.operations.planted_errors import PLANTED


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirmStream]:
    """The sample firm, published and at rest. Tests build on each other's publications."""
    folder = tmp_path_factory.mktemp("firm")
    with running(folder / "home", without=("metrics", "advisories")) as stream:
        found = FirmStream(stream, folder / "firm.xlsx")
        found.types("init", folder)
        assert found.publishes() == "+81 ~0 =0"
        yield found


def test_a_workbook_with_errors_publishes_nothing(firm: FirmStream, tmp_path: Path) -> None:
    book = tmp_path / "firm.xlsx"
    firm.types("init", tmp_path)
    loaded = load_workbook(book)
    for planted in PLANTED:
        loaded[planted.sheet][planted.cell] = planted.value
    loaded.save(book)
    before = firm.counts()
    refused = firm.types("publish", book, code=1)
    assert f"{len(PLANTED)} errors" in refused.output
    assert all(planted.named in refused.output for planted in PLANTED)
    assert firm.counts() == before


def test_references_are_looked_for_on_the_topics_too(firm: FirmStream, tmp_path: Path) -> None:
    entry = {"entry_id": "late", "consultant_id": "bruno", "work_date": "2026-01-19", "minutes": 60}
    entry |= {"task_id": "BAUWERK-ERP-BUILD", "status": "submitted"}
    lines = [
        {"topic": "time.entries", "value": {**entry, "engagement_id": engagement}}
        for engagement in ("BAUWERK-ERP", "NOWHERE")
    ]
    path = tmp_path / "time.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    refused = firm.types("publish", path, code=1)
    assert "time.jsonl:2 engagement_id" in refused.output
    assert "time.jsonl:1" not in refused.output
    path.write_text(json.dumps(lines[0]), encoding="utf-8")
    assert firm.answers("publish", path)["summary"] == "+1 ~0 =0"


def test_a_dead_letter_is_shown_and_published_again_corrected(firm: FirmStream, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text(json.dumps({"consultant_id": "x"}))
    firm.running.send("master.consultants", b"dora", b"\x00no record", ())
    firm.running.rest()
    (letter,) = (json.loads(line) for line in firm.types("dead-letters", "list", "--json").stdout.splitlines())
    key = letter["key"]
    assert (letter["topic"], letter["stage"]) == ("master.consultants", "masters")
    assert key in firm.types("dead-letters", "list").output
    assert "no record" in firm.answers("dead-letters", "show", key)["record"]
    why = ("--reason", "retyped", "--by", "anna")
    assert "is still unreadable" in firm.types("dead-letters", "republish", key, *why, code=1).output
    wrong = firm.types("dead-letters", "republish", key, "--value", tmp_path / "new.json", *why, code=1)
    assert "name is missing" in wrong.output
    sound = {"consultant_id": "dora", "name": "Dora", "region": "EMEA", "grades": []}
    sound |= {"source": "people", "revision": 1, "occurred_at": "2026-01-01T00:00:00Z"}
    (tmp_path / "new.json").write_text(json.dumps(sound))
    told = firm.types("dead-letters", "republish", key, "--value", tmp_path / "new.json", *why)
    assert "dora is on master.consultants again" in told.output
    assert "there is no dead letter" in firm.types("dead-letters", "show", "master.clients:0:9999", code=1).output


def test_an_edited_workbook_sends_only_what_changed(firm: FirmStream) -> None:
    before = firm.counts()
    assert firm.publishes() == "+0 ~0 =81"
    firm.edit({"Clients!B2": "Bauwerk SE", "Clients!A6": "NEW", "Clients!B6": "New GmbH", "Clients!C6": "DE",
               "Clients!D6": "EMEA", "Clients!E6": "EUR"})  # fmt: skip
    shown = firm.types("publish", firm.book, "--dry-run")
    assert "+1 ~1 =80" in shown.output
    assert "master.clients BAUWERK (revision 2): name Bauwerk AG -> Bauwerk SE" in shown.output
    assert "changes no charge" in shown.output
    assert firm.counts() == before
    assert firm.publishes() == "+1 ~1 =80"
    after = firm.counts()
    assert after.pop("master.clients") == before.pop("master.clients") + 2
    assert after == before


def test_present_masters_are_exported_and_say_nothing_new(firm: FirmStream, tmp_path: Path) -> None:
    book = tmp_path / "present.xlsx"
    firm.types("publish", book, "--export")
    told = firm.answers("publish", book, "--dry-run")
    assert told["summary"].startswith("+0 ~0 =")
    assert told["effect"]["engagements"] == []
    assert load_workbook(book)["Clients"]["B2"].value in {"Albion Rail plc", "Bauwerk SE"}
    refused = firm.types("publish", book, "--export", code=1)
    assert "--force" in refused.output


def test_a_proposal_says_exactly_what_its_approval_then_does(firm: FirmStream, tmp_path: Path) -> None:
    run = ("--cut-off", "2026-01-31", "--issue-date", "2026-02-02", "--out", tmp_path)
    assert len(firm.answers("invoice", "run", *run)["issued"]) == 4
    firm.running.rest()
    before = firm.charges()
    firm.edit({"Rate lines!B4": 115})  # the consultant's rate in euro, 105 so far
    said = firm.types("publish", firm.book, "--propose", "--reason", "agreed on 5 February", "--by", "anna")
    # 480 and 450 min of Bauwerk at 105, then at 115. The retainer covers Fresnel's: a new rate, no amount.
    assert "credits 2 invoices by 1,627.50 EUR, re-bills 1,782.50 EUR" in said.output
    (kept,) = (json.loads(line) for line in firm.types("proposals", "list", "--json").stdout.splitlines())
    own = kept["change_set_id"]
    assert firm.charges() == before
    refused = firm.types("proposals", "approve", own, "--by", "anna", code=1)
    assert "another person" in refused.output
    assert "1 records published" in firm.types("proposals", "approve", own, "--by", "chloe").output
    firm.running.rest()
    met = {each["charge_id"] for each in before}
    credited, charged = amounts([each for each in firm.charges() if each["charge_id"] not in met])
    totals = kept["effect"]["totals"]
    assert (totals["credited"], totals["rebilled"]) == ({"EUR": "1627.50"}, {"EUR": "1782.50"})
    assert (credited, charged) == (Decimal("1627.50"), Decimal("1782.50"))
    again = firm.types("proposals", "approve", own, "--by", "chloe", code=1)
    assert "published already" in again.output
    # The difference is on the next document of the engagement; what nets to nothing has none.
    later = ("--cut-off", "2026-01-31", "--issue-date", "2026-02-06", "--out", tmp_path)
    (issued,) = firm.answers("invoice", "run", *later)["issued"]
    (told,) = (each for each in firm.answers("invoice", "list") if each["invoice_id"] == issued)
    assert (told["engagement_id"], Decimal(told["net"])) == ("BAUWERK-ERP", Decimal("155.00"))
    firm.running.rest()
    assert firm.answers("audit")["all_true"]


def test_a_change_set_on_which_something_has_changed_is_refused(firm: FirmStream) -> None:
    firm.edit({"Clients!B3": "Fresnel SA"})
    own = firm.answers("publish", firm.book, "--propose", "--reason", "renamed", "--by", "anna")["change_set_id"]
    firm.edit({"Clients!B3": "Fresnel SAS"})
    assert firm.publishes() == "+0 ~1 =81"
    refused = firm.types("proposals", "approve", own, "--by", "chloe", code=1)
    assert "FRESNEL has changed since this was proposed" in refused.output
    firm.types("proposals", "reject", own, "--reason", "outdated", "--by", "chloe")
    assert "rejected" in firm.types("proposals", "show", own).output


def test_masters_that_need_a_second_person_are_not_published_by_one(firm: FirmStream) -> None:
    firm.edit({"Tax rules!D2": 21})
    refused = firm.types("publish", firm.book, code=1, HOURSTREAM_APPROVAL_TOPICS="tax-rules")
    assert "master.tax-rules need a second person" in refused.output
    own = firm.answers("publish", firm.book, "--propose", "--reason", "new rate", "--by", "anna")["change_set_id"]
    firm.types("proposals", "approve", own, "--by", "chloe")
    assert firm.publishes() == "+0 ~0 =82"


def test_of_two_publications_at_once_one_is_refused_and_nothing_is_published_twice(firm: FirmStream) -> None:
    first = FirmPublisher(firm.running.broker)
    first.known([], None)
    firm.edit({"Clients!B2": "Bauwerk Holding SE"})
    assert firm.publishes() == "+0 ~1 =81"  # it began later, so it alone goes on
    value = {"calendar_id": "X", "holidays": [], "source": "t", "revision": 1, "occurred_at": "2026-01-01T00:00:00Z"}
    with pytest.raises(PublicationRefused):
        first.publish([Ready("master.calendars", value)], {})
    assert firm.answers("publish", firm.book, "--dry-run")["summary"] == "+0 ~0 =82"
