"""A running stream asked for its ledger as known at a moment, for two moments' differences, and its periods closed."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rating.model.facts import TimeEntry
from rating.time.advisories import advisories
from tests.integration.stream.running import Running, answered, running
from tests.unit.tables.contents import MASTERS, SELLER, entry, line


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Everything running, with the masters of E1."""
    with running(tmp_path_factory.mktemp("as-of")) as started:
        started.takes(line(SELLER), *(started.next_revision(content) for content in MASTERS))
        yield started


def now() -> str:
    """This instant, between records that are milliseconds apart."""
    time.sleep(0.05)
    text = datetime.now(UTC).isoformat(timespec="milliseconds")
    time.sleep(0.05)
    return text


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(text) for text in path.read_text("utf-8").splitlines()]


def test_the_ledger_is_given_as_it_was_known(stream: Running, tmp_path: Path) -> None:
    empty = now()
    stream.takes(line(entry("E1", "one", 60)), line(entry("E1", "two", 30)))
    then, ledger_then = now(), stream.books().ledger()
    stream.takes(line(entry("E1", "one", 120), revision=2), line(entry("E1", "three", 15)))
    stream.takes(line(entry("E1", "two", status="withdrawn"), revision=2))
    for moment, wanted in ((empty, []), (then, ledger_then), (now(), stream.books().ledger())):
        out = tmp_path / "ledger.jsonl"
        told = answered(stream.hourstream("ledger", "--as-of", moment, "--out", str(out), "--json"))
        assert told == lines_of(out) == wanted
    assert answered(stream.hourstream("ledger", "--json")) == stream.books().ledger()
    assert "charged" in stream.hourstream("ledger").output

    found = answered(stream.hourstream("ledger", "--between", then, now(), "--json"))
    by_subject = {one["subject"]: one for one in found["subjects"]}
    assert set(by_subject) == {"time:one", "time:two", "time:three"}
    assert (by_subject["time:two"]["before"]["state"], by_subject["time:two"]["after"]["state"]) == ("charged", "void")
    assert by_subject["time:three"]["before"] is None
    (change,) = [one for one in found["engagements"] if one["currency"]]
    before = sum(Decimal(str(one["amount"])) for one in ledger_then)
    assert (Decimal(change["before"]), change["subjects"]) == (before, 3)
    assert "time:three" in stream.hourstream("ledger", "--between", then, now()).output
    refused = stream.hourstream("ledger", "--as-of", "yesterday")
    assert (refused.exit_code, "is no instant" in refused.output) == (2, True)


def test_a_closed_period_keeps_its_postings_and_a_correction_goes_on(stream: Running) -> None:
    stream.takes(line(entry("E1", "early", 60)))
    entity = str(SELLER[1]["legal_entity_id"])
    closing = ("periods", "close", entity, "2024-01", "--reason", "month end", "--by", "ann")
    told = stream.hourstream(*closing)
    assert told.exit_code == 0, told.output
    again = stream.hourstream(*closing)
    assert (again.exit_code, "is closed already" in again.output) == (1, True)
    before = {one["period"]: one for one in answered(stream.hourstream("periods", "list", "--json"))}
    stream.takes(line(entry("E1", "early", 90), revision=2))
    after = {one["period"]: one for one in answered(stream.hourstream("periods", "list", "--json"))}
    assert (after["2024-01"]["status"], after["2024-01"]["postings"]) == ("closed", before["2024-01"]["postings"])
    assert after["2024-02"]["postings"] == 2  # the reversal and the charge in its place
    stream.is_right()


def test_work_of_a_person_in_two_engagements_is_warned_of_and_nothing_is_held(stream: Running) -> None:
    hours: dict[str, Any] = {"started_at": "2024-01-30T09:00:00Z", "ended_at": "2024-01-30T10:00:00Z"}
    stream.takes(line(entry("E1", "here", 60, **hours)), line(entry("E9", "there", 1400, **hours)))
    books = stream.books()
    warned = {(*where, str(each["code"])) for where, each in books.exceptions.items() if each["severity"] == "warning"}
    assert warned == advisories(fact for fact in books.facts.values() if isinstance(fact, TimeEntry))
    assert {code for _, _, code in warned} == {"OVERLAPPING_TIME", "PERSON_DAY_OVER_24H"}
    assert not [one for one in books.ledger() if str(one["subject"]).startswith(("overlap:", "person-day:"))]
    assert stream.state("time:here") == "charged"
    refused = stream.hourstream("exceptions", "waive", "E1", "overlap:here", "--reason", "so be it")
    assert (refused.exit_code, "resolves by itself" in refused.output) == (1, True)
    listed = stream.hourstream("exceptions", "list", "--each").output
    assert "warning" in listed
    stream.kill("advisories")
    stream.takes(line(entry("E9", "there", status="withdrawn", **hours), revision=2))
    assert stream.told("overlap:here") == [("open", "OVERLAPPING_TIME"), ("resolved", "OVERLAPPING_TIME")]
    stream.is_right()
