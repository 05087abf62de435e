"""What a cap leaves of amounts of an engagement (DOMAIN.md §2 rule 11)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import assert_never

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
    left: Sequence[Decimal] | None = None,
) -> list[Settlement]:
    """The settlement of each claim, in canonical order (`in_order`).

    `left` is what the cap leaves of each; None where these are all claims under it.
    """
    if cap is None:
        return [claim.charge(claim.full, None) for claim in claims]
    if left is None:
        left = within_cap([claim.full for claim in claims], cap, currency)
    return [_settle(case, claim, amount, cap, currency) for claim, amount in zip(claims, left, strict=True)]


def in_order(claims: Iterable[Claim]) -> list[Claim]:
    """Claims in the order in which a cap limits them: (day, subject)."""
    return sorted(claims, key=lambda claim: (claim.day, subject_of(claim.fact)))


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
            return _parked_beyond(case, claim, amount, currency)
        case _:
            assert_never(cap.policy)


def _parked_beyond(case: RatingContext, claim: Claim, amount: Decimal, currency: str) -> Settlement:
    unbilled = claim.full - amount
    # The cap itself is not named: a higher one must change no exception but those that it resolves or makes smaller.
    rejection = Rejection(CAP_EXCEEDED, f"{unbilled} {currency} are beyond the engagement's cap.")
    if not amount and not claim.has_covered_minutes:
        return case.parked(claim.fact, rejection, claim.minutes, unbilled)
    # The charge carries all the minutes, so what is held back holds none.
    held = case.held(claim.fact, subject_of(claim.fact), rejection, 0, unbilled)
    return replace(claim.charge(amount, None), parked=held)
