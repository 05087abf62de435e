"""An amount that no record can carry parks its subject instead of stopping everybody behind it."""

from decimal import Decimal

from billing_contracts import card, entry, expense, fx, line, masters_of

from rating.model.facts import gathered
from rating.settle import settle
from schemas.codec import encode
from tables.settlement.charge_record import charge_record
from tables.settlement.exception_record import advance, exception_record


def test_a_charge_of_a_billion_thousands_is_held_and_its_neighbour_is_charged() -> None:
    huge = masters_of(card(line(amount="999999999999.99")))
    subjects = settle("E1", gathered([entry("small", 1), entry("huge", 600)]), huge).subjects
    assert (subjects["time:huge"].state, subjects["time:huge"].worked_minutes) == ("parked", 600)
    assert subjects["time:huge"].parked is not None
    assert subjects["time:huge"].parked.code == "INVALID"
    charge = subjects["time:small"].charge
    assert charge is not None
    encode(
        "billing.ready",
        {**charge_record(charge), "charge_id": "c", "reverses": None, "decided_at": entry().occurred_at},
    )


def test_what_is_held_can_be_published() -> None:
    masters = masters_of(fx("EUR", "USD", "100000"))
    settlement = settle("E1", gathered([expense("99999999999", "EUR")]), masters).subjects["expense:x1"]
    standing = advance(None, settlement.parked, 0)
    assert standing is not None
    assert standing.parked.amount_at_stake is None or standing.parked.amount_at_stake < Decimal(10) ** 12
    encode("billing.exceptions", exception_record("E1", "expense:x1", standing))
