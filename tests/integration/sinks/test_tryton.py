"""A real Tryton: what it makes of charges, to the cent, and what it makes only once, whatever happens on the way."""

import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import psycopg
import pytest

from devstack.tryton import TrytonServer
from sinks.delivery.status_source import StatusRecord
from sinks.delivery.target import DeliveryAnswer, TargetUnavailable
from sinks.tryton import states
from sinks.tryton.client import TrytonRefused
from sinks.tryton.invoices import TrytonInvoice, TrytonInvoices
from sinks.tryton.payments import TrytonPayments
from sinks.tryton.states import StateCursor, TrytonStates
from sinks.tryton.target import TrytonTarget
from storage.charge_batch import ChargeRecord
from tests.contract.sinks.sink_charges import charge, reversal
from tests.contract.sinks.target_contract import deliver
from tests.integration.sinks.cutter import Cutter
from tests.tryton_server import amounts, asked, client, payer

ON = date(2025, 4, 1)
_NETS = (
    "SELECT i.hourstream_account, sum(CASE WHEN i.currency = c.currency THEN l.credit - l.debit"
    " ELSE abs(l.amount_second_currency) * sign(l.credit - l.debit) END)"
    " FROM account_move_line l JOIN account_move m ON m.id = l.move AND m.state = 'posted'"
    " JOIN account_invoice i ON i.move = m.id JOIN company_company c ON c.id = i.company"
    " JOIN account_account a ON a.id = l.account JOIN account_account_type t ON t.id = a.type AND t.revenue"
    " GROUP BY 1"
)
_TAXES = (
    "SELECT i.hourstream_account || ' ' || coalesce(x.hourstream_category, ''), sum(t.amount)"
    " FROM account_invoice_tax t JOIN account_invoice i ON i.id = t.invoice JOIN account_tax x ON x.id = t.tax"
    " GROUP BY 1"
)


@pytest.fixture
def target(tryton: TrytonServer) -> TrytonTarget:
    """The target under test."""
    return TrytonTarget("tryton", client(tryton))


def work() -> list[ChargeRecord]:
    """Two companies, three clients, three currencies, five kinds of tax, work that bills nothing, and reversals."""
    free = {"reason": "NON_BILLABLE", "tax_category": None, "tax_rate": None, "rate": None, "rate_unit": None}
    charges = [
        charge("a", "83.33", billable_minutes=50),
        charge("b", "100.00"),
        charge("covered", "0.00", reason="COVERED_BY_RETAINER"),
        charge("free", "0.00", **free),
        charge("half up", "1460.50", engagement_id="E-2", tax_rate=Decimal(25)),
        charge("reverse charge", "10.01", engagement_id="E-3", client_id="C-2", tax_category="AE", tax_rate=Decimal(0)),
        charge("yen", "4321", engagement_id="E-4", client_id="C-3", currency="JPY", tax_rate=Decimal(19)),
        charge("out", "70.07", engagement_id="E-5", legal_entity="LE-2", currency="USD", tax_category="O", tax_rate=0),
        charge("spent", "55.55", engagement_id="E-1", subject="expense:X-1", rate=None, rate_unit=None),
    ]
    charges[7]["tax_rate"] = Decimal(0)
    undone = charge("undone", "33.33", billable_minutes=20)
    return [*charges, undone, reversal(undone), reversal(charges[1]), charge("b", "125.00", n=2, billable_minutes=75)]


def expected(charges: Sequence[ChargeRecord]) -> dict[str, Decimal]:
    """The ledger's net by account, where something is billed."""
    nets: dict[str, Decimal] = {}
    for each in charges:
        if each["tax_category"] is not None:
            outside = "/O" if each["tax_category"] == "O" else ""
            account = f"{each['client_id']}/{each['engagement_id']}/{each['currency']}{outside}"
            nets[account] = nets.get(account, Decimal(0)) + each["amount"]
    return nets


