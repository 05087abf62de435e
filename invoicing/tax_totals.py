"""Tax of a document by category and rate: on the sum of each, never by line (DOMAIN.md §4.8)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from rating.model.money import exact, rounded, rounded_money, zero

TaxKey: TypeAlias = tuple[str, Decimal]
"""Category and rate (percent)."""


@dataclass(frozen=True, slots=True)
class TaxTotal:
    """The tax of one category and rate (percent): amount = base x rate / 100, rounded half away from zero."""

    category: str
    rate: Decimal
    base: Decimal
    amount: Decimal


def tax_totals(nets: Iterable[tuple[TaxKey, Decimal]], currency: str) -> tuple[TaxTotal, ...]:
    """Tax by category and rate of net amounts: on the sum of each (BR-CO-17)."""
    bases: dict[TaxKey, Decimal] = defaultdict(lambda: zero(currency))
    for key, net in nets:
        bases[key] += net
    return tuple(
        TaxTotal(category, rate, rounded_money(base, currency), tax_of(base, rate, currency))
        for (category, rate), base in sorted(bases.items())
    )


def tax_of(base: Decimal, rate: Decimal, currency: str) -> Decimal:
    """Tax of a net amount at a rate in percent, in minor units, half away from zero."""
    return rounded(exact(base) * exact(rate) / 100, currency)


def with_tax(base: Decimal, rate: Decimal, currency: str) -> Decimal:
    """A net amount and its tax."""
    return base + tax_of(base, rate, currency)
