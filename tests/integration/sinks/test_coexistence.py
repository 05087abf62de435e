"""An old and a new ERP side by side: two journals, routes that cut over and back, and a report of what differs."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from accounting.accounting_periods import act
from accounting.journal_balance import journal_balance
from accounting.journal_entries import UnknownJournal, entries
from accounting.parity import Difference, parity
from cli.main import main
from devstack.stack import Stack
from sinks.journal import POSTINGS_TOPIC, Journal
from sinks.outbox import Outbox, OutboxRow
from sinks.routing_policy import Routes, RoutingPolicy
from storage.charge_batch import ChargeRecord, Written
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import batch, charge, reversal
from topics.catalogue import CHARGES_TOPIC
from warehouse.reports import client_totals

APRIL, MAY, JUNE = date(2025, 4, 1), date(2025, 5, 1), date(2025, 6, 1)
ROUTES = Routes(
    ("journal",),
    (
        RoutingPolicy(("journal", "next"), clients=frozenset({"C-1"}), first=APRIL, until=MAY),  # both
        RoutingPolicy(
            ("next",), clients=frozenset({"C-1"}), first=MAY, until=JUNE
        ),  # cut over; from June on back again
    ),
)


class Ledgers:
    """Both journals, reading one stream."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def read(self, *charges: ChargeRecord, routes: Routes | None = ROUTES) -> dict[str, Written]:
        """Give both the next batch."""
        found = {}
        for system in ("journal", "next"):
            journal = Journal(self.pool, system=system, routes=routes)
            found[system] = journal.write(batch(journal.positions(CHARGES_TOPIC, 0), charges))
        return found

    def holds(self, system: str) -> set[str]:
        """The charges a journal has posted."""
        with entries(self.pool, system) as found:
            return {entry.charge_id for entry in found}

    def report(self, **narrowed: str) -> Any:  # noqa: ANN401 - a Parity
        """What parity finds."""
        one, two = ("journal", "next"), ("next", "journal")
        with (
            entries(self.pool, one[0], other=one[1], **narrowed) as old,
            entries(self.pool, two[0], other=two[1], **narrowed) as new,
        ):
            return parity(old, new)


@pytest.fixture
def ledgers(pool: Pool) -> Ledgers:
    return Ledgers(pool)


def work(name: str, day: date, client: str = "C-1", **fields: object) -> ChargeRecord:
    """A charge of a client's day."""
    return charge(name, work_date=day, client_id=client, **fields)


def test_charges_go_where_the_policies_say(ledgers: Ledgers) -> None:
    march, april, may, june = (work(d.strftime("%B"), d) for d in (date(2025, 3, 31), APRIL, MAY, JUNE))
    other = work("other", MAY, "C-2")
    written = ledgers.read(march, april, may, june, other)
    assert [o.result for o in written["journal"].outcomes] == ["posted", "posted", "elsewhere", "posted", "posted"]
    assert [o.result for o in written["next"].outcomes] == ["elsewhere", "posted", "posted", "elsewhere", "elsewhere"]
    assert ledgers.holds("next") == {april["charge_id"], may["charge_id"]}
    taken: list[OutboxRow] = []
    Outbox(ledgers.pool, POSTINGS_TOPIC).drain(taken.extend)
    told = [(row.value["system"], row.value["charge_id"]) for row in taken]
    assert len(told) == len(set(told)) == 6
    assert [balance.revenue for balance in journal_balance(ledgers.pool, "next")] == [200]


@pytest.mark.parametrize("together", [True, False])
def test_a_reversal_goes_where_its_charge_went_though_the_policies_have_changed(
    ledgers: Ledgers, together: bool
) -> None:
    april, may, june = work("a", APRIL), work("b", MAY), work("c", JUNE)
    undone = [reversal(each) for each in (april, may, june)]
    changed = Routes(("next",))  # everything, and whatever its day, now goes to the new one
    if together:
        ledgers.read(april, may, june, *undone)
    else:
        ledgers.read(april, may, june)
        written = ledgers.read(*undone, work("d", JUNE), routes=changed)
        assert [o.result for o in written["journal"].outcomes] == ["posted", "elsewhere", "posted", "elsewhere"]
        assert [o.result for o in written["next"].outcomes] == ["posted", "posted", "elsewhere", "posted"]
    for system in ("journal", "next"):
        left = Decimal(0) if together or system == "journal" else Decimal(100)
        assert [balance.revenue for balance in journal_balance(ledgers.pool, system)] == [left]


def test_without_routes_both_have_everything_and_the_totals_count_it_once(ledgers: Ledgers) -> None:
    first = work("a", APRIL)
    ledgers.read(first, reversal(first), work("b", MAY), routes=None)
    found = ledgers.report()
    assert (found.both, found.same, found.only_old, found.only_new) == (3, 3, [], [])
    assert [str(total.posted) for total in client_totals(ledgers.pool)] == ["100.000000"]


PLANTED: dict[str, Callable[[ChargeRecord], ChargeRecord]] = {
    "amount": lambda one: {**one, "amount": one["amount"] + Decimal("0.01")},
    "currency": lambda one: {**one, "currency": "USD"},
    "tax_rate": lambda one: {**one, "tax_rate": Decimal(19)},
    "tax_category": lambda one: {**one, "tax_category": "AE"},
    "period": lambda one: {**one, "period": "2025-05"},
    "client_id": lambda one: {**one, "client_id": "C-9"},
    "day": lambda one: {**one, "work_date": date(2025, 4, 2)},
}


