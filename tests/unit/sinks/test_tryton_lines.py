"""Lines of an invoice in Tryton: quantity times price is the net exactly, and every charge is in one place."""

from collections import Counter
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from invoicing.parties import Names
from sinks.tryton.lines import lines_of
from storage.charge_batch import ChargeRecord
from tests.contract.sinks.sink_charges import charge, reversal

_minutes = st.integers(1, 1440)
_rates = st.sampled_from([Decimal("27.5"), Decimal(100), Decimal("72.125"), Decimal("0.00005")])


@st.composite
def histories(draw: st.DrawFn) -> list[ChargeRecord]:
    """Charges and reversals of one account."""
    charges: list[ChargeRecord] = []
    for entry in range(draw(st.integers(1, 12))):
        minutes, rate = draw(_minutes), draw(_rates)
        amount = (rate * minutes / 60).quantize(Decimal("0.01"))
        fields = {"billable_minutes": minutes, "rate": rate, "task_id": draw(st.sampled_from(["T-1", "T-2"]))}
        charges.append(charge(str(entry), str(amount), **fields))
        if draw(st.booleans()):
            charges.append(reversal(draw(st.sampled_from(charges))))
    return charges


@given(histories())
def test_any_charges_make_lines_that_are_their_sums(charges: list[ChargeRecord]) -> None:
    lines, unlined = lines_of(charges)
    for line in lines:
        assert line.quantity * line.price == line.net == sum(each["amount"] for each in line.charges)
        assert line.price >= 0
        assert -line.quantity.as_tuple().exponent <= 2  # type: ignore[operator]  # finite
        assert line.unit == "hour" or abs(line.quantity) == 1
    placed = Counter(each["charge_id"] for line in lines for each in line.charges)
    placed.update(each["charge_id"] for each in unlined)
    assert placed == Counter(each["charge_id"] for each in charges)


def test_hours_at_the_agreed_rate_where_they_give_the_net() -> None:
    (line,), _ = lines_of([charge("a", "41.25", billable_minutes=90, rate=Decimal("27.5"))])
    assert (line.unit, line.quantity, line.price) == ("hour", Decimal("1.5"), Decimal("27.5"))


def test_rounding_entry_by_entry_makes_one_piece_that_says_its_hours() -> None:
    twice = [charge(name, "6.88", billable_minutes=15, rate=Decimal("27.50")) for name in "ab"]
    (line,), _ = lines_of(twice)
    assert (line.unit, line.quantity, line.price) == ("hour", Decimal("0.5"), Decimal("27.52"))
    (line,), _ = lines_of([charge("a", "83.33", billable_minutes=50)])
    assert (line.unit, line.quantity, line.price) == ("one", Decimal(1), Decimal("83.33"))
    assert line.description(Names(), "EUR") == "T-1, 2025-03, Senior, 100 EUR per hour, 0:50 h"


def test_what_is_not_billable_is_on_no_line_and_what_is_covered_is() -> None:
    free = charge("a", "0.00", reason="NON_BILLABLE", tax_category=None, tax_rate=None)
    covered = charge("b", "0.00", reason="COVERED_BY_RETAINER")
    lines, unlined = lines_of([free, covered])
    assert [(line.net, line.charges) for line in lines] == [(Decimal(0), (covered,))]
    assert unlined == [free]


def test_a_charge_and_its_reversal_that_meet_leave_no_line() -> None:
    first = charge("a", "100.00")
    lines, unlined = lines_of([first, reversal(first)])
    assert not lines
    assert {each["charge_id"] for each in unlined} == {first["charge_id"], reversal(first)["charge_id"]}
