"""From the charge to the money: traced, invoiced, paid, voided; what ties, what is earned, and the audit of it all."""

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from assurance.sink_snapshot import residues
from operations.jsonl_ingest import Publisher
from sources.tock.records import MASTERS as TOCK_MASTERS
from tests.integration.stream.running import Running, answered, running
from tests.unit.agents.tock_records import GRADE, LINE, USER, WEEK, as_line
from tests.unit.tables.contents import MASTERS, SELLER, engagement, entry, line, period
from tools import verify_invoice


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Everything running; of E1 two entries are charged, one anew, and one is parked."""
    with running(tmp_path_factory.mktemp("stream")) as started:
        started.takes(*(started.next_revision(content) for content in MASTERS))
        started.takes(
            *(line(entry("E1", name)) for name in ("one", "two")), line(entry("E1", "stuck", task_id="NEVER"))
        )
        started.takes(line(entry("E1", "two", 120), revision=2))
        yield started


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
    assert [step["stage"] for step in traced["steps"]] == ["source", "fact", "charge", "posting", "invoice", "status"]
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


def test_each_invoice_is_proven_in_a_fresh_python_and_its_charges_explained(stream: Running, tmp_path: Path) -> None:
    assert stream.hourstream("seal").exit_code == 0
    listed = answered(stream.hourstream("invoice", "list", "--json"))
    assert {one["status"] for one in listed} == {"issued", "voided"}
    for one in listed:
        bundle = tmp_path / f"{one['invoice_id']}.zip"
        told = stream.hourstream("prove", one["invoice_id"], "--out", str(bundle))
        assert told.exit_code == 0, told.output
        command = [sys.executable, "-I", "-S", verify_invoice.__file__, str(bundle)]
        done = subprocess.run(command, capture_output=True, text=True, env={}, check=False, timeout=120)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "records are in" in done.stdout
        assert "that no seal covers" not in done.stdout
    unknown = stream.hourstream("prove", "X-1")
    assert (unknown.exit_code, "X-1 is no invoice" in unknown.output) == (1, True)

    charged = answered(stream.hourstream("explain", "E1/time:two", "--json"))
    assert (charged["state"], [card["decided"] for card in charged["cards"]].count(True)) == ("charged", 1)
    shown = stream.hourstream("explain", "E1/time:stuck").output
    assert "on hold: UNKNOWN_TASK" in shown
    assert "the task is published" in shown


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
    stream.send("source.billing.statuses", b"books:X-9", b"\xde\xad", [])
    stream.rest()
    assert ("source.billing.statuses", "billing") in {(a["topic"], a["stage"]) for a in stream.letters()}


def test_what_arrived_is_held_to_what_sources_say_they_sent(stream: Running) -> None:
    stream.send("source.tock.lines", b"1", b"\0", [])
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
    assert gaps["waiting"] == {"records": 1, "exceptions": 0, "dead": 1}
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
    stream.is_right()
    assert stream.ended() == {"lifecycle": [-9]}
