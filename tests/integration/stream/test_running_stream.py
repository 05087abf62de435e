"""A stream that runs: bad input, decisions, masters that come late or change, other rules in the shadow, the audit."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from agents import intake, masters
from assurance import ledger_reader
from operations.jsonl_ingest import Publisher
from rating.model.charge import Settled
from rating.model.facts import Facts
from rating.model.masters import Masters
from rating.settle import settle
from tests.integration.stream.running import Running, answered, running
from tests.unit.tables.contents import MASTERS, engagement, entry, line, rate_card, task
from tests.unit.tables.stream import wire
from topics.catalogue import TOPICS
from topics.create import create_topics

HEADERS = [("sent-by", b"test"), ("binary", b"\x00\xff")]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Everything running, the masters settled."""
    with running(tmp_path_factory.mktemp("stream")) as started:
        started.takes(*(started.next_revision(content) for content in MASTERS))
        yield started


def test_bad_records_are_set_aside_whole_and_the_others_go_on(stream: Running) -> None:
    good = line(entry("E1", "after-bad"))
    value = wire(good, 0).value or b""
    no_hours = wire(line(engagement("E1", hours_per_day="0"), revision=99), 0).value
    bad = [
        ("time.entries", b"E1", b"\xde\xad", "wire format", "settle"),
        ("time.entries", b"E1", b"\0\0\0\xff\xff" + value[5:], "65535", "settle"),
        ("time.entries", b"E2", value, "'E1'", "settle"),
        ("time.entries", b"E1", None, "tombstone", "settle"),
        ("master.engagements", b"E1", no_hours, "hours_per_day", "masters"),
        ("source.tock.lines", b"1", b"\0", "", "intake"),
        ("billing.ready", b"E1", b"{}", "wire format", "erp"),
    ]
    for topic, key, content, _, _ in bad:
        stream.send(topic, key, content, HEADERS)
    stream.takes(good)
    assert stream.state("time:after-bad") == "charged"

    letters = stream.letters()
    for topic, key, content, why, stage in bad:
        of_it = [a for a in letters if (a["topic"], a["key"], a["value"]) == (topic, key, content)]
        (letter,) = [a for a in of_it if a["stage"] == stage]
        assert [(header["key"], header["value"]) for header in letter["headers"]] == HEADERS
        assert why in letter["error"]
        assert letter["partition"] in (0, 1)
        assert letter["offset"] >= 0
    dead = {name: stream.figures(name)["dead"] for name in ("settle", "masters", "intake")}
    assert dead == {"settle": 4, "masters": 1, "intake": 1}


def test_lines_of_a_file_that_are_no_record_are_named_and_set_aside(stream: Running, tmp_path: Path) -> None:
    good = line(entry("E1", "from-file"))
    wrong_type = {**good, "value": {**good["value"], "minutes": "60"}}
    bad = [
        b'{"topic": "time.entries", ',
        b"\xff\xfe",
        b"[1]",
        b'{"topic": "no.such", "key": "k", "value": {}}',
        json.dumps(wrong_type).encode(),
        b"[" * 100_000,
    ]
    file = tmp_path / "facts.jsonl"
    file.write_bytes(b"\n".join([*bad, b"", json.dumps(good).encode()]))
    publisher = Publisher(stream.broker)
    publisher.publish_file(file)
    publisher.finish()
    stream.rest()
    assert publisher.published == 1
    assert [str(one).split(" ")[0] for one in publisher.rejected] == [f"facts.jsonl:{n}:" for n in range(1, 7)]
    assert "minutes" in publisher.rejected[4].why
    letters = [letter for letter in stream.letters() if letter["topic"] == "facts.jsonl"]
    assert [(letter["offset"], letter["value"]) for letter in letters] == list(enumerate(bad, 1))
    assert [letter["error"] for letter in letters] == [str(one) for one in publisher.rejected]
    assert stream.state("time:from-file") == "charged"


def test_a_waive_gives_up_one_revision_of_a_subject_and_a_retry_asks_again(stream: Running) -> None:
    parked = entry("E1", "given-up", task_id="E1-T-NEVER")
    stream.takes(line(parked))
    assert stream.told("time:given-up") == [("open", "UNKNOWN_TASK")]

    told = stream.hourstream("exceptions", "retry", "E1", "time:given-up", "--by", "lead")
    assert told.exit_code == 0, told.output
    stream.rest()
    shown = answered(stream.hourstream("exceptions", "show", "E1", "time:given-up", "--json"))
    assert (shown["status"], shown["attempts"]) == ("open", 2)
    assert (shown["missing"]["kind"], shown["missing"]["id"]) == ("task", "E1-T-NEVER")

    told = stream.hourstream("exceptions", "waive", "E1", "time:given-up", "--reason", "too small", "--by", "lead")
    assert told.exit_code == 0, told.output
    stream.rest()
    assert stream.state("time:given-up") == "waived"
    stream.takes(line(parked, revision=2))
    assert stream.state("time:given-up") == "parked"
    assert [status for status, _ in stream.told("time:given-up")] == ["open", "open", "waived", "open"]


