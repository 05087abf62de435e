"""Prices in tiers: per unit, graduated and volume (DOMAIN.md §2, Outcomes). Tiers are never empty here."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from rating.model.master_data import OutcomeTerms, Tier
from rating.model.money import ZERO, exact, nothing, rounded, shares


def tier_amounts(quantities: Sequence[Decimal], terms: OutcomeTerms, currency: str) -> list[Decimal]:
    """The rounded amount of each outcome of one metric and month, given their quantities in canonical order."""
    exact_quantities = [exact(quantity) for quantity in quantities]
    match terms.model:
        case "per_unit":
            price = exact(terms.tiers[0].unit_price)
            return [rounded(quantity * price, currency) for quantity in exact_quantities]
        case "graduated":
            return _graduated(exact_quantities, terms.tiers, currency)
        case "volume":
            return _volume(exact_quantities, terms.tiers, currency)
        case _:
            assert_never(terms.model)


def _volume(quantities: Sequence[Fraction], tiers: Sequence[Tier], currency: str) -> list[Decimal]:
    """All units at the tier of the total, and its fee once; each outcome has its share by quantity."""
    total = sum(quantities, ZERO)
    tier = next((tier for tier in tiers[:-1] if total <= _end(tier, total)), tiers[-1])
    due = rounded(total * exact(tier.unit_price) + exact(tier.flat_fee), currency)
    if not total:
        return [*[nothing(currency)] * (len(quantities) - 1), due]
    return shares(due, quantities, currency)


def _graduated(quantities: Sequence[Fraction], tiers: Sequence[Tier], currency: str) -> list[Decimal]:
    """Each unit in its tier; the fee of a tier falls on the outcome that enters it, the first tier's on the first."""
    amounts = []
    reached = ZERO
    for index, quantity in enumerate(quantities):
        first_fee = exact(tiers[0].flat_fee) if index == 0 else ZERO
        amounts.append(rounded(first_fee + _stretch(reached, reached + quantity, tiers), currency))
        reached += quantity
    return amounts


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
