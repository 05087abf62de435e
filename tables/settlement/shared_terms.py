"""The terms by which the sums of a coupled scope were made, kept beside them.

Where only a number of them is another one now (the amount of a cap, the minutes of a retainer) sums go on, and what
that displaces is found by them. Under any other change they are made anew.
"""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256

import msgspec

from rating.model.master_data import Engagement
from rating.model.money import in_minor_units, rounded_money

_ZERO = Decimal(0)


class RetainerTerms(msgspec.Struct, array_like=True, frozen=True):
    """The numbers of a retainer."""

    included_minutes: int
    rollover_months: int


class SharedTerms(msgspec.Struct, array_like=True, frozen=True):
    """A cap in minor units, as text since it may be of any size; a retainer; a digest of all other terms."""

    cap: str | None
    retainer: RetainerTerms | None
    others: str

    @property
    def cap_units(self) -> int | None:
        """The cap in minor units."""
        return None if self.cap is None else int(self.cap)


@lru_cache(maxsize=4096)
def shared_terms(engagement: Engagement) -> SharedTerms:
    """The terms of an engagement that are shared, as they are now."""
    cap, retainer, currency = engagement.cap, engagement.retainer, engagement.currency
    others = replace(
        engagement,
        cap=None if cap is None else replace(cap, amount=_ZERO),
        retainer=None if retainer is None else replace(retainer, included_minutes=0, rollover_months=0),
        minimum=None if engagement.minimum is None else replace(engagement.minimum, amount=_ZERO),
        # No settlement of time or expenses differs by these.
        name="",
        milestones=(),
        outcomes=(),
        source="",
        revision=0,
        occurred_at=datetime.min.replace(tzinfo=UTC),
    )
    return SharedTerms(
        None if cap is None else str(in_minor_units(rounded_money(cap.amount, currency), currency)),
        None if retainer is None else RetainerTerms(retainer.included_minutes, retainer.rollover_months),
        sha256(repr(others).encode()).hexdigest()[:32],
    )