def posted(tryton: TrytonServer) -> list[TrytonInvoice]:
    """Every draft, posted."""
    invoices = TrytonInvoices(client(tryton))
    return [invoices.post(each, ON) for each in invoices.all("draft")]


def test_books_are_the_ledger_to_the_cent_from_charge_to_payment(tryton: TrytonServer, target: TrytonTarget) -> None:
    charges = work()
    assert [answer for answer in deliver(target, charges) if answer.result == "refused"] == []
    invoices = posted(tryton)
    assert {each.state for each in invoices} == {"posted"}
    assert amounts(tryton, _NETS) == expected(charges)
    assert amounts(tryton, _TAXES) == {
        "C-1/E-1/EUR S": Decimal("52.78"),  # 263.88 at 20 %
        "C-1/E-2/EUR S": Decimal("365.13"),  # 1460.50 at 25 %, half up: Tryton's own way gives 365.12
        "C-2/E-3/EUR AE": Decimal(0),
        "C-3/E-4/JPY S": Decimal(821),
        "C-1/E-5/USD/O O": Decimal(0),
    }
    payments = TrytonPayments(payer(tryton))
    for each in invoices:
        assert payments.pay(each, f"BANK-{each.id}", ON)
        assert not payments.pay(each, f"BANK-{each.id}", ON)
    after = [TrytonInvoices(client(tryton)).get(each.id) for each in invoices]
    assert [(each.state, each.to_pay) for each in after] == [("paid", Decimal(0))] * len(invoices)


def test_each_charge_is_on_its_line_and_lines_are_their_charges(tryton: TrytonServer, target: TrytonTarget) -> None:
    charges = work()
    deliver(target, charges)
    lines = asked(
        tryton,
        "SELECT l.quantity * l.unit_price, sum(c.amount), count(*) FROM account_invoice_line l"
        " JOIN hourstream_charge c ON c.line = l.id GROUP BY l.id",
    )
    assert all(round(Decimal(str(net)), 3) == amount for net, amount, _ in lines)
    beside = asked(tryton, "SELECT charge_id FROM hourstream_charge WHERE line IS NULL")
    assert {str(row[0]) for row in beside} == {charge("free")["charge_id"]}


def test_what_nets_below_zero_is_a_credit_note(tryton: TrytonServer, target: TrytonTarget) -> None:
    first = [charge("a", "100.00"), charge("b", "50.00", task_id="T-2", billable_minutes=30)]
    deliver(target, first)
    posted(tryton)
    deliver(target, [reversal(first[0]), charge("c", "20.00", task_id="T-3", billable_minutes=12)])
    credit = posted(tryton)[0]
    assert (credit.net, credit.tax, credit.total) == (Decimal("-80.00"), Decimal("-16.00"), Decimal("-96.00"))
    assert "-C-" in str(credit.number)
    assert credit.reference.endswith("/2")


@pytest.mark.parametrize("where", ["account.invoice?", "account.invoice/", "hourstream.charge/create"])
def test_an_answer_that_is_cut_off_makes_nothing_twice(tryton: TrytonServer, where: str) -> None:
    free = charge("free", "0.00", reason="NON_BILLABLE", tax_category=None, tax_rate=None)
    with Cutter(tryton.url) as cutter:
        target = TrytonTarget("tryton", client(tryton, cutter.url))
        deliver(target, [charge("before")])
        if where == "account.invoice?":
            posted(tryton)
        charges = [charge("a"), free, charge("b")]
        cutter.cut(where)
        with pytest.raises(TargetUnavailable):
            target.deliver(charges)
        assert cutter.cuts == 1
        answers = target.deliver(charges)
    assert [answer.result for answer in answers] == ["posted"] * 3
    held = asked(tryton, "SELECT charge_id, count(*) FROM hourstream_charge GROUP BY 1")
    assert dict(held) == {each["charge_id"]: 1 for each in [charge("before"), *charges]}
    assert expected([charge("before"), *charges]) == _drafted_and_posted(tryton)


