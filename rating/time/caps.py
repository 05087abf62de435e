"""What a cap leaves of amounts of an engagement (DOMAIN.md §2 rule 11)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import assert_never

from common.decimals import plain
from rating.model.charge import Settlement
from rating.model.enumerations import Reason
from rating.model.facts import Expense, TimeEntry, subject_of
from rating.model.master_data import Cap
from rating.model.money import rounded_money, zero
from rating.model.rating_context import CAP_EXCEEDED, OVER_CAP, RatingContext, Rejection


@dataclass(frozen=True, slots=True)
class Claim:
    """A priced subject before the cap: `full` is its rounded amount, `charge` settles it with what the cap leaves.

    `minutes` are the recorded ones; a subject with `has_covered_minutes` keeps its charge where the cap leaves nothing.
    """

    fact: TimeEntry | Expense
    day: date
    full: Decimal
    minutes: int
    has_covered_minutes: bool
    charge: Callable[[Decimal, Reason | None], Settlement]


def settle_claims(
    case: RatingContext,
    claims: Sequence[Claim],
    cap: Cap | None,
    currency: str,
    left_of: Callable[[Sequence[Claim]], Sequence[Decimal]] | None = None,
) -> list[Settlement]:
    """The settlement of each claim; where the cap counts them, in order of (day, subject).

    `left_of` says what the cap leaves where these are not all claims under it.
    """
    if cap is None:
        return [claim.charge(claim.full, None) for claim in claims]
    ordered = sorted(claims, key=lambda claim: (claim.day, subject_of(claim.fact)))
    left = left_of(ordered) if left_of is not None else within_cap([claim.full for claim in ordered], cap, currency)
    return [_settle(case, claim, amount, cap, currency) for claim, amount in zip(ordered, left, strict=True)]


def within_cap(amounts: Sequence[Decimal], cap: Cap, currency: str) -> list[Decimal]:
    """The part of each rounded amount, in canonical order, that the cap lets be charged.

    Amounts of zero or below pass and give room back.
    """
    none = zero(currency)
    room = rounded_money(cap.amount, currency)
    passed = []
    for amount in amounts:
        charged = amount if amount <= 0 else min(amount, max(room, none))
        room -= charged
        passed.append(charged)
    return passed


def _settle(case: RatingContext, claim: Claim, amount: Decimal, cap: Cap, currency: str) -> Settlement:
    """Charged, parked by the cap, or both."""
    if amount == claim.full:
        return claim.charge(amount, None)
    match cap.policy:
        case "absorb":
            return claim.charge(amount, OVER_CAP)
        case "park":
            return _parked_beyond(case, claim, amount, f"{plain(cap.amount)} {currency}", currency)
        case _:
            assert_never(cap.policy)


def _parked_beyond(case: RatingContext, claim: Claim, amount: Decimal, limit: str, currency: str) -> Settlement:
    unbilled = claim.full - amount
    rejection = Rejection(CAP_EXCEEDED, f"{unbilled} {currency} are beyond the cap of {limit}.")
    if not amount and not claim.has_covered_minutes:
        return case.parked(claim.fact, rejection, claim.minutes, unbilled)
    # The charge carries all the minutes, so what is held back holds none.
    held = case.held(claim.fact, subject_of(claim.fact), rejection, 0, unbilled)
    return replace(claim.charge(amount, None), parked=held)
