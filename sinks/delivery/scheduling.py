"""Chooses the waiting charges of the next call. Pure, so that the order can be tested by itself.

The charges of an engagement are offered in the order of the stream, each only when those before it are answered. A
refused charge counts as answered. It blocks only its own reversal, which must not be posted without it. So a reversal
is offered only once its charge is posted, and never in the same call.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from storage.charge_batch import ChargeRecord


@dataclass(slots=True)
class QueuedCharge:
    """A charge to offer. `undoes` is the state at this target of the charge it reverses, None where there is none."""

    seq: int
    charge: ChargeRecord
    attempts: int
    alone: bool
    undoes: str | None

    @property
    def engagement_id(self) -> str:
        """Whose order it is in."""
        return self.charge["engagement_id"]


def choose(
    waiting: Sequence[QueuedCharge],
    busy: Collection[str],
    largest: int,
    group_of: Callable[[ChargeRecord], str],
    probing: bool = False,
) -> list[QueuedCharge]:
    """The charges of the next call, in the order to offer them; none where all must wait.

    `waiting` is in the order of `seq`, and holds of an engagement the first ones that wait; `busy` are engagements with
    a call on its way. A probe is one charge: of those that may be offered, the one least often tried, so that a charge
    that the target chokes on does not keep it shut for the others.
    """
    if probing:
        heads = choose_heads(waiting, busy)
        return [min(heads, key=lambda head: (head.attempts, head.seq))] if heads else []
    stopped, chosen, ids = set(busy), list[QueuedCharge](), set[str]()
    group = ""
    for row in waiting:
        if row.engagement_id in stopped:
            continue
        shares = not chosen or (not row.alone and group_of(row.charge) == group)
        if not shares or _must_wait(row) or row.charge["reverses"] in ids:
            stopped.add(row.engagement_id)
            continue
        group = group if chosen else group_of(row.charge)
        chosen.append(row)
        ids.add(row.charge["charge_id"])
        if row.alone or len(chosen) == largest:
            break
    return chosen


def choose_heads(waiting: Sequence[QueuedCharge], busy: Collection[str]) -> list[QueuedCharge]:
    """The first charge of each engagement that has none on its way, where it may be offered."""
    seen, heads = set(busy), list[QueuedCharge]()
    for row in waiting:
        if row.engagement_id not in seen:
            seen.add(row.engagement_id)
            heads += [] if _must_wait(row) else [row]
    return heads


def _must_wait(row: QueuedCharge) -> bool:
    return row.undoes not in (None, "posted")