def _drafted_and_posted(tryton: TrytonServer) -> dict[str, Decimal]:
    return amounts(
        tryton,
        "SELECT i.hourstream_account, sum(l.quantity * l.unit_price) FROM account_invoice_line l"
        " JOIN account_invoice i ON i.id = l.invoice GROUP BY 1",
    )


def test_two_who_make_the_same_draft_at_once_make_one(tryton: TrytonServer) -> None:
    targets = [TrytonTarget("tryton", client(tryton)) for _ in range(2)]
    targets[0].deliver([charge("first", engagement_id="E-0")])  # the party and the product are there

    def attempt(at: int) -> Sequence[DeliveryAnswer] | None:
        try:
            return targets[at % 2].deliver([charge(f"{at}"), charge("both")])
        except TargetUnavailable:
            return None

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(attempt, range(4)))
    for at in range(4):
        targets[0].deliver([charge(f"{at}"), charge("both")])
    references = asked(tryton, "SELECT reference FROM account_invoice WHERE hourstream_account = 'C-1/E-1/EUR'")
    assert references == [("C-1/E-1/EUR/1",)]
    assert _drafted_and_posted(tryton)["C-1/E-1/EUR"] == 500


def test_a_reference_of_ours_is_unique_in_the_database(tryton: TrytonServer, target: TrytonTarget) -> None:
    deliver(target, [charge("a")])
    with psycopg.connect(tryton.database_url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "INSERT INTO account_invoice (company, party, invoice_address, currency, account, type, state, reference,"
            " hourstream_account) SELECT company, party, invoice_address, currency, account, type, state, reference,"
            " hourstream_account FROM account_invoice"
        )


def test_a_lock_that_is_not_given_is_503_and_the_same_charges_are_taken_later(
    tryton: TrytonServer, target: TrytonTarget
) -> None:
    deliver(target, [charge("before")])
    with psycopg.connect(tryton.database_url) as connection:
        connection.execute("LOCK TABLE hourstream_charge IN EXCLUSIVE MODE")
        with pytest.raises(TargetUnavailable, match="503"):
            target.deliver([charge("a")])
    assert [answer.result for answer in target.deliver([charge("a")])] == ["posted"]
    assert _drafted_and_posted(tryton) == {"C-1/E-1/EUR": Decimal(200)}


def test_a_refusal_is_in_tryton_s_words_and_of_the_one_charge(tryton: TrytonServer, target: TrytonTarget) -> None:
    good = [charge(str(n)) for n in range(5)]
    bad = charge("bad", subject="")  # Tryton itself wants a subject; found by halving the group
    answers = {a.charge_id: a for a in deliver(target, [*good[:2], bad, *good[2:]])}
    assert answers[bad["charge_id"]].result == "refused"
    assert "Subject" in str(answers[bad["charge_id"]].reason)
    assert [answers[each["charge_id"]].result for each in good] == ["posted"] * 5
    with pytest.raises(TrytonRefused, match="create a period"):
        TrytonInvoices(client(tryton)).post(TrytonInvoices(client(tryton)).all("draft")[0], date(1999, 1, 1))


def test_a_company_or_currency_that_tryton_lacks_is_refused_with_what_to_do(target: TrytonTarget) -> None:
    answers = deliver(target, [charge("a", legal_entity="LE-9"), charge("b", currency="SEK", engagement_id="E-2")])
    assert [answer.result for answer in answers] == ["refused", "refused"]
    assert "legal-entity:LE-9" in str(answers[0].reason)
    assert "no currency SEK" in str(answers[1].reason)


