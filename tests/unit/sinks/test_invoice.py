"""What one invoice bills: netting, lines, prices and totals as a pure function."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from invoicing.draft import Draft, DueCharge, draft_invoices
from invoicing.store import number_of
from invoicing.tax_totals import TaxKey, tax_of
from tests.unit.sinks.documents import due

AMOUNTS = st.decimals(Decimal("-5000"), Decimal("5000"), places=2)
TREATMENTS = st.sampled_from([("S", Decimal(20)), ("S", Decimal(25)), ("Z", Decimal(0)), ("AE", Decimal(0))])


def draft(*charges: DueCharge) -> Draft:
    """The one draft of charges that share an account."""
    (only,) = draft_invoices(charges, {})
    return only


@pytest.mark.parametrize(
    ("base", "rate", "tax"),
    [("1460.50", 25, "365.13"), ("625743.54", 25, "156435.89"), ("-6491.34", 25, "-1622.84"), ("279.16", 20, "55.83")],
)
def test_tax_rounds_half_away_from_zero(base: str, rate: int, tax: str) -> None:
    assert str(tax_of(Decimal(base), Decimal(rate), "EUR")) == tax


@pytest.mark.parametrize(("currency", "tax"), [("JPY", "20"), ("EUR", "20.05"), ("KWD", "20.047")])
def test_tax_is_rounded_to_the_minor_unit_of_the_currency(currency: str, tax: str) -> None:
    assert str(tax_of(Decimal("100.235"), Decimal(20), currency)) == tax


def test_lines_sum_what_is_priced_alike_and_the_exact_minutes() -> None:
    charges = [
        due(str(n), amount, billable_minutes=minutes)
        for n, (minutes, amount) in enumerate(
            [(15, "25.00"), (50, "83.33"), (225, "375.00"), (75, "125.00"), (35, "58.33")]
        )
    ]
    (line,) = draft(*charges).lines
    # 400 minutes at 100 would be 666.67: each entry was rounded by itself, so the price is what the net implies.
    assert (str(line.net), line.quantity, line.unit) == ("666.66", Decimal("6.666667"), "HUR")
    assert line.price == Decimal("99.999000")


def test_the_agreed_rate_is_the_price_where_it_gives_the_net() -> None:
    (line,) = draft(due("a", "150.00", multiplier=Decimal("1.5"))).lines
    assert (line.price, line.quantity) == (150, 1)


def test_a_price_difference_alone_is_one_piece() -> None:
    discounted = due("b", "-100.00", billable_minutes=-60), due("c", "90.00")
    made = draft(*discounted)
    assert made.kind == "credit_note"
    assert [(line.quantity, line.unit, line.price, str(line.net)) for line in made.lines] == [(-1, "C62", 10, "-10.00")]


def test_other_kinds_of_charges_have_a_line_each() -> None:
    about = {"kind": "expense", "billable_minutes": 0, "rate": None, "rate_unit": None, "task_id": None}
    made = draft(*(due(n, "30.00", subject=f"expense:{n}", **about) for n in ("x", "y")))
    assert [(line.key.subject, line.quantity, line.unit, line.price) for line in made.lines] == [
        ("expense:x", 1, "C62", 30),
        ("expense:y", 1, "C62", 30),
    ]


def test_covered_hours_are_shown_and_cost_nothing() -> None:
    made = draft(due("fee", "500.00"), due("covered", "0.00", reason="COVERED_BY_RETAINER"))
    assert [(line.key.reason, line.quantity, line.price, str(line.net)) for line in made.lines] == [
        (None, 1, 500, "500.00"),
        ("COVERED_BY_RETAINER", 1, 0, "0.00"),
    ]


def test_a_charge_and_its_reversal_that_meet_leave_no_line() -> None:
    made = draft(
        due("a"), due("b", "-100.00", reverses="a", billable_minutes=-60), due("c", "7.00", labor_category="Junior")
    )
    assert [line.key.labor_category for line in made.lines] == ["Junior"]
    assert made.charge_ids == ("a", "b", "c")


def test_nothing_is_only_what_owes_neither_money_nor_tax() -> None:
    assert draft(due("a"), due("b", "-100.00")).kind == "nothing"
    moved = draft(due("a"), due("b", "-100.00", tax_rate=Decimal(25)))
    assert (moved.kind, str(moved.net), str(moved.payable)) == ("credit_note", "0.00", "-5.00")


def test_nothing_has_a_net_of_zero_in_every_category_and_rate() -> None:
    free = draft(
        due("a", tax_category="Z", tax_rate=Decimal(0)), due("b", "-100.00", tax_category="E", tax_rate=Decimal(0))
    )
    assert (free.kind, str(free.payable), [str(line.net) for line in free.lines]) == (
        "invoice",
        "0.00",
        ["-100.00", "100.00"],
    )


def test_each_order_number_has_an_invoice_of_its_own() -> None:
    drafts = draft_invoices(
        [due("a", po_number="PO-2"), due("b"), due("c", po_number="PO-1"), due("d", po_number="PO-2")], {}
    )
    assert [(each.po_number, each.charge_ids) for each in drafts] == [
        (None, ("b",)),
        ("PO-1", ("c",)),
        ("PO-2", ("a", "d")),
    ]


def test_a_line_of_cumulative_amounts_reads_as_the_agreed_rate() -> None:
    twenty = (
        due(name, amount, billable_minutes=20) for name, amount in (("a", "33.33"), ("b", "33.34"), ("c", "33.33"))
    )
    (line,) = draft(*twenty).lines
    assert (str(line.quantity.normalize()), line.unit, line.price, str(line.net)) == (
        "1",
        "HUR",
        Decimal(100),
        "100.00",
    )


def test_accounts_come_in_order_and_category_o_apart() -> None:
    drafts = draft_invoices([due("a", client_id="C-2"), due("b", tax_category="O", tax_rate=Decimal(0)), due("c")], {})
    assert [(d.account.client_id, d.account.outside_scope) for d in drafts] == [
        ("C-1", False),
        ("C-1", True),
        ("C-2", False),
    ]


@settings(deadline=None)
@example([(Decimal("500.01"), ("S", Decimal(20)), 1)])
@given(st.lists(st.tuples(AMOUNTS, TREATMENTS, st.integers(0, 600)), min_size=1, max_size=40))
def test_totals_tie_to_the_cent(amounts: list[tuple[Decimal, TaxKey, int]]) -> None:
    charges = [
        due(str(n), str(amount), tax_category=category, tax_rate=rate, billable_minutes=minutes)
        for n, (amount, (category, rate), minutes) in enumerate(amounts)
    ]
    made = draft(*charges)
    total = sum(amount for amount, _, _ in amounts)
    assert sum(line.net for line in made.lines) == made.net == total  # BR-CO-10, BR-CO-13
    nets: dict[TaxKey, Decimal] = defaultdict(Decimal)
    for line in made.lines:
        nets[line.key.tax_category, line.key.tax_rate] += line.net
    for tax in made.taxes:
        assert tax.base == nets[tax.category, tax.rate]
        assert abs(Fraction(tax.amount) - Fraction(tax.base) * Fraction(tax.rate) / 100) <= Fraction(1, 200)  # BR-CO-17
    assert made.tax == sum(tax.amount for tax in made.taxes)  # BR-CO-14
    assert made.payable == made.net + made.tax  # BR-CO-15, BR-CO-16
    for line in made.lines:
        assert line.price >= 0  # BR-27
        assert abs(Fraction(line.quantity) * Fraction(line.price) - Fraction(line.net)) <= Fraction(1, 100)


@settings(deadline=None)
@given(st.lists(AMOUNTS.filter(bool), min_size=1, max_size=12), st.data())
def test_credits_of_an_invoice_give_back_exactly_what_it_asked_for(amounts: list[Decimal], data: st.DataObject) -> None:
    key = ("S", Decimal(20))
    charges = [due(str(n), str(amount)) for n, amount in enumerate(amounts)]
    invoiced = draft(*charges)
    back, rest = Decimal(0), invoiced.net
    left = data.draw(st.permutations(charges))
    while left:
        some, left = left[: (size := data.draw(st.integers(1, len(left))))], left[size:]
        credits = [
            due(f"r{c.charge_id}", str(-c.amount), reverses=c.charge_id, credits="I-1", billable_minutes=-60)
            for c in some
        ]
        (credit,) = draft_invoices(credits, {"I-1": {key: rest}})
        back += credit.payable
        rest += credit.net
    assert back == -invoiced.payable


def test_a_number_has_200_characters_at_most_and_entities_never_share_one() -> None:
    assert number_of("18F", 2015, 7) == "18F-2015-00007"
    assert number_of("E" * 180, 2015, 7) == "E" * 180 + "-2015-00007"
    long = {number_of("E" * 199 + last, 2015, 999_999_999) for last in "AB"}
    assert len(long) == 2
    assert max(map(len, long)) <= 200