@pytest.mark.parametrize("field", PLANTED)
def test_a_difference_planted_in_one_is_exactly_what_parity_finds(ledgers: Ledgers, field: str) -> None:
    random = Random(field)
    charges = [work(str(n), APRIL, amount=Decimal(random.randrange(10_000)) / 100) for n in range(300)]
    wrong = random.choice(charges)
    Journal(ledgers.pool, system="journal").write(batch(0, charges))
    mistaken = [PLANTED[field](one) if one is wrong else one for one in charges]
    Journal(ledgers.pool, system="next").write(batch(0, mistaken))
    found = ledgers.report()
    before, after = wrong, PLANTED[field](wrong)
    name = {"day": "work_date"}.get(field, field)
    assert found.differences == [Difference(wrong["charge_id"], field, before[name], after[name])]  # type: ignore[literal-required]
    assert (found.both, found.same) == (300, 299)


def test_a_period_is_that_of_the_posting_and_one_that_differs_is_found_under_both(ledgers: Ledgers) -> None:
    """Work of April and of May. The old book has posted a to April; in the new one April was closed by then."""
    a, b = work("a", APRIL), work("b", MAY)
    Journal(ledgers.pool, system="journal").write(batch(0, [a, b]))
    act(
        ledgers.pool,
        "closed",
        "LE-1",
        "2025-04",
        reason="end",
        by="ann",
        at=datetime(2025, 5, 5, tzinfo=UTC),
        published={},
    )
    refused = work("a", APRIL, legal_entity="")
    new = Journal(ledgers.pool, system="next")
    new.write(batch(0, [refused, b]))
    new.write(batch(new.positions(CHARGES_TOPIC, 0), [a]))  # refused before, so it is posted after every act
    for period, both in (("2025-04", 1), ("2025-05", 2), ("2025-06", 0)):
        found = ledgers.report(period=period)
        wanted = [Difference(a["charge_id"], "period", "2025-04", "2025-05")] if both else []
        assert (found.both, found.differences, found.only_old, found.only_new) == (both, wanted, [], [])


def test_a_charge_booked_on_another_account_is_found(ledgers: Ledgers) -> None:
    ledgers.read(work("a", APRIL), work("b", APRIL))
    with ledgers.pool.connection() as connection:  # as an administrator of that ERP might
        connection.execute("ALTER TABLE hourstream.journal_lines DISABLE TRIGGER journal_append_only")
        connection.execute(
            "UPDATE hourstream.journal_lines SET account = '1210' WHERE line = 2 AND posting ="
            " (SELECT number FROM hourstream.journal_postings WHERE system = 'next' AND charge_id = %s)",
            (work("b", APRIL)["charge_id"],),
        )
    (found,) = ledgers.report().differences
    assert (found.charge_id, found.field, found.old, found.new) == (
        work("b", APRIL)["charge_id"],
        "accounts",
        "1210/4000",
        "1210/1210",
    )


def test_what_one_refused_is_in_the_other_only(ledgers: Ledgers) -> None:
    Journal(ledgers.pool).write(batch(0, [work("a", APRIL), work("b", APRIL)]))
    Journal(ledgers.pool, system="next").write(batch(0, [work("a", APRIL, legal_entity=""), work("c", APRIL)]))
    found = ledgers.report()
    assert (found.both, found.only_new) == (0, [work("c", APRIL)["charge_id"]])
    assert sorted(found.only_old) == sorted(work(name, APRIL)["charge_id"] for name in "ab")


def test_the_command_reports_them_and_its_exit_status_says_so(ledgers: Ledgers, stack: Stack, tmp_path: Path) -> None:
    ledgers.read(work("a", APRIL), work("b", MAY), work("c", APRIL, "C-2"))
    environment = {
        "HOURSTREAM_BROKER": stack.broker,
        "HOURSTREAM_POSTGRES_URL": ledgers.pool.conninfo,
        "HOURSTREAM_HOME": str(tmp_path),
    }

    def command(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ("parity", *arguments), env=environment)
        return done.exit_code, done.output

    code, output = command("journal", "next")
    assert (code, "1 charges are in both, 1 of them the same" in output) == (0, True)
    assert command("journal", "next", "--whole")[0] == 1
    assert command("journal", "next", "--whole", "--period", "2025-04", "--client", "C-1")[0] == 0
    with ledgers.pool.connection() as connection:
        connection.execute("UPDATE hourstream.journal_postings SET tax_rate = 7 WHERE system = 'next'")
    code, output = command("journal", "next", "--json")
    (found,) = json.loads(output)["differences"]
    assert (code, found) == (
        1,
        {"charge_id": work("a", APRIL)["charge_id"], "field": "tax_rate", "old": "20.000000", "new": "7.000000"},
    )
    assert "tax_rate" in command("journal", "next")[1]
    code, output = command("journal", "nobody")
    assert (code, "no journal nobody has posted anything" in output) == (1, True)
    with pytest.raises(UnknownJournal), entries(ledgers.pool, "nobody"):
        pass
