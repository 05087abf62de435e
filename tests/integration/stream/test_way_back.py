"""What becomes of invoices in an ERP comes back by itself: running workers, a real Tryton, and kill -9 on the way."""

import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from devstack.tryton import TrytonServer
from invoicing.status_intake import EVENTS_TOPIC
from schemas.codec import decode_for, encode
from sinks.committer import Announcer
from sinks.tryton.invoices import TrytonInvoice, TrytonInvoices
from sinks.tryton.payments import TrytonPayments
from streaming.batch import Output
from streaming.topic_reader import read_all
from tests.contract.sinks.delivering import await_that
from tests.contract.sinks.sink_charges import charge
from tests.integration.stream.running import Running, running
from tests.tryton_server import client, payer
from topics.catalogue import CHARGES_TOPIC

ON = date(2025, 4, 1)
WORKER = "delivery-tryton"
UPSTREAM = ("intake", "masters", "settle", "erp", "metrics")


def test_paid_and_voided_come_back_by_themselves_whenever_the_worker_is_killed(
    tryton: TrytonServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = tmp_path / "faults"
    faults.mkdir()
    monkeypatch.setenv("HOURSTREAM_FAULTS", str(faults))
    targets = tmp_path / "targets.yaml"
    options = {"url": tryton.url, "key": f"file:{tryton.secret('delivery-key')}"}
    asked = {"every_seconds": 0.3}
    targets.write_text(
        yaml.safe_dump({"targets": {"tryton": {"kind": "tryton", "tryton": options, "statuses": asked}}})
    )
    with running(tmp_path / "stream", targets=targets, without=UPSTREAM) as stream:
        charges = [charge("a", engagement_id="E1"), charge("b", engagement_id="E2")]
        Announcer(stream.broker).publish(
            [Output(CHARGES_TOPIC, each["engagement_id"].encode(), encode(CHARGES_TOPIC, each)) for each in charges]
        )
        stream.rest()
        invoices = TrytonInvoices(client(tryton))

        arm(faults, "tryton:looked")  # Tryton has answered, nothing is recorded
        paid, voided = sorted((invoices.post(draft, ON) for draft in invoices.all("draft")), key=engagement_of)
        come_to(stream, E1="invoiced", E2="invoiced")
        struck(faults, "tryton:looked")

        arm(faults, "tryton:telling")  # recorded, and not committed
        TrytonPayments(payer(tryton)).pay(paid, "BANK-1", ON, Decimal("1.00"))
        come_to(stream, E1="part_paid", E2="invoiced")
        struck(faults, "tryton:telling")

        TrytonPayments(payer(tryton)).pay(paid, "BANK-2", ON)
        invoices.cancel(voided)
        come_to(stream, E1="paid", E2="voided")

        said = [decode_for(EVENTS_TOPIC, record.value or b"") for record in read_all(stream.broker, [EVENTS_TOPIC])]
        assert Counter(each["event_id"] for each in said).most_common(1)[0][1] == 1
        assert Counter(each["status"] or "payment" for each in said) == {
            "posted": 2,
            "payment": 2,
            "paid": 1,
            "cancelled": 1,
        }
        with stream.pool.connection() as connection:
            books = connection.execute("SELECT standing, payable, paid FROM hourstream.invoices ORDER BY standing")
            assert books.fetchall() == [("paid", paid.total, paid.total), ("voided", voided.total, 0)]
        assert 'hourstream_status_events_total{result="told",target="tryton"} 6.0' in stream.metrics(WORKER)
        (system,) = json.loads(stream.hourstream("deliveries", "list", "--json").stdout)
        assert (system["counts"]["status_told"], system["statuses"]["reason"]) == (6, None)
        assert "told" in stream.hourstream("deliveries", "list").output


def engagement_of(invoice: TrytonInvoice) -> str:
    """Whose account an invoice is of."""
    return invoice.account.split("/")[1]


def arm(faults: Path, point: str) -> None:
    """The next process that passes there is killed -9."""
    part = faults / "part"
    part.write_text("SIGKILL", encoding="ascii")
    part.rename(faults / point)


def struck(faults: Path, point: str) -> None:
    """A process was killed there."""
    assert list(faults.glob(f"{point}.*")), f"nobody has passed {point}"


def come_to(stream: Running, **states: str) -> None:
    """Wait until the charges of each engagement are in that state."""

    def now() -> dict[str, set[str]]:
        return {each: set(stream.charge_states(each).values()) for each in states}

    await_that(lambda: now() == {each: {state} for each, state in states.items()}, lambda: f"{now()}")
