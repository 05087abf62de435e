"""Amounts reach nobody without the right to see them: on no route, in no file, by no order, and not on a terminal."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from fastapi import FastAPI
from psycopg.types.json import Jsonb

from console.app import create_app
from console.visibility import HIDDEN, names_figures, visible
from invoicing.charge_projection import Projection
from settings import Settings
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import batch, charge, fresh_pool
from tests.integration.access.doors import console, fill, machine, token
from tests.integration.access.test_bad_inputs import routes
from tests.integration.sinks.test_warehouse import parked, take
from warehouse.aggregates import sum_up
from warehouse.trace_steps import TraceStep
from warehouse.writer import Warehouse

MARK = Decimal("777.77")
MARKS = re.compile(r"(?<![\d.])(777[.,]77|777 \.77|(77777|778)(?!\d))")  # no part of an instant in seconds
SAID = {
    "CAP_EXCEEDED": "777.77 EUR are beyond the cap of 777.77 EUR.",
    "EXPENSE_OVER_LIMIT": "hotel of 777.77 EUR is above the limit of 777.77 EUR for hotel.",
    "RECEIPT_MISSING": "hotel above 777.77 EUR needs a receipt.",
    "INVALID": "the amount EUR777.77 is none",
    "NEW_CODE": "it costs € 777,77 or 77777 cents",
}
HISTORY = (
    ("expenses", "fact", "revision 1, approved: 777.77 EUR hotel on 2025-03-14"),
    ("adjustments", "fact", "revision 1, approved: write_off on 2025-03-14, we lose 777.77 on it"),
    ("exception.decisions", "decision", "waive by ada: it is only 777.77"),
    ("billing.exceptions", "exception", "open CAP_EXCEEDED: 777.77 EUR are beyond the cap of 777.77 EUR."),
    ("milestones", "fact", "revision 1, reached: 777.77 USD"),
    ("outcomes", "fact", "revision 1: 777.77 of tickets"),
)


@pytest.fixture(scope="module")
def pool(database: str) -> Iterator[Pool]:
    """Everything that holds money holds the mark, and so does every text that may name it."""
    with fresh_pool(database) as opened:
        fill(opened)
        take(Warehouse(opened), [
            parked(100 + n, f"expense:{n}", "E1", code=code, message=message, amount_at_stake=MARK, minutes=60)
            for n, (code, message) in enumerate(SAID.items())
        ])  # fmt: skip
        Projection(opened).write(
            batch(2, [charge("7", str(MARK), engagement_id="E1", rate=MARK, derivation="1 h x 777.77 = 777.77 EUR")])
        )
        with opened.connection() as connection:
            for n, (topic, stage, what) in enumerate(HISTORY):
                connection.execute(
                    "INSERT INTO hourstream.history VALUES (%s, 0, %s, 'E1', 'time:1', now(), %s, %s, NULL)",
                    (topic, 9_000 + n, stage, what),
                )
            connection.execute("UPDATE hourstream.invoices SET net = %(m)s, tax = 0, payable = %(m)s,"
                               " void_reason = 'wrong by 777.77'", {"m": MARK})  # fmt: skip
            parts = Jsonb([{"minutes": 60, "amount": "777.77"}] * 2)
            connection.execute("UPDATE hourstream.charges SET amount = %s, rate = %s, components = %s, reason = %s",
                               (MARK, MARK, parts, "cut by 777.77"))  # fmt: skip
            connection.execute(
                "INSERT INTO hourstream.invoice_statuses VALUES"
                " ('invoice.status', 0, 1, 'LE-1-2025-1', 'E1', 'partly_paid', 1, %s, 'EUR', now())",
                (MARK,),
            )
            connection.execute(
                "INSERT INTO hourstream.acts (name, via, act, subject, reason)"
                " VALUES ('ada', 'login', 'waive', 'E1/time:1', 'not worth 777.77')"
            )
        sum_up(opened)
        with opened.connection() as connection:
            for table in ("unbilled", "figures"):
                connection.execute(f"UPDATE hourstream.{table} SET amount = %s".encode(), (MARK,))  # noqa: S608
        yield opened


@pytest.fixture(scope="module")
def app(pool: Pool) -> FastAPI:
    return create_app(Settings.load(broker="127.0.0.1:1"), pool)


@pytest.fixture(scope="module")
def address(pool: Pool) -> Iterator[str]:
    with console(pool) as started:
        yield started


def asked(app: FastAPI, pool: Pool) -> list[tuple[str, dict[str, str]]]:
    """Every route that is asked by GET, of every thing there is, in every order and status."""
    with pool.connection() as connection:
        charges = [row[0] for row in connection.execute("SELECT charge_id FROM hourstream.charges")]
        stuck = [row[0] for row in connection.execute("SELECT exception_id FROM hourstream.exceptions")]
    ids = {"charge_id": charges, "exception_id": stuck, "invoice_id": ["LE-1-2025-1"]}
    found = []
    for method, path, names in routes(app):
        if method != "GET" or path == "/api/v1/openapi.json":
            continue
        paths = [path]
        for name, values in ids.items():
            paths = [p.replace("{" + name + "}", v) for p in paths for v in (values if "{" + name + "}" in p else [""])]
        things = charges if path == "/charge" else ids["invoice_id"]
        wanted = {"engagement": "E1", "subject": "time:1"}
        plain = {name: wanted[name] for name in names if name in wanted}
        for each in paths:
            found += [(each, plain | {"id": thing}) for thing in things] if "id" in names else [(each, plain)]
            found += [(each, {**plain, "by": "minutes"})] if "by" in names and "throughput" not in path else []
            found += [(each, {"stage": stage}) for stage in ("submitted", "parked", "charged") if "stage" in names]
    return found


def test_no_route_tells_an_amount(app: FastAPI, pool: Pool, address: str) -> None:
    told: dict[bool, set[str]] = {True: set(), False: set()}
    paths = asked(app, pool)
    assert len(paths) > 50
    for sees_rates in (True, False):
        with machine(address, token(pool, "admin", sees_rates=sees_rates)) as client:
            for path, query in paths:
                answer = client.get(path, params=query)
                assert answer.status_code == 200, (path, query, answer.text[:300])
                if MARKS.search(answer.text):
                    told[sees_rates].add(f"{path} {query}")
    assert not told[False]
    seen = {told_of.split(" ")[0] for told_of in told[True]}
    assert {"/", "/causes", "/causes.csv", "/exceptions", "/exceptions.csv", "/unbilled", "/unbilled.csv", "/trace",
            "/charge", "/invoice", "/reconciliation", "/reconciliation.csv", "/api/v1/acts", "/api/v1/causes",
            "/api/v1/exceptions", "/api/v1/figures", "/api/v1/invoices", "/api/v1/trace"} <= seen  # fmt: skip


def orders(pool: Pool, address: str, *, sees_rates: bool) -> list[object]:
    with machine(address, token(pool, "viewer", sees_rates=sees_rates)) as client:
        causes = client.get("/api/v1/causes").json()["items"]
        files = [client.get(f"/{name}.csv").text for name in ("causes", "unbilled", "reconciliation", "exceptions")]
        pages = [client.get(path).text.partition("<main")[2] for path in ("/unbilled", "/unbilled?stage=parked")]
    strip = [[line.split(",")[:5] for line in text.splitlines()] for text in files]
    return [[(cause["code"], cause["minutes"]) for cause in causes], strip, pages if not sees_rates else []]


def test_no_order_depends_on_money(pool: Pool, address: str) -> None:
    before, with_rates = (orders(pool, address, sees_rates=sees) for sees in (False, True))
    with pool.connection() as connection:
        connection.execute(
            "UPDATE hourstream.exception_totals SET amount = CASE code WHEN 'INVALID' THEN 9e9 WHEN 'NO_RATE' THEN 0"
            " ELSE 5 END, priced_minutes = minutes"
        )
        connection.execute("UPDATE hourstream.unbilled SET amount = length(client_id) + extract(day FROM work_date)")
    assert orders(pool, address, sees_rates=False) == before
    assert orders(pool, address, sees_rates=True)[0] != with_rates[0]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("No card line fits.", False),
        ("Task T9 of ENG-7 is closed from 2025-03-14.", False),
        ("revision 12, approved: 60 min on 2025-03-14, T1, C1, Senior, approved by a@b.example", False),
        ("1,500 minutes on one day", False),
        ("No rate EUR:USD of the 31 days up to 2025-01-01, nor one through EUR or USD.", False),
        ("JRN-7 refused: unknown account", False),
        ("LE-1-2025-1 partly paid", False),
        ("777", True),
        ("EUR777", True),
        ("777EUR", True),
        ("EUR -777", True),
        ("€ 5", True),
        ("wrote off 777.", True),
        ("７７７．７７", True),
        ("٧٧٧", True),
        ("1 000 000", True),
        ("7'777", True),
    ],
)
def test_a_text_with_a_figure_is_told_from_one_without(text: str, hidden: bool) -> None:
    assert names_figures(text) is hidden


class Rights:
    sees_rates = False


def test_the_command_line_hides_what_the_console_hides() -> None:
    at, entries = datetime(2025, 3, 14, 9, tzinfo=UTC), "time.entries[0]@7"
    said = "revision 1, approved: 60 min on 2025-03-14, T1, C1, Senior"
    steps = [
        TraceStep(at, "source", "1: rate 777.77, notes all of it", "source.harvest.entries[0]@1"),
        TraceStep(at, "fact", said, entries),
        TraceStep(at, "charge", "777.77 EUR: 1 h x 777.77", "billing.ready[0]@1"),
        TraceStep(at, "exception", "open CAP_EXCEEDED: 777.77 EUR are beyond the cap", "billing.exceptions[0]@1"),
        TraceStep(at, "decision", "waive by ada: only 777", "exception.decisions[0]@1"),
    ]
    assert [step.what for step in visible(steps, Rights())] == [HIDDEN, said, HIDDEN, HIDDEN, HIDDEN]
    assert visible(steps, Settings.load()) == steps
    assert not Settings.load(sees_rates=False).sees_rates


def test_a_record_of_any_shape_loses_its_amounts() -> None:
    record = {
        "code": "NO_RATE", "message": "No card line fits.", "amount_at_stake": MARK, "tax_rate": Decimal(20),
        "lines": [{"amount": MARK, "note": "for 777.77"}, (MARK, "x")], "day": date(2025, 3, 14),
    }  # fmt: skip
    assert visible(record, Rights()) == {
        "code": "NO_RATE", "message": "No card line fits.", "amount_at_stake": None, "tax_rate": Decimal(20),
        "lines": [{"amount": None, "note": "hidden: it names amounts"}, (None, "x")], "day": date(2025, 3, 14),
    }  # fmt: skip
    assert "777" not in json.dumps(visible(record | {"code": "CAP_EXCEEDED"}, Rights()), default=str)
