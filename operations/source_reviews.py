"""Decides on source records that wait as possible duplicates, or that are proposed to be withdrawn."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from common.errors import InvalidRecord
from operations.decisions import Why
from rating.time.advisories import duplicate_subject
from sources import reviews
from sources.mapping import catalogue
from streaming.publisher import RecordPublisher
from streaming.topic_reader import read_valid
from topics import topic_names

Outcome = Literal["correction", "both", "duplicate"]
OUTCOMES: tuple[Outcome, ...] = ("correction", "both", "duplicate")


def decide_source_record(broker: str, subject: str, outcome: Outcome, why: Why) -> list[str]:
    """Publish the reviews that settle a question about `source:SYSTEM:ENTITY:ID`; gives their keys.

    Of a record that waits: `correction` lets it count and withdraws those it replaces, `both` lets all count,
    `duplicate` withdraws it. Of one that is gone from an export: `both` keeps it, the others withdraw it. Raises
    InvalidRecord.
    """
    system, entity, record_id = _parts(subject)
    hold, review = _standing(broker, system, entity, record_id)
    verdict = None if review is None else str(review["verdict"])
    if verdict in (reviews.PUBLISH, reviews.WITHDRAW) or (verdict is None and hold is None):
        raise InvalidRecord(f"nothing is asked about {subject}; see `hourstream exceptions list --each`")
    if verdict == reviews.ASK:
        decided = {record_id: reviews.PUBLISH if outcome == "both" else reviews.WITHDRAW}
    else:
        decided = {record_id: reviews.WITHDRAW if outcome == "duplicate" else reviews.PUBLISH}
        replaced = list(hold.replaces) if hold is not None else []
        if review is not None and isinstance(review["replaces"], list):
            replaced = [str(each) for each in review["replaces"]]
        if outcome == "correction" and not replaced:
            raise InvalidRecord(f"{subject} replaces no record; say `both` or `duplicate`")
        decided |= dict.fromkeys(replaced, reviews.WITHDRAW if outcome == "correction" else reviews.PUBLISH)
    publisher, keys = RecordPublisher(broker), list[str]()
    # Withdrawals first, so that no work counts twice in between.
    for own, said in sorted(decided.items(), key=lambda each: each[1] == reviews.PUBLISH):
        keys.append(reviews.key_of(system, entity, own))
        record = {
            "system": system,
            "entity": entity,
            "record_id": own,
            "verdict": said,
            "message": why.reason,
            "replaces": [],
            "by": why.by,
            "occurred_at": _now(),
        }
        publisher.publish(reviews.TOPIC, keys[-1], record)
    publisher.finish()
    return keys


def decide_duplicate(broker: str, engagement_id: str, entry_id: str, outcome: Outcome, why: Why) -> list[str]:
    """Publish the hold that settles `duplicate:ENTRY`: `both` releases it, `duplicate` keeps it for good."""
    if outcome == "correction":
        raise InvalidRecord("an entry of another source corrects nothing; say `both` or `duplicate`")
    hold_id, last = duplicate_subject(entry_id), dict[str, object]()
    for _, value in read_valid(broker, [topic_names.BILLING_HOLDS]):
        if (value["engagement_id"], value["hold_id"]) == (engagement_id, hold_id):
            last = value if value["revision"] >= int(str(last.get("revision", 0))) else last
    if last.get("status") != "held":
        raise InvalidRecord(f"{hold_id} of {engagement_id!r} is not held; give its engagement with --engagement")
    record = {
        "hold_id": hold_id,
        "engagement_id": engagement_id,
        "subject": f"time:{entry_id}",
        "status": "released" if outcome == "both" else "held",
        "reason": why.reason,
        "by": why.by,
        "source": why.source,
        "revision": int(str(last["revision"])) + 1,
        "occurred_at": _now(),
    }
    publisher = RecordPublisher(broker)
    publisher.publish(topic_names.BILLING_HOLDS, engagement_id, record)
    publisher.finish()
    return [hold_id]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parts(subject: str) -> tuple[str, str, str]:
    kind, _, rest = subject.partition(":")
    parts = rest.split(":", 2)
    if kind != "source" or len(parts) != 3:
        raise InvalidRecord(f"{subject} is no source record: give source:SYSTEM:ENTITY:ID, as `exceptions list` has it")
    return parts[0], parts[1], parts[2]


def _standing(
    broker: str, system: str, entity: str, record_id: str
) -> tuple[reviews.Hold | None, Mapping[str, object] | None]:
    """The hold that the record came with, and the last review of it."""
    mapping = catalogue.load(system)
    if entity not in mapping.entities:
        raise InvalidRecord(f"{system} has no records called {entity}; there are {', '.join(mapping.entities)}")
    hold: reviews.Hold | None = None
    review: Mapping[str, object] | None = None
    for record, value in read_valid(broker, [mapping.entities[entity].topic, reviews.TOPIC]):
        if record.topic == reviews.TOPIC:
            if (value["system"], *reviews.review_of(value)) == (system, entity, record_id):
                review = value
        elif record.key == record_id.encode():
            hold = reviews.hold_in(record.headers) or hold
    return hold, review