def test_a_cancelled_invoice_releases_its_charges(tryton: TrytonServer, target: TrytonTarget) -> None:
    charges = [charge("a"), charge("b")]
    deliver(target, charges)
    invoices = TrytonInvoices(client(tryton))
    cancelled = invoices.cancel(posted(tryton)[0])
    assert cancelled.state == "cancelled"
    with pytest.raises(TrytonRefused, match=r"stays so|can not call"):
        client(tryton).press("account.invoice", cancelled.id, "draft")
    answers = deliver(target, charges)
    assert {answer.reference for answer in answers} == {"C-1/E-1/EUR/2"}
    assert [each.net for each in posted(tryton)] == [Decimal(200)]


def test_a_line_that_is_not_its_charges_is_not_posted(tryton: TrytonServer, target: TrytonTarget) -> None:
    deliver(target, [charge("a")])
    line = client(tryton).search("account.invoice.line", [], ["id"])[0]["id"]
    client(tryton).write("account.invoice.line", line, {"unit_price": Decimal(99)})
    with pytest.raises(TrytonRefused, match="its charges of Hourstream are 100"):
        posted(tryton)


def test_nobody_may_change_a_charge_with_the_key(tryton: TrytonServer, target: TrytonTarget) -> None:
    deliver(target, [charge("a")])
    held = client(tryton).search("hourstream.charge", [], ["id"])[0]["id"]
    with pytest.raises(TrytonRefused, match="not allowed"):
        client(tryton).write("hourstream.charge", held, {"amount": Decimal(1)})
    with pytest.raises(TrytonRefused, match="not allowed"):
        client(tryton).create("account.move", {"company": 1})
    modes = [stat.S_IMODE(tryton.secret(name).stat().st_mode) for name in ("delivery-key", "admin-password")]
    assert modes == [0o600, 0o600]


def test_states_and_payments_come_back_once(tryton: TrytonServer, target: TrytonTarget) -> None:
    charges = [charge("a"), charge("b", engagement_id="E-2")]
    deliver(target, charges)
    source, payments = TrytonStates(client(tryton), "tryton"), TrytonPayments(payer(tryton))
    assert source.look(StateCursor())[0] == []
    one, two = posted(tryton)
    events, cursor, _ = source.look(StateCursor())
    assert [(e["status"], e["amount"], e["currency"]) for e in events] == [("posted", Decimal("120.00"), "EUR")] * 2
    assert [e["charge_ids"] for e in events] == [[each["charge_id"]] for each in charges]
    assert events[0]["invoice"] == f"LE-1/{one.number}"
    payments.pay(one, "BANK-1", ON, Decimal("20.00"))
    events, cursor, _ = source.look(StateCursor.from_json(cursor.as_json()))
    assert [_said(event) for event in events] == [(f"LE-1/{one.number}", None, Decimal("20.00"))]
    payments.pay(one, "BANK-2", ON)
    TrytonInvoices(client(tryton)).cancel(two)
    events, cursor, _ = source.look(cursor)
    assert [_said(event) for event in events] == [
        (f"LE-1/{one.number}", "paid", None),
        (f"LE-1/{one.number}", None, Decimal("100.00")),
        (f"LE-1/{two.number}", "cancelled", None),
    ]
    assert events[-1]["charge_ids"] == [charges[1]["charge_id"]]
    assert source.look(cursor)[0] == []


def test_what_is_too_much_for_one_look_is_told_by_the_next_ones_each_once(
    tryton: TrytonServer, target: TrytonTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(target, [charge(str(n), engagement_id=f"E-{n}") for n in range(5)])
    numbers = [f"LE-1/{each.number}" for each in posted(tryton)]
    monkeypatch.setattr(states, "_PAGE", 2)
    monkeypatch.setattr(states, "_MOST", 2)
    cursor, told, more = None, list[str](), list[bool]()
    for _ in range(4):
        look = target.look(cursor)
        cursor = look.cursor
        told += [event["invoice"] for event in look.events]
        more.append(look.more)
    assert told == numbers
    assert more == [True, True, False, False]


def _said(event: StatusRecord) -> tuple[str, str | None, Decimal | None]:
    payment = event["payment"]
    return event["invoice"], event["status"], None if payment is None else payment["amount"]
