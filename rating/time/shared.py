"""What an engagement shares out over all its time, where only some of that time is settled.

`settle` works it out by itself when it is given all facts that a cap or a retainer couples. A caller who keeps sums of
them gives only some facts, and says what falls on these.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rating.model.facts import TimeEntry
from rating.time.caps import Claim


@dataclass(frozen=True, slots=True)
class Shared:
    """`left_of`: what the cap leaves of claims in order of (day, subject). `covered_of`: the minutes that the retainer
    covers of entries in canonical order, given their billable minutes. None: the facts are all there are.
    """

    left_of: Callable[[Sequence[Claim]], Sequence[Decimal]] | None = None
    covered_of: Callable[[Sequence[TimeEntry], Sequence[int]], Sequence[int]] | None = None


WHOLE = Shared()
