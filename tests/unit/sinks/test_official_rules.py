"""Every document we make passes the official rules of EN 16931, in UBL and in CII, and is exact to the cent."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoicing.document import Invoice
from invoicing.draft import DueCharge, Rests, draft_invoices
from invoicing.formats.cii import render_cii
from invoicing.formats.en16931 import IncompleteDocument
from invoicing.formats.schematron import validate
from invoicing.formats.ubl import render
from invoicing.issue import issue
from tests.unit.sinks.documents import NAMES, due
from tests.unit.sinks.test_credits import nets, taken_back
from tests.unit.sinks.ubl_reader import broken, read

ISSUED = date(2025, 4, 1)
FIRST = "LE-1-2025-00001"
TREATMENTS = [("S", 20), ("S", 7), ("S", 5.5), ("Z", 0), ("E", 0), ("AE", 0), ("O", 0)]


def documents(charges: Iterable[DueCharge], rests: Rests | None = None) -> list[Invoice]:
    """What a run issues for them."""
    drafts = draft_invoices(charges, rests or {})
    return [
        issue(draft, f"LE-1-2025-{n:05d}", ISSUED, NAMES, [(credited, ISSUED) for credited in draft.credits])
        for n, draft in enumerate(drafts, start=1)
        if draft.kind != "nothing"
    ]


def ubl_faults(invoice: Invoice) -> list[object]:
    """What the rules and our own arithmetic find in its UBL document."""
    xml = render(invoice)
    return [*validate(xml), *broken(read(xml))]


def faults(invoice: Invoice) -> list[object]:
    """What they find in its UBL and its CII document."""
    return [*ubl_faults(invoice), *validate(render_cii(invoice))]


@pytest.mark.parametrize(("category", "rate"), TREATMENTS)
def test_each_tax_category_as_invoice_and_as_credit_note(category: str, rate: float) -> None:
    about = {"tax_category": category, "tax_rate": Decimal(str(rate)), "po_number": "PO-1"}
    charges = [due("a", "100.35", **about), due("b", "58.33", billable_minutes=35, **about)]
    (invoice,) = documents(charges)
    assert faults(invoice) == []
    (note,) = documents(taken_back(*charges), {FIRST: nets(charges)})
    assert note.kind == "credit_note"
    assert faults(note) == []


def test_several_categories_on_one_document() -> None:
    (invoice,) = documents(due(c + str(r), tax_category=c, tax_rate=Decimal(str(r))) for c, r in TREATMENTS[:-1])
    assert len(invoice.taxes) == 6
    assert faults(invoice) == []


def test_late_work_names_its_own_period() -> None:
    (invoice,) = documents([due("late", period="2024-02"), due("now")])
    assert faults(invoice) == []
    assert b"<cbc:EndDate>2024-02-29</cbc:EndDate>" in render(invoice)
    assert b'<udt:DateTimeString format="102">20240229</udt:DateTimeString>' in render_cii(invoice)


def test_amounts_of_yen_have_no_decimals() -> None:
    (invoice,) = documents([due("a", "1005", currency="JPY"), due("b", "333", currency="JPY", billable_minutes=20)])
    assert faults(invoice) == []
    assert b'<cbc:PayableAmount currencyID="JPY">1606</cbc:PayableAmount>' in render(invoice)


def test_dinars_are_billed_to_the_fils_and_become_a_document_where_two_decimals_hold_them() -> None:
    """BR-DEC: no amount of EN 16931 has more than two decimals, whatever its currency has."""
    (round_sum,) = documents([due("a", "100.500", currency="KWD")])
    assert (str(round_sum.tax), str(round_sum.payable)) == ("20.100", "120.600")
    assert faults(round_sum) == []
    (fine,) = documents([due("a", "100.235", currency="KWD")])
    assert (str(fine.tax), str(fine.payable)) == ("20.047", "120.282")
    for write in (render, render_cii):
        with pytest.raises(IncompleteDocument, match=r"120\.282 KWD has more than the two decimals"):
            write(fine)


@pytest.mark.parametrize(
    ("category", "rate", "gap"),
    [
        ("S", "0", "tax category S cannot have a rate of 0 %"),
        ("Z", "5", "tax category Z cannot have a rate of 5 %"),
        ("K", "0", "tax category K is none of S, Z, AE, E, O"),
    ],
)
def test_a_tax_that_contradicts_itself_is_refused(category: str, rate: str, gap: str) -> None:
    (invoice,) = documents([due("a", tax_category=category, tax_rate=Decimal(rate))])
    with pytest.raises(IncompleteDocument, match=gap):
        render(invoice)


def test_a_category_of_which_nothing_is_left_has_no_breakdown() -> None:
    gone = due("gone", tax_category="Z", tax_rate=Decimal(0))
    back = replace(gone, charge_id="back", reverses="gone", amount=-gone.amount, billable_minutes=-60)
    (invoice,) = documents([gone, back, due("kept")])
    assert [tax.category for tax in invoice.taxes] == ["S"]
    assert faults(invoice) == []


@st.composite
def charge_sets(draw: st.DrawFn) -> list[DueCharge]:
    """The charges of one engagement in one currency."""
    currency, digits = draw(st.sampled_from([("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3)]))
    texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
    charges = []
    for n in range(draw(st.integers(1, 12))):
        category, rate = draw(st.sampled_from(TREATMENTS))
        kind = draw(st.sampled_from(["time", "time", "time", "expense", "fee", "adjustment"]))
        timed = kind == "time"
        charges.append(
            due(
                str(n),
                str(draw(st.decimals(Decimal(-300), Decimal(5000), places=draw(st.sampled_from([0, digits]))))),
                currency=currency,
                kind=kind,
                subject=f"{kind}:{n}",
                period=draw(st.sampled_from(["2024-12", "2025-02", "2025-03"])),
                task_id=draw(st.sampled_from(["T-1", "T-2"])) if timed else None,
                labor_category=draw(st.none() | texts) if timed else None,
                billable_minutes=draw(st.integers(0, 600)) if timed else 0,
                rate=draw(st.sampled_from([Decimal(100), Decimal("27.5"), Decimal("33.333333")])) if timed else None,
                rate_unit=draw(st.sampled_from(["hour", "day"])) if timed else None,
                multiplier=draw(st.sampled_from([Decimal(1), Decimal("1.5")])),
                reason=draw(st.sampled_from([None, None, "COVERED_BY_RETAINER"])) if timed else None,
                tax_category=category,
                tax_rate=Decimal(str(rate)),
                po_number=draw(st.sampled_from([None, "PO-7"])),
            )
        )
    return charges


def representable(invoice: Invoice) -> bool:
    """Whether two decimals hold its amounts; of one that they do not hold there is no document."""
    amounts = [invoice.tax, invoice.payable, *(line.net for line in invoice.lines), *(t.amount for t in invoice.taxes)]
    if all(amount == round(amount, 2) for amount in amounts):
        return True
    with pytest.raises(IncompleteDocument, match="two decimals"):
        render(invoice)
    return False


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(charge_sets(), st.data())
def test_500_random_sets_of_charges_pass_the_official_rules_and_are_exact_to_the_cent(
    charges: list[DueCharge], data: st.DataObject
) -> None:
    for invoice in filter(representable, documents(charges)):
        assert ubl_faults(invoice) == []
    inside = [charge for charge in charges if charge.tax_category != "O"]
    back = data.draw(st.lists(st.sampled_from(inside), unique_by=lambda charge: charge.charge_id)) if inside else []
    for note in filter(representable, documents(taken_back(*back), {FIRST: nets(inside)})):
        assert ubl_faults(note) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(charge_sets())
def test_random_sets_of_charges_pass_the_rules_in_the_other_syntax(charges: list[DueCharge]) -> None:
    for invoice in filter(representable, documents(charges)):
        assert validate(render_cii(invoice)) == []
