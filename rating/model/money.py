"""Money as exact rationals, rounded once: half away from zero, to the minor unit (DOMAIN.md, Conventions)."""

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

from common.iso_codes import MINOR_UNITS

# Wide enough for any product of decimal(18,6) fields; the default context's 28 digits are not.
_WIDE = Context(prec=80)

ZERO = Fraction(0)
ONE = Fraction(1)


def minor_units(currency: str) -> int:
    """Digits after the point of a currency: JPY 0, USD 2, KWD 3 (DOMAIN.md, appendix B)."""
    return MINOR_UNITS.get(currency, 2)


@lru_cache(maxsize=4096)
def exact(number: Decimal) -> Fraction:
    """A decimal as the rational it stands for."""
    return Fraction(number)


def rounded(amount: Fraction, currency: str) -> Decimal:
    """An exact amount in the currency's minor unit, half away from zero; 0 USD is `0.00`."""
    digits = minor_units(currency)
    numerator, denominator = amount.numerator, amount.denominator
    magnitude = half_up(abs(numerator) * 10**digits, denominator)
    return Decimal(-magnitude if numerator < 0 else magnitude).scaleb(-digits, _WIDE)


def minor_money(units: int, currency: str) -> Decimal:
    """So many minor units of a currency as an amount."""
    return Decimal(units).scaleb(-minor_units(currency), _WIDE)


def in_minor_units(amount: Decimal, currency: str) -> int:
    """A rounded amount as so many minor units of its currency."""
    return int(amount.scaleb(minor_units(currency), _WIDE))


def half_up(numerator: int, denominator: int) -> int:
    """A quotient that is not negative as a whole number, half going up: half a unit is added, and the rest cut."""
    return (2 * numerator + denominator) // (2 * denominator)


def rounded_money(amount: Decimal, currency: str) -> Decimal:
    """A decimal amount in the currency's minor unit."""
    return rounded(exact(amount), currency)


@lru_cache(maxsize=64)
def zero(currency: str) -> Decimal:
    """Zero in the currency's minor unit."""
    return rounded(ZERO, currency)


def shares(total: Decimal, parts: Sequence[Fraction], currency: str) -> list[Decimal]:
    """A rounded total divided by parts, so that the shares sum to it (DOMAIN.md §2 rule 8a).

    Share i is round(total x P_i / W) - round(total x P_(i-1) / W), with P_i the parts up to i and W all of them. Where
    W is 0 every share is 0.
    """
    whole = sum(parts, ZERO)
    if not whole:
        return [zero(currency)] * len(parts)
    scale = exact(total) / whole
    return differences([scale * part for part in parts], currency)


def differences(amounts: Sequence[Fraction], currency: str) -> list[Decimal]:
    """Exact amounts rounded so that every leading sum is the rounded exact one (DOMAIN.md §2 rules 8a and 8b)."""
    exact_sum, before, found = ZERO, zero(currency), list[Decimal]()
    for amount in amounts:
        exact_sum += amount
        after = rounded(exact_sum, currency)
        found.append(after - before)
        before = after
    return found
