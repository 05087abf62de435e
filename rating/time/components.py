"""The parts of a time charge that are priced alike (DOMAIN.md §3, `components`)."""

from collections.abc import Sequence
from decimal import Decimal

from rating.model.charge import Component
from rating.model.enumerations import Reason
from rating.model.money import shares, zero
from rating.model.rating_context import COVERED_BY_RETAINER
from rating.time.amounts import weight
from rating.time.multipliers import Segment


def components(
    segments: Sequence[Segment], rate: Decimal, full: Decimal, amount: Decimal, currency: str, over_cap: Reason | None
) -> tuple[Component, ...]:
    """The components of a charge of `amount` out of `full`; they sum to `amount`.

    What a cap cuts is cut from the last parts, and `over_cap` is the reason of those.
    """
    if len(segments) == 1:
        return (_component(segments[0], rate, amount, over_cap),)
    wholes = shares(full, [weight(part) for part in segments], currency)
    none = zero(currency)
    cut = full - amount
    found: list[Component] = []
    for part, whole in zip(reversed(segments), reversed(wholes), strict=True):
        less = min(cut, max(whole, none))
        cut -= less
        found.append(_component(part, rate, whole - less, over_cap if less else None))
    found.reverse()
    return tuple(found)


def _component(part: Segment, rate: Decimal, amount: Decimal, over_cap: Reason | None) -> Component:
    reason: Reason | None = COVERED_BY_RETAINER if part.covered else over_cap
    return Component(part.minutes, rate, part.multiplier.factor, amount, reason)
