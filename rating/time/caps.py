"""What a cap leaves of the time amounts of an engagement (DOMAIN.md §2 rule 11)."""

from collections.abc import Sequence
from decimal import Decimal

from rating.model.master_data import Cap
from rating.model.money import nothing, rounded_money


def within_cap(amounts: Sequence[Decimal], cap: Cap, currency: str) -> list[Decimal]:
    """The part of each rounded amount, in canonical order, that the cap lets be charged.

    Amounts of zero or below pass and give room back.
    """
    none = nothing(currency)
    room = rounded_money(cap.amount, currency)
    passed = []
    for amount in amounts:
        charged = amount if amount <= 0 else min(amount, max(room, none))
        room -= charged
        passed.append(charged)
    return passed
