"""An equal revision with different content never replaces the first seen: it is an exception of its own (DOMAIN §1).

Subject `conflict:TOPIC:ID`, beside whatever charge there is; closed by the next higher revision. The engagement is
empty for a master.
"""

from rating.model.charge import Parked
from streaming.state_tables import StateRows, StateTable
from tables.settlement.exception_record import StandingException
from topics import state_keys

CONFLICTS = StateTable(state_keys.CONFLICTS, StandingException)  # (engagement, subject) -> the open exception


def conflict_subject(topic: str, id_: str) -> str:
    """The exception's subject."""
    return f"conflict:{topic}:{id_}"


def raise_conflict(
    state: StateRows, engagement_id: str, topic: str, id_: str, revision: int, owner: str, now_ms: int
) -> StandingException | None:
    """Note the conflict; the exception to publish, or None when it was told before."""
    subject = conflict_subject(topic, id_)
    if CONFLICTS.get(state, engagement_id, subject) is not None:
        return None
    told = StandingException(_parked(topic, id_, revision, owner), now_ms, attempts=1)
    CONFLICTS.put(state, told, engagement_id, subject)
    return told


def close_conflict(state: StateRows, engagement_id: str, topic: str, id_: str) -> StandingException | None:
    """A higher revision came: the exception to publish as resolved, or None when none was open."""
    subject = conflict_subject(topic, id_)
    before = CONFLICTS.get(state, engagement_id, subject)
    if before is not None:
        CONFLICTS.delete(state, engagement_id, subject)
    return before


def _parked(topic: str, id_: str, revision: int, owner: str) -> Parked:
    return Parked(
        code="SAME_REVISION_DIFFERENT_CONTENT",
        message=f"revision {revision} of {id_} came twice on {topic} with different content; "
        "the first seen stands until a higher revision arrives",
        missing=None,
        amount_at_stake=None,
        minutes=0,
        waived=False,
        owner=owner,
        region="",
        revision=revision,
    )
