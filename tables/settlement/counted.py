"""What subjects count for in the sums of a coupled scope, as it was when they were last settled.

So a subject that changes, moves or goes is taken out of the sums where it was put in.
"""

import msgspec

from streaming.state_tables import Numbers, StateRows, StateTable
from tables.settlement.bucket_store import OUTCOMES, TIME
from tables.settlement.line_sums import LINES
from tables.settlement.shared_terms import SharedTerms
from tables.settlement.sum_tree import NODES
from topics import state_keys


class Counted(msgspec.Struct, array_like=True, frozen=True):
    """The key of a subject (its day, then itself); its billable minutes, its line and weight there, its amount under a
    cap, and its charge. None where it is not among them. Money is in minor units.
    """

    key: str
    minutes: int | None = None
    line: str | None = None
    weight: int = 0
    amount: int | None = None
    charged: int = 0


SUMMED: StateTable[SharedTerms | int] = StateTable(state_keys.SUMMED, SharedTerms | int)  # type: ignore[arg-type]
# (engagement, month of the scope if it has one) -> its terms; an int is an earlier form, whose sums are made anew
COUNTED = StateTable(state_keys.COUNTED, bytes)  # (engagement, bucket) -> JSON, whose integers have no largest one
CHARGED = Numbers(state_keys.CHARGED)  # (engagement, month) -> what its time is charged, in minor units
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Counted]).decode


def counted_in(state: StateRows, engagement_id: str, bucket: str) -> dict[str, Counted]:
    """What the subjects of a bucket count for."""
    row = COUNTED.get(state, engagement_id, bucket)
    return {} if row is None else _decode(row)


def count(state: StateRows, engagement_id: str, bucket: str, counted: dict[str, Counted]) -> None:
    """Keep what the subjects of a bucket count for."""
    if counted:
        COUNTED.put(state, _encode(counted), engagement_id, bucket)
    else:
        COUNTED.delete(state, engagement_id, bucket)


def forget(state: StateRows, engagement_id: str, month: str = "") -> None:
    """Forget the sums of a month's scope, or with no month those of every scope of the engagement."""
    for terms, _ in list(SUMMED.scan_packed(state, engagement_id)):
        if not month or terms[1:] == (month,):
            SUMMED.delete(state, *terms)
    for (_, bucket), _ in list(COUNTED.scan_packed(state, engagement_id)):
        if not month or (bucket.startswith(TIME) and bucket[-10:-3] == month):
            COUNTED.delete(state, engagement_id, bucket)
    for (_, tree, node), _ in list(NODES.scan_packed(state, engagement_id)):
        if tree.startswith(f"{LINES}{month}") or not (month or tree.startswith(OUTCOMES)):
            NODES.delete(state, engagement_id, tree, node)
    for (_, of_month), _ in list(CHARGED.scan_packed(state, engagement_id)):
        if not month or of_month == month:
            CHARGED.delete(state, engagement_id, of_month)


def forget_any(state: StateRows, engagement_id: str) -> None:
    """Forget all sums of an engagement whose terms couple nothing any more; cheap where it has none."""
    if next(iter(SUMMED.scan_packed(state, engagement_id)), None) is not None:
        forget(state, engagement_id)
