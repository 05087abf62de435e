"""Prices in tiers: per unit, graduated and volume (DOMAIN.md §2, Outcomes). Tiers are never empty here."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import assert_never

from rating.model.master_data import OutcomeTerms, Tier
from rating.model.money import ZERO, exact, half_up, in_minor_units, minor_money, rounded

UNITS = 10**6  # of a decimal(18,6)


def tier_amounts(quantities: Sequence[Decimal], terms: OutcomeTerms, currency: str) -> list[Decimal]:
    """The rounded amount of each outcome of one metric and month, given their quantities in canonical order."""
    exact_quantities = [exact(quantity) for quantity in quantities]
    if terms.model == "volume":
        return _volume(exact_quantities, terms.tiers, currency)
    starts = accumulate(exact_quantities, initial=ZERO)
    return [
        amount_at(quantity, reached, index == 0, terms, currency)
        for index, (quantity, reached) in enumerate(zip(exact_quantities, starts, strict=False))
    ]


def amount_at(quantity: Fraction, reached: Fraction, is_first: bool, terms: OutcomeTerms, currency: str) -> Decimal:
    """The amount of one outcome, per unit or graduated, given the month's quantity before it."""
    match terms.model:
        case "per_unit":
            return rounded(quantity * exact(terms.tiers[0].unit_price), currency)
        case "graduated":
            # The fee of a tier falls on the outcome that enters it, the first tier's on the first.
            first_fee = exact(terms.tiers[0].flat_fee) if is_first else ZERO
            return rounded(first_fee + _stretch(reached, reached + quantity, terms.tiers), currency)
        case "volume":
            raise ValueError("by volume an amount is a share of the month's")
        case _:
            assert_never(terms.model)


def volume_due(total: Fraction, tiers: Sequence[Tier], currency: str) -> Decimal:
    """The amount of a month by volume: all units at the tier of the total, and its fee once; rounded."""
    tier = next((tier for tier in tiers[:-1] if total <= _end(tier, total)), tiers[-1])
    return rounded(total * exact(tier.unit_price) + exact(tier.flat_fee), currency)


def shared_up_to(due: int, part: int, whole: int) -> int:
    """What of a rounded total, in minor units, falls on the first `part` of `whole` (DOMAIN.md §2 rule 8a)."""
    share = half_up(abs(due) * part, whole)
    return -share if due < 0 else share


def _volume(quantities: Sequence[Fraction], tiers: Sequence[Tier], currency: str) -> list[Decimal]:
    """The shares of what is due; where no unit was reached the last outcome has it all."""
    whole = sum(quantities, ZERO)
    due = in_minor_units(volume_due(whole, tiers, currency), currency)
    if not whole:
        return [minor_money(0, currency)] * (len(quantities) - 1) + [minor_money(due, currency)]
    units = [int(quantity * UNITS) for quantity in quantities]
    ends = [shared_up_to(due, end, int(whole * UNITS)) for end in accumulate(units, initial=0)]
    return [minor_money(end - start, currency) for start, end in pairwise(ends)]


def _stretch(start: Fraction, stop: Fraction, tiers: Sequence[Tier]) -> Fraction:
    """The price of the units beyond `start` up to `stop`, with the fees of the tiers after the first they enter."""
    price = ZERO
    bottom = ZERO
    for index, tier in enumerate(tiers):
        top = stop if index == len(tiers) - 1 else _end(tier, stop)
        units = min(stop, top) - max(start, bottom)
        if units > 0:
            price += units * exact(tier.unit_price)
            if index and start <= bottom:
                price += exact(tier.flat_fee)
        bottom = max(bottom, top)
    return price


def _end(tier: Tier, beyond: Fraction) -> Fraction:
    """The last unit of a tier; an open one reaches as far as is asked."""
    return beyond if tier.up_to is None else exact(tier.up_to)
