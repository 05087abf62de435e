"""Parity finds what differs, all of it, and nothing else."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from accounting.parity import COMPARED, BookedEntry, Difference, parity

ONE = BookedEntry("a", Decimal("10.00"), "EUR", "1210/4000", "S", Decimal(20), "2025-03", "C-1", date(2025, 3, 14))
WRONG: dict[str, object] = {
    "amount": Decimal("10.01"),
    "currency": "USD",
    "accounts": "1210/4001",
    "tax_category": None,
    "tax_rate": Decimal(19),
    "period": "2025-04",
    "client_id": "C-2",
    "day": date(2025, 3, 15),
}


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)), st.data())
def test_exactly_what_is_planted_is_found(old: set[int], new: set[int], data: st.DataObject) -> None:
    before = {f"c{n:02}": replace(ONE, charge_id=f"c{n:02}") for n in old}
    after = {f"c{n:02}": replace(ONE, charge_id=f"c{n:02}") for n in new}
    both = sorted(before.keys() & after.keys())
    planted = []
    for charge_id in both:
        for name in sorted(data.draw(st.sets(st.sampled_from(COMPARED), max_size=2))):
            after[charge_id] = replace(after[charge_id], **{name: WRONG[name]})  # type: ignore[arg-type]
            planted.append(Difference(charge_id, name, getattr(ONE, name), WRONG[name]))
    found = parity((before[name] for name in sorted(before)), (after[name] for name in sorted(after)))
    assert sorted(found.differences, key=lambda each: (each.charge_id, each.field)) == planted
    assert (found.both, found.same) == (len(both), len(both) - len({each.charge_id for each in planted}))
    assert found.only_old == sorted(before.keys() - after.keys())
    assert found.only_new == sorted(after.keys() - before.keys())


def test_an_amount_is_the_same_however_many_zeros_it_has() -> None:
    assert parity([ONE], [replace(ONE, amount=Decimal("10.000000"))]).differences == []