def test_exceptions_are_listed_by_cause_and_one_by_one(stream: Running) -> None:
    stream.takes(line(entry("E1", "listed", 45, task_id="E1-T-LISTED")))
    listed = answered(stream.hourstream("exceptions", "list", "--code", "UNKNOWN_TASK", "--engagement", "E1", "--json"))
    assert 45 in {one["minutes"] for one in listed if one["subject"] == "time:listed"}
    assert "E1-T-LISTED" in stream.hourstream("exceptions", "list").output
    assert "time:listed" in stream.hourstream("exceptions", "list", "--each").output
    unknown = stream.hourstream("exceptions", "show", "E1", "time:nothing")
    assert unknown.exit_code == 1
    assert "exceptions list" in unknown.output  # says what to do


def test_a_missing_master_that_arrives_heals_what_waited_for_it(stream: Running) -> None:
    stream.takes(line(entry("E1", "early", task_id="E1-T7")))
    assert stream.told("time:early") == [("open", "UNKNOWN_TASK")]
    stream.takes(line(task("E1", 7)))
    assert stream.told("time:early") == [("open", "UNKNOWN_TASK"), ("resolved", "UNKNOWN_TASK")]
    assert stream.state("time:early") == "charged"


def test_a_retroactive_rate_reverses_and_charges_anew(stream: Running) -> None:
    hour = line(entry("E1", "dearer", labor_category="Junior"))
    stream.takes(hour)
    stream.takes(stream.next_revision(rate_card("111", "800.05")))
    first, reversal, second = stream.books().charges["E1", "time:dearer"]
    assert (str(first["rate"]), str(second["rate"])) == ("100.010000", "111.000000")
    assert reversal["reverses"] == first["charge_id"]
    assert (reversal["amount"], reversal["billable_minutes"]) == (-first["amount"], -60)  # type: ignore[operator]


def test_figures_and_totals_are_those_of_before_after_a_kill(stream: Running) -> None:
    stream.takes(line(entry("E1", "before-kill")))
    before, totals = stream.figures("settle"), stream.totals("settle")
    stream.kill("settle")
    assert stream.figures("settle") == before
    assert before["received"] > 0
    assert stream.totals("settle") == totals
    stream.takes(line(entry("E1", "after-kill")))
    assert stream.figures("settle")["received"] == before["received"] + 1


def test_topics_are_listed_and_created_once(stream: Running) -> None:
    listed = answered(stream.hourstream("topics", "list", "--json"))
    partitions = {topic["name"]: topic["partitions"] for topic in listed}
    assert set(TOPICS) < set(partitions)
    assert (partitions["time.entries"], partitions["master.clients"]) == (2, 1)
    assert "is there already" in stream.hourstream("topics", "create").output


def test_a_broken_mapping_and_unequal_partitions_are_told_with_what_to_do(
    stream: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(intake.MAPPING.read_text().replace("$hours_spent", "$hours_spend"))
    monkeypatch.setattr(intake, "MAPPING", broken)
    told = stream.hourstream("worker", "intake")
    assert told.exit_code == 1
    assert "broken.yaml, line " in told.output
    assert "hours_spend" in told.output

    one = replace(TOPICS["time.entries"], name="odd.one", partitions=1)
    two = replace(TOPICS["time.entries"], name="odd.two", partitions=2)
    create_topics(AdminClient({"bootstrap.servers": stream.broker}), [one, two], 1)
    monkeypatch.setattr(masters, "MASTERS", ("odd.one", "odd.two"))
    told = stream.hourstream("worker", "masters")
    assert told.exit_code == 1
    assert "'odd.one': 1, 'odd.two': 2" in told.output
    monkeypatch.setattr(masters, "MASTERS", ("odd.one", "odd.three"))
    told = stream.hourstream("worker", "masters")
    assert "no such topic: odd.three; run `hourstream topics create` first" in told.output


def test_other_rules_are_tried_in_the_shadow_of_those_that_publish(
    stream: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.takes(line(entry("E1", "in-shadow", 60)))
    told = stream.hourstream("shadow")
    assert (told.exit_code, "no difference" in told.output) == (0, True), told.output
    charges = stream.books().charges

    def dearer(engagement_id: str, facts: Facts, masters: Masters) -> Settled:
        settled = settle(engagement_id, facts, masters)
        of_it = settled.subjects.get("time:in-shadow")
        if of_it is None or of_it.charge is None:
            return settled
        charge = replace(of_it.charge, amount=of_it.charge.amount + 7)
        return replace(settled, subjects=settled.subjects | {of_it.subject: replace(of_it, charge=charge)})

    monkeypatch.setattr(ledger_reader, "settle", dearer)
    told = stream.hourstream("shadow", "--json")
    assert told.exit_code == 1
    (change,) = json.loads(told.stdout)["changes"]
    assert (change["engagement_id"], change["subjects"], change["difference"]) == ("E1", 1, "7")
    assert stream.books().charges == charges


def test_in_the_end_every_statement_of_the_audit_is_true(stream: Running) -> None:
    stream.is_right()
    assert stream.ended() == {"settle": [-9]}
