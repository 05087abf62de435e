"""A stream that runs: bad input, decisions, masters that come late or change, invoices, traces, the audit."""

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import Result
from confluent_kafka.admin import AdminClient

from agents import intake, masters
from billing.charges import Settled
from billing.facts import Facts
from billing.masters import Masters
from billing.settle import settle
from runtime.cli import books
from runtime.cli.publishing import Publisher
from sinks.standing import residues
from sources.tock.records import MASTERS as TOCK_MASTERS
from tests.integration.stream.running import Running, running
from tests.unit.agents.tock_records import GRADE, LINE, USER, WEEK, as_line
from tests.unit.tables.contents import MASTERS, SELLER, engagement, entry, line, period, rate_card, task
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


def answered(result: Result) -> Any:  # noqa: ANN401 - JSON of any shape
    """What a command answered as JSON."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


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


def test_a_subject_is_traced_from_its_source_to_its_invoice(stream: Running, tmp_path: Path) -> None:
    publisher = Publisher(stream.broker)
    publisher.publish_file(TOCK_MASTERS)
    publisher.finish()
    stream.takes(line(SELLER), *(as_line(*each) for each in [*WEEK, USER, GRADE]))
    stream.takes(as_line(*LINE))
    cut_off = ("--cut-off", "2024-12-31", "--issue-date", "2025-01-02")
    run = answered(stream.hourstream("invoice", "run", *cut_off, "--out", str(tmp_path), "--json"))
    stream.rest()
    again = answered(stream.hourstream("invoice", "run", *cut_off, "--out", str(tmp_path), "--json"))
    assert again == {"issued": [], "files": [], "refused": [], "broken_rules": []}
    assert (run["refused"], run["broken_rules"]) == ([], [])
    assert len(run["issued"]) == len(run["files"]) >= 2, run
    for file in run["files"]:
        assert ElementTree.parse(file).getroot().tag.endswith(("Invoice", "CreditNote"))  # noqa: S314 - our own

    traced = answered(stream.hourstream("trace", "time:48:2015-04-06", "--json"))
    assert traced["engagement"] == "code-5"
    assert [step["stage"] for step in traced["steps"]] == ["source", "fact", "charge", "posting", "status", "invoice"]
    assert "source.tock.lines[0]@" in traced["steps"][0]["where"]
    shown = stream.hourstream("trace", "code-5/time:48:2015-04-06")
    assert run["issued"][0] in shown.output or run["issued"][1] in shown.output
    unknown = stream.hourstream("trace", "time:nothing")
    assert (unknown.exit_code, "no revision of time:nothing" in unknown.output) == (1, True)
    listed = answered(stream.hourstream("invoice", "list", "--json"))
    assert {one["invoice_id"] for one in listed} == set(run["issued"])


def test_charges_follow_their_invoice_to_its_payment(stream: Running) -> None:
    listed = answered(stream.hourstream("invoice", "list", "--json"))
    (mine,) = [one for one in listed if one["engagement_id"] == "code-5"]
    invoice_id, payable = mine["invoice_id"], Decimal(mine["payable"])
    assert "is on source.billing.statuses" in stream.hourstream("invoice", "status", invoice_id, "sent").output
    part = ("invoice", "pay", invoice_id, "1.00", "--reference", "bank-1")
    for _ in range(2):  # the same payment
        told = stream.hourstream(*part)
        assert told.exit_code == 0, told.output
    stream.rest()
    assert set(stream.charge_states("code-5").values()) == {"part_paid"}
    stream.hourstream("invoice", "pay", invoice_id, str(payable - 1), "--reference", "bank-2", "--currency", "USD")
    stream.rest()
    assert set(stream.charge_states("code-5").values()) == {"paid"}

    traced = answered(stream.hourstream("trace", "time:48:2015-04-06", "--json"))
    assert [step["stage"] for step in traced["steps"]].count("payment") == 2  # the one said twice is one
    (charge,) = traced["charges"]
    assert (charge["state"], charge["invoice_id"], set(charge["seconds"])) == (
        "paid",
        invoice_id,
        {"posted", "invoiced", "paid"},
    )
    shown = stream.hourstream("trace", "time:48:2015-04-06").output
    assert "(bank-2)" in shown
    assert "paid after" in shown
    paid = answered(stream.hourstream("invoice", "list", "--json"))
    assert [Decimal(one["paid"]) for one in paid if one["invoice_id"] == invoice_id] == [payable]
    refused = stream.hourstream("invoice", "void", invoice_id, "--reason", "x")
    assert (refused.exit_code, "has been paid" in refused.output) == (1, True)


def test_a_voided_invoice_frees_its_charges_for_the_next_run(stream: Running, tmp_path: Path) -> None:
    listed = answered(stream.hourstream("invoice", "list", "--json"))
    (mine,) = [one for one in listed if one["engagement_id"] == "E1"]
    before = stream.charge_states()
    on_it = {charge for charge, state in before.items() if state == "invoiced"}
    assert len(on_it) == mine["charges"] > 0
    told = stream.hourstream("invoice", "void", mine["invoice_id"], "--reason", "wrong address")
    assert f"{len(on_it)} charges are free again" in told.output
    stream.kill("lifecycle")  # whatever it had under way
    assert stream.charge_states() == before | dict.fromkeys(on_it, "voided")
    cut_off = ("--cut-off", "2024-12-31", "--issue-date", "2025-01-02")
    run = answered(stream.hourstream("invoice", "run", *cut_off, "--out", str(tmp_path), "--json"))
    assert len(run["issued"]) == 1
    stream.rest()
    assert stream.charge_states() == before


def test_what_billing_says_of_an_unknown_invoice_waits_for_a_link(stream: Running) -> None:
    said = {"system": "books", "invoice": "X-9", "event_id": "p9", "charge_ids": [], "at": "2025-02-01T00:00:00.000Z"}
    paid = {"payment": {"amount": "1", "currency": "EUR", "reference": "b9"}, "revision": 1}
    stream.takes({"topic": "source.billing.statuses", "key": "books:X-9", "value": said | paid})
    listed = answered(stream.hourstream("exceptions", "list", "--code", "UNKNOWN_INVOICE", "--json"))
    assert [(one["subject"], one["missing"]["id"]) for one in listed] == [("source:books:statuses:p9", "books:X-9")]
    invoices = answered(stream.hourstream("invoice", "list", "--json"))
    name = next(one["invoice_id"] for one in invoices if one["engagement_id"] == "E1" and one["status"] == "issued")
    assert stream.hourstream("invoice", "link", "books", "X-9", name).exit_code == 0
    stream.rest()
    assert answered(stream.hourstream("exceptions", "list", "--code", "UNKNOWN_INVOICE", "--json")) == []
    assert "part_paid" in stream.charge_states().values()
    stream.send("source.billing.statuses", b"books:X-9", b"\xde\xad", HEADERS)
    stream.rest()
    assert ("source.billing.statuses", "billing") in {(a["topic"], a["stage"]) for a in stream.letters()}


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

    monkeypatch.setattr(books, "settle", dearer)
    told = stream.hourstream("shadow", "--json")
    assert told.exit_code == 1
    (change,) = json.loads(told.stdout)["changes"]
    assert (change["engagement_id"], change["subjects"], change["difference"]) == ("E1", 1, "7")
    assert stream.books().charges == charges


def test_what_arrived_is_held_to_what_sources_say_they_sent(stream: Running) -> None:
    stream.takes(as_line("lines", {**LINE[1], "id": 49, "project": 9_999}))  # its project never comes
    stream.rest()
    found = {tuple(one["part"]): one for one in answered(stream.hourstream("reconcile", "--json"))["sources"]}
    january, april = found["test", "time.entries", "2024-01"], found["tock", "lines", "2015-04"]
    assert (january["verdict"], april["verdict"], april["arrived"]["count"]) == ("unproven", "unproven", 1)
    control = [
        ("test", "time.entries", "2024-01", january["arrived"]["count"], january["arrived"]["minutes"]),
        ("tock", "lines", "2015-04", 2, april["arrived"]["minutes"] + 480),
    ]
    for source, entity, month, count, minutes in control:
        said = {"source": source, "entity": entity, "period": month, "count": count, "minutes": minutes}
        value = said | {"as_of": "2025-02-01T00:00:00.000Z"}
        stream.takes({"topic": "source.control", "key": f"{source}:{entity}:{month}", "value": value})
    found = {tuple(one["part"]): one for one in answered(stream.hourstream("reconcile", "--json"))["sources"]}
    assert found["test", "time.entries", "2024-01"]["verdict"] == "complete"
    gaps = found["tock", "lines", "2015-04"]
    assert (gaps["verdict"], gaps["missing_records"], gaps["missing_minutes"]) == ("gaps", 1, 480)
    assert gaps["waiting"] == {"records": 1, "exceptions": 0, "dead": 1}  # and what an earlier test sent
    shown = stream.hourstream("reconcile").output
    assert "complete" in shown
    assert "gaps" in shown


def test_hours_charges_invoices_and_journal_tie_and_an_error_is_named(stream: Running) -> None:
    found = answered(stream.hourstream("reconcile", "--json"))
    assert found["ties"]
    assert all(not account["off"] for account in found["accounts"])
    assert "parked UNKNOWN_TASK" in {why for account in found["accounts"] for why in account["minutes"]}
    assert {("journal", "EUR"): 0, ("invoices", "EUR"): 0}.items() <= residues(stream.pool).items()
    of_test = {"client_id": "CL", "currency": "EUR"}.items()
    wrong = next(charge for charge, state in stream.charge_states().items() if state == "part_paid")
    change = "UPDATE hourstream.journal_postings SET amount = amount + %s WHERE charge_id = %s"
    with stream.pool.connection() as connection:
        connection.execute(change, (Decimal("0.01"), wrong))
    told = stream.hourstream("reconcile", "--json")
    assert told.exit_code == 1
    off = [account for account in json.loads(told.stdout)["accounts"] if account["off"]]
    (account,) = off
    assert of_test <= account.items()
    assert [name.split(" ")[1] for name in account["off"]] == [wrong]
    assert account["residue"]["journal"] == {"journal": "-0.01"}
    assert f"charge {wrong}" in stream.hourstream("reconcile", "--each").output
    assert residues(stream.pool)["journal", "EUR"] == Decimal("-0.01")
    with stream.pool.connection() as connection:
        connection.execute(change, (Decimal("-0.01"), wrong))
    assert stream.hourstream("reconcile", "--each", "--client", "CL").exit_code == 0
    assert 'hourstream_reconciliation_residue{currency="EUR",kind="journal"} 0.0' in stream.metrics("billing")


def test_a_closed_month_is_earned_and_closing_it_again_posts_nothing(stream: Running) -> None:
    stages = {"milestones": [{"milestone_id": "1", "name": "Stage 1", "amount": "1000"}]}
    stream.takes(
        stream.next_revision(engagement("E3", ends_on="2024-01-31")),
        stream.next_revision(engagement("E4", **stages)),
        line(period("E3", "2024-01", "closed")),
        line(period("E4", "2024-01", "closed")),
        line(period("E1", "2024-01", "open")),
        line(entry("E4", "planned", 240)),
    )
    stream.takes(stream.next_revision(engagement("E3", ends_on="2024-02-29")))  # a second fee, half of both earned
    planned = stream.hourstream("revenue", "plan", "E4", "1000", "--reason", "as offered", "--by", "lead")
    assert "by the share of 1,000 minutes" in planned.output
    close = ("revenue", "close", "--period", "2024-01")
    done = answered(stream.hourstream(*close, "--json"))
    assert {one["account"]["engagement_id"]: one["revenue"] for one in done["entries"]} == {
        "E3": "16.67",  # 31 of 60 days of 1000.00, and 500.00 charged
        "E4": "240",
    }
    assert "E1" in done["still_open"]
    assert [one["ties"] for one in done["totals"] if one["client_id"] == "CL"] == [True]
    again = stream.hourstream(*close)
    assert (again.exit_code, again.output.splitlines()[0]) == (0, "0 entries for 2024-01")
    shown = answered(stream.hourstream("revenue", "show", "--json"))
    assert all(one["ties"] for one in shown)
    assert "unbilled" in stream.hourstream("revenue", "show").output


def test_in_the_end_every_statement_of_the_audit_is_true(stream: Running) -> None:
    stream.rest()
    found = answered(stream.hourstream("audit", "--json"))
    assert found["all_true"]
    assert [one["holds"] for one in found["statements"]] == [True] * 5
    shown = stream.hourstream("audit")
    assert (shown.exit_code, "FALSE" in shown.output) == (0, False)
    read_again = stream.books()
    assert read_again.ledger() == list(read_again.expected())
    assert all(ending == -9 for ending in stream.workers.endings("settle"))
    assert [stream.workers.endings(name) for name in ("masters", "intake", "erp", "billing")] == [[]] * 4
    assert stream.workers.endings("lifecycle") == [-9]
