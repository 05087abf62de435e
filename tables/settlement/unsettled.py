"""A scope that the rules cannot settle although no record is to blame: its subjects are parked, its charges stay.

A defect of a rule, met when a master changes, must not stop what is beside it. Any later change of the scope or of a
master it looked at settles it again, and closes the exceptions when that succeeds.
"""

from collections.abc import Sequence

from rating.model.charge import Parked
from rating.model.facts import Decision, TimeEntry
from streaming.dead_letters import explained
from tables.settlement.bucket import Published, approved_minutes
from tables.settlement.large_bucket import Bucket
from topics.dead_letter_record import clean

SETTLEMENT_FAILED = "SETTLEMENT_FAILED"
_LONGEST_MESSAGE = 1_000  # characters
_UNSAID = Published()


def failed(error: Exception, minutes: int) -> Parked:
    """The exception of a subject that could not be settled, holding back `minutes`."""
    return Parked(
        code=SETTLEMENT_FAILED,
        message=clean(f"the rules failed here: {explained(error)}")[:_LONGEST_MESSAGE],
        missing=None,
        amount_at_stake=None,
        minutes=minutes,
        waived=False,
        owner="",
        region="",
        revision=1,
    )


def has_failed(scope: Sequence[Bucket]) -> bool:
    """Whether the scope could not be settled when it was last tried."""
    said = (bucket.published(subject) or _UNSAID for bucket in scope for subject in bucket.subjects())
    return any(each.exception is not None and each.exception.parked.code == SETTLEMENT_FAILED for each in said)


def unsettled_minutes(bucket: Bucket) -> dict[str, int]:
    """{subject: its approved minutes that no charge has} of every subject of a bucket that has something to settle."""
    found = dict[str, int]()
    for name in bucket.subjects():
        told, published = bucket.told(name), bucket.published(name)
        if told is None or isinstance(told.fact, Decision):
            continue
        if not isinstance(told.fact, TimeEntry) or told.fact.status == "approved" or published is not None:
            found[name] = max(approved_minutes(told.fact) - (published or _UNSAID).minutes, 0)
    return found
