"""Credits tie to what they credit: the sum of credits never passes the invoice (DOMAIN.md §6)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.draft import Draft, DueCharge, draft_invoices
from invoicing.formats.schematron import validate
from invoicing.formats.ubl import render
from invoicing.issue import issue
from invoicing.tax_totals import TaxKey
from tests.unit.sinks.documents import NAMES, due
from tests.unit.sinks.ubl_reader import broken, read

ISSUED = date(2025, 4, 1)
NUMBER = "LE-1-2025-00001"
FOUR = [due(str(n), amount) for n, amount in enumerate(("68.33", "68.33", "57.50", "85.00"))]
BILLED = st.tuples(
    st.decimals(Decimal("0.01"), Decimal(500), places=2), st.sampled_from([("S", 20), ("S", 7), ("Z", 0), ("E", 0)])
)


def taken_back(*charges: DueCharge) -> list[DueCharge]:
    """The reversals of charges that the invoice bills."""
    return [
        replace(
            charge,
            charge_id=f"reversal-of-{charge.charge_id}",
            reverses=charge.charge_id,
            credits=NUMBER,
            amount=-charge.amount,
            billable_minutes=-charge.billable_minutes,
        )
        for charge in charges
    ]


def nets(charges: Iterable[DueCharge]) -> dict[TaxKey, Decimal]:
    """Their amounts by tax category and rate."""
    found: dict[TaxKey, Decimal] = defaultdict(Decimal)
    for charge in charges:
        found[charge.tax_category, charge.tax_rate] += charge.amount
    return found


def credited_in_turn(charges: Sequence[DueCharge], groups: Iterable[Sequence[DueCharge]]) -> list[Draft]:
    """The credit notes of an invoice over `charges`, a group of them each."""
    left = list(charges)
    notes = []
    for group in groups:
        (note,) = draft_invoices(taken_back(*group), {NUMBER: nets(left)})
        notes.append(note)
        left = [charge for charge in left if charge not in group]
    return notes


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_crediting_334_99_one_by_one_gives_back_334_99_and_not_335_00(order: tuple[int, ...]) -> None:
    (invoiced,) = draft_invoices(FOUR, {})
    assert (str(invoiced.payable), str(invoiced.tax)) == ("334.99", "55.83")
    notes = credited_in_turn(FOUR, ([FOUR[n]] for n in order))
    assert str(sum(note.payable for note in notes)) == "-334.99"
    # The tax of each note is by itself what its rate says: it is the rounding amount (BT-114) that ties them.
    assert str(sum(note.net + note.tax for note in notes)) == "-335.00"


@settings(max_examples=200, deadline=None)
@given(st.lists(BILLED, min_size=1, max_size=10), st.data())
def test_the_sum_of_credits_never_passes_the_invoice(
    billed: list[tuple[Decimal, tuple[str, int]]], data: st.DataObject
) -> None:
    charges = [
        due(str(n), str(amount), tax_category=category, tax_rate=Decimal(rate))
        for n, (amount, (category, rate)) in enumerate(billed)
    ]
    (invoiced,) = draft_invoices(charges, {})
    groups, left = [], data.draw(st.permutations(charges))
    while left:
        size = data.draw(st.integers(1, len(left)))
        groups.append(left[:size])
        left = left[size:]
    back = Decimal(0)
    for note in credited_in_turn(charges, groups):
        assert note.credits == (NUMBER,)
        back -= note.payable
        assert back <= invoiced.payable
    assert back == invoiced.payable


def test_a_credit_note_names_the_invoice_and_the_charges_it_reverses() -> None:
    (note,) = draft_invoices(taken_back(FOUR[2], FOUR[0]), {NUMBER: nets(FOUR)})
    assert note.kind == "credit_note"
    xml = render(issue(note, "LE-1-2025-00002", ISSUED, NAMES, credits=[(NUMBER, ISSUED)]))
    assert b"<cbc:ID>LE-1-2025-00001</cbc:ID>\n      <cbc:IssueDate>2025-04-01</cbc:IssueDate>" in xml
    assert b"Senior, 100 EUR per hour, credits time:0 time:2" in xml
    assert validate(xml) == []
    assert broken(read(xml)) == []
