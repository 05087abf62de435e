"""Charges of a running stream delivered to an application, seen and replayed from the command line."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sinks.delivery.stats import delivery_stats
from tests.contract.sinks.receiving import Receiver, receiving
from tests.integration.stream.running import Running, running
from tests.unit.tables.contents import MASTERS, engagement, entry

WORKER = "delivery-ledgerline"


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """The application."""
    with receiving(tmp_path_factory.mktemp("receiver")) as started:
        yield started


@pytest.fixture(scope="module")
def stream(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stream that delivers to the application, its masters settled."""
    home = tmp_path_factory.mktemp("stream")
    targets = home / "targets.yaml"
    retry = {"first_seconds": 0.1, "longest_seconds": 0.5}
    ledgerline = {"kind": "http", "http": receiver.options(), "retry": retry}
    targets.write_text(yaml.safe_dump({"targets": {"ledgerline": ledgerline}}))
    with running(home, targets=targets, without=("intake", "billing")) as started:
        started.takes(*(started.next_revision(content) for content in MASTERS))
        yield started


def said(stream: Running, *arguments: str) -> Any:  # noqa: ANN401 - JSON of any shape
    """What `hourstream deliveries` answers as JSON."""
    result = stream.hourstream("deliveries", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def metrics(stream: Running) -> dict[str, float]:
    """{name and result: value} of the delivery metrics of the target's worker."""
    with urllib.request.urlopen(stream.workers.metrics_url(WORKER), timeout=10) as page:  # noqa: S310 - on loopback
        families = list(text_string_to_metric_families(page.read().decode()))
    samples = [sample for family in families for sample in family.samples if "hourstream_deliver" in sample.name]
    assert {sample.labels["target"] for sample in samples} == {"ledgerline"}
    assert {label for sample in samples for label in sample.labels} == {"target", "result"}
    return {f"{each.name} {each.labels.get('result', '')}".strip(): each.value for each in samples}


def test_quiet_means_delivered(stream: Running, receiver: Receiver) -> None:
    receiver.tell(fail=3)
    stream.takes(*(stream.next_revision(entry("E1", f"e{n}")) for n in range(5)))
    charges = [each for of in stream.books().charges.values() for each in of]
    assert receiver.held() == {str(each["charge_id"]): (each["amount"], each["worked_minutes"]) for each in charges}
    (system,) = said(stream, "list")
    assert (system["target"], system["waiting"], system["counts"]["posted"]) == ("ledgerline", 0, len(charges))
    figures = metrics(stream)
    assert figures["hourstream_deliveries_waiting"] == figures["hourstream_delivery_breaker"] == 0
    assert figures["hourstream_delivery_charges_total posted"] == len(charges)
    assert figures["hourstream_delivery_calls_total unanswered"] == 3
    assert figures["hourstream_delivery_retries_total retried"] >= 1
    assert stream.figures(WORKER)["queued"] == stream.figures(WORKER)["posted"] == len(charges)


def test_what_is_refused_is_listed_shown_and_replayed(stream: Running, receiver: Receiver) -> None:
    stream.takes(
        stream.next_revision(engagement("E1", legal_entity="")), stream.next_revision(entry("E1", "no-entity"))
    )
    refused = said(stream, "list", "--code", "ERP_REFUSED")
    ids = {each["charge_id"] for each in refused}
    charge_id = next(each["charge_id"] for each in refused if each["subject"] == "time:no-entity")
    (exception,) = [
        each
        for each in json.loads(stream.hourstream("exceptions", "list", "--json").stdout)
        if each["subject"] == f"posting:{charge_id}"
    ]
    assert (exception["code"], exception["status"], exception["engagement_id"]) == ("ERP_REFUSED", "open", "E1")
    assert "ledgerline refused it: entity is missing" in exception["message"]

    waived = stream.hourstream("exceptions", "retry", "E1", f"posting:{charge_id}")
    assert waived.exit_code == 1
    assert f"hourstream deliveries replay {charge_id}" in waived.output

    again = said(stream, "replay", charge_id, "--reason", "try", "--by", "ann")
    assert [(each["charge_id"], each["was"]) for each in again] == [(charge_id, "refused")]
    stream.rest()
    shown = said(stream, "show", charge_id)
    assert [(each["state"], each["revision"]) for each in shown["deliveries"]] == [("refused", 2)]
    assert [(each["by"], each["reason"]) for each in shown["replays"]] == [("ann", "try")]
    assert "ann" in stream.hourstream("deliveries", "show", charge_id).output
    assert "refused" in stream.hourstream("deliveries", "list", "--state", "refused").output
    assert "ledgerline" in stream.hourstream("deliveries", "list").output

    # Put right at its source: what was refused and its reversal come to nothing, and the exceptions with them.
    stream.takes(stream.next_revision(engagement("E1")))
    assert {state for each in ids for state in _states(stream, each)} == {"cancelled"}
    assert said(stream, "list", "--code", "ERP_REFUSED") == []
    open_ = json.loads(stream.hourstream("exceptions", "list", "--code", "ERP_REFUSED", "--json").stdout)
    assert open_ == []


def _states(stream: Running, charge_id: str) -> list[str]:
    return [each["state"] for each in said(stream, "show", charge_id)["deliveries"]]


def test_a_command_that_makes_no_sense_says_why(stream: Running) -> None:
    for arguments, told in (
        (("deliveries", "replay", "--reason", "x"), "name a charge, or options that select some, or --all"),
        (("deliveries", "replay", "X", "--all", "--reason", "x"), "name a charge"),
        (("deliveries", "replay", "--all", "--reason", " "), "must say something"),
        (("deliveries", "show", "X"), "no system outside ever had to do with charge X"),
        (("worker", "delivery-nobody"), "there is no worker delivery-nobody; there are masters"),
    ):
        result = stream.hourstream(*arguments)
        assert result.exit_code != 0
        assert told in result.output
    nothing = stream.hourstream("deliveries", "replay", "--client", "nobody", "--reason", "x")
    assert "nothing is offered again" in nothing.output


def test_a_worker_that_is_killed_loses_and_doubles_nothing(stream: Running, receiver: Receiver) -> None:
    receiver.tell(slow=0.3)
    for n in range(2):
        stream.publish(*(stream.next_revision(entry("E2", f"k{n}-{m}", 5)) for m in range(3)))
        stream.kill(WORKER)
    receiver.tell(slow=0)
    (found,) = delivery_stats(stream.pool)
    assert found.counts["posted"] == len(receiver.held())
    assert found.waiting == 0
