"""What the console shows is what the ledger says at the same moment, to the minute and the cent."""

import csv
import io
import urllib.request
from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from assurance.ledger_reader import NOT_IN_LEDGER, Books
from assurance.statements import statements
from storage.postgres import transaction
from tests.browser.office import Office, entries_of_the_example, until
from warehouse.queries.exceptions import Filters, causes
from warehouse.queries.unbilled import aged

pytestmark = pytest.mark.timeout(600)  # the first of them starts everything


def table(office: Office, path: str) -> list[dict[str, str]]:
    """A CSV file of the console."""
    with urllib.request.urlopen(office.address + path, timeout=30) as answer:  # noqa: S310 - on loopback
        return list(csv.DictReader(io.StringIO(answer.read().decode())))


def flow(office: Office) -> Counter[str]:
    """Records ever counted, by what they say."""
    with office.pool.connection() as connection:
        found = connection.execute("SELECT what, sum(records)::bigint FROM hourstream.flow GROUP BY what").fetchall()
    return Counter(dict(found))


def test_killing_the_warehouse_loses_and_doubles_nothing(office: Office) -> None:
    office.rest()
    before = flow(office)
    for _ in range(2):
        process = office.workers.process("warehouse")
        office.publish_facts()
        process.kill()
        until(lambda killed=process: office.workers.process("warehouse") is not killed)  # type: ignore[misc]
    office.rest()
    after = flow(office)
    assert {what: after[what] - n for what, n in before.items() if what.startswith("entries")} == {
        what: 2 * n for what, n in entries_of_the_example().items()
    }
    assert office.workers.endings("warehouse") == [-9, -9]


def test_the_consoles_figures_are_the_ledgers(office: Office) -> None:
    office.rest()
    books = Books.read(office.settings.bootstrap)
    audit = {statement.number: statement.figures for statement in statements(books, office.pool)}
    shown = {(row["figure"], row["currency"]): row for row in table(office, "/reconciliation.csv")}

    minutes = Counter[str]()
    for (name, _), row in shown.items():
        minutes[name] += int(row["minutes"])
    assert {name: minutes[name] for name in ("approved", "charged", "parked", "waived")} == {
        name: audit[1][name] for name in ("approved", "charged", "parked", "waived")
    }
    assert minutes["approved"] > minutes["parked"] > 0

    sums = audit[2]["sum_by_currency"]
    assert isinstance(sums, dict)
    assert {c: Decimal(shown["charged", c]["amount"]) for c in sums} == {c: Decimal(text) for c, text in sums.items()}
    for currency in sums:
        of_currency = audit[5][currency]
        assert isinstance(of_currency, dict)
        for name in ("posted", "open"):
            assert Decimal(shown[name, currency]["amount"]) == Decimal(of_currency[name]), (name, currency)

    with transaction(office.pool) as cursor:
        by_code = Counter[str]()
        for cause in causes(cursor, Filters(), by_money=True):
            by_code[cause.code] += cause.subjects
        unbilled = sum(one.minutes for one in aged(cursor, date(2025, 1, 1)) if one.stage == "parked")
    ledger = Counter(str(one["code"]) for one in books.ledger() if one["state"] == "parked")
    others = Counter(
        str(one["code"]) for (_, s), one in books.exceptions.items()
        if s.startswith(NOT_IN_LEDGER) and one["status"] == "open"
    )  # fmt: skip
    assert by_code == ledger + others
    assert unbilled == minutes["parked"]
    assert [row["subject"] for row in table(office, "/exceptions.csv?code=TASK_CLOSED")] == [
        row["subject"] for row in table(office, "/exceptions.csv") if row["code"] == "TASK_CLOSED"
    ]
