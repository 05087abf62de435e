"""Exchange rates: the latest of a pair at most 31 days old; direct, inverse, or crossed (DOMAIN.md §2, Expenses)."""

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from common.decimals import plain
from rating.model.lookups import Lookups
from rating.model.master_data import FxRate
from rating.model.money import ONE, exact

MAX_AGE = timedelta(days=31)
_CROSSINGS = ("EUR", "USD")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one unit of a currency is in another, exactly, and the rates that say so."""

    factor: Fraction
    rates: tuple[FxRate, ...]

    @property
    def words(self) -> str:
        """The rates used, as a person reads them."""
        return ", ".join(f"1 {rate.base} = {plain(rate.rate)} {rate.quote} of {rate.date}" for rate in self.rates)


_SAME_CURRENCY = Exchange(ONE, ())


def exchange(lookups: Lookups, base: str, quote: str, day: date) -> Exchange | None:
    """How an amount in `base` becomes one in `quote` on a day; None where no rate says so."""
    if base == quote:
        return _SAME_CURRENCY
    return _leg(lookups, base, quote, day) or _crossed(lookups, base, quote, day)


def _crossed(lookups: Lookups, base: str, quote: str, day: date) -> Exchange | None:
    for through in _CROSSINGS:
        if through not in (base, quote):
            first, second = _leg(lookups, base, through, day), _leg(lookups, through, quote, day)
            if first and second:
                return Exchange(first.factor * second.factor, first.rates + second.rates)
    return None


def _leg(lookups: Lookups, base: str, quote: str, day: date) -> Exchange | None:
    direct = _fresh(lookups, base, quote, day)
    if direct is not None:
        return Exchange(exact(direct.rate), (direct,))
    inverse = _fresh(lookups, quote, base, day)
    # A rate of 0 has no inverse, so it says nothing about the other direction.
    if inverse is not None and inverse.rate:
        return Exchange(1 / exact(inverse.rate), (inverse,))
    return None


def _fresh(lookups: Lookups, base: str, quote: str, day: date) -> FxRate | None:
    rate = lookups.latest_fx_rate(base, quote, day)
    return rate if rate is not None and day - rate.date <= MAX_AGE else None
