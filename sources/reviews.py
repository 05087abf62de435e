"""Reviews of source records: whether a record counts, beside what it says. A review is a fact on `source.reviews`.

    publish    it counts
    hold       it waits for a person as POSSIBLE_DUPLICATE and makes nothing
    ask        it counts, and a person is asked as PROPOSED_CORRECTION whether it should
    withdraw   it makes nothing, and neither does any later revision: its source deleted it, or a person removed it

A new record that must not count for a moment before its review arrives carries the hold itself, in its header
`review.hold`; any review of it counts more.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from sources.mapping.errors import Unmappable
from sources.state import SourceRecordState, SystemRows
from topics.topic_names import SOURCE_REVIEWS

Verdict = Literal["publish", "hold", "ask", "withdraw"]
PUBLISH: Verdict = "publish"
HOLD: Verdict = "hold"
ASK: Verdict = "ask"
WITHDRAW: Verdict = "withdraw"

TOPIC = SOURCE_REVIEWS
HEADER = "review.hold"
AGAIN = "it is in the export again"  # the message of a review that no person made
POSSIBLE_DUPLICATE, PROPOSED_CORRECTION = "POSSIBLE_DUPLICATE", "PROPOSED_CORRECTION"
REVIEW = "$review"  # the name of reviews as an entity of the state; no mapping can use it


class Hold(msgspec.Struct, frozen=True):
    """Why a record waits, and the ids of the records of its entity that go if it counts."""

    message: str
    replaces: tuple[str, ...] = ()


def header_of(hold: Hold) -> bytes:
    """The header of a record that waits."""
    return msgspec.json.encode(hold)


def hold_in(headers: Iterable[tuple[str, bytes | None]]) -> Hold | None:
    """The hold that a record carries; None without one, and for one that cannot be read."""
    for name, content in headers:
        if name == HEADER and content is not None:
            try:
                return msgspec.json.decode(content, type=Hold)
            except msgspec.DecodeError:
                return Hold("it came with a hold that cannot be read")
    return None


def key_of(system: str, entity: str, record_id: str) -> str:
    """The key of a review on its topic."""
    return f"{system}:{entity}:{record_id}"


def counts(rows: SystemRows, entity: str, record_id: str, standing: SourceRecordState) -> bool:
    """Whether anything is made of a record."""
    verdict, _ = _stands(rows, entity, record_id, standing)
    return verdict in (PUBLISH, ASK)


def question(rows: SystemRows, entity: str, record_id: str, standing: SourceRecordState) -> Unmappable | None:
    """What a person is asked about a record."""
    verdict, message = _stands(rows, entity, record_id, standing)
    if verdict == HOLD:
        return Unmappable(message, POSSIBLE_DUPLICATE)
    return Unmappable(message, PROPOSED_CORRECTION) if verdict == ASK else None


def _stands(rows: SystemRows, entity: str, record_id: str, standing: SourceRecordState) -> tuple[str, str]:
    review = rows.standing(REVIEW, f"{entity}:{record_id}")
    if review is not None:
        return str(review.record["verdict"]), str(review.record["message"])
    return (PUBLISH, "") if standing.held is None else (HOLD, standing.held)


def review_of(value: Mapping[str, object]) -> tuple[str, str]:
    """(entity, id) that a review is of."""
    return str(value["entity"]), str(value["record_id"])
