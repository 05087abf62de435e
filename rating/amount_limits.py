"""Amounts no record can carry: beyond decimal(18,6), twelve digits before the point (DOMAIN.md, Conventions).

Facts that keep their schema can still multiply to such an amount, by mistake: the subject is parked as INVALID,
visible and correctable, instead of stopping everybody behind it.
"""

from dataclasses import replace
from decimal import Decimal

from rating.model.charge import Charge, Settlement
from rating.model.facts import Decision, Facts, each, subjects_of
from rating.model.rating_context import RatingContext, Rejection

LIMIT = Decimal(10) ** 12


def park_oversized(case: RatingContext, facts: Facts, subjects: dict[str, Settlement]) -> None:
    """Park, in place, every subject whose charge or stake is beyond the limit."""
    unbearable = [subject for subject, settlement in subjects.items() if not _is_bearable(settlement)]
    if not unbearable:
        return
    subject_facts = (fact for fact in each(facts) if not isinstance(fact, Decision))
    by_subject = {subject: fact for fact in subject_facts for subject in subjects_of(fact)}
    message = f"the amount has more than 12 digits before the point, beyond {LIMIT:f}: correct the facts or the rate"
    for subject in unbearable:
        before = subjects[subject]
        if before.charge is None and before.parked is not None:
            subjects[subject] = replace(before, parked=replace(before.parked, amount_at_stake=None))
        else:
            rejection = Rejection("INVALID", message)
            subjects[subject] = case.parked(by_subject[subject], rejection, before.worked_minutes, subject=subject)


def _is_bearable(settlement: Settlement) -> bool:
    charge, parked = settlement.charge, settlement.parked
    if charge is not None and not _fits(charge):
        return False
    return parked is None or parked.amount_at_stake is None or abs(parked.amount_at_stake) < LIMIT


def _fits(charge: Charge) -> bool:
    return abs(charge.amount) < LIMIT and all(abs(part.amount) < LIMIT for part in charge.components)
