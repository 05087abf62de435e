"""Per diems: the rate of a place, its component and a day in its season (DOMAIN.md §2, E4 and E5)."""

from collections.abc import Iterable
from datetime import date

from rating.model.days import is_valid
from rating.model.enumerations import PerDiemComponent
from rating.model.master_data import PerDiem


def per_diem_on(rates: Iterable[PerDiem], component: PerDiemComponent | None, day: date) -> PerDiem | None:
    """The rate of a day among those of a place in the order in which they win; None where none matches."""
    for rate in rates:
        if rate.component == component and is_valid(day, rate.valid_from, rate.valid_to) and in_season(rate, day):
            return rate
    return None


def in_season(rate: PerDiem, day: date) -> bool:
    """Whether a day is in the rate's season, of which both ends are days; a rate without one holds all year.

    A season that begins later in the year than it ends goes over the new year. 29 February counts as the 28th.
    """
    if rate.season_from is None or rate.season_to is None:
        return True
    begins, ends, at = _month_day(rate.season_from), _month_day(rate.season_to), _month_day(day.isoformat()[5:])
    if begins <= ends:
        return begins <= at <= ends
    return at >= begins or at <= ends


def _month_day(text: str) -> str:
    return "02-28" if text == "02-29" else text
