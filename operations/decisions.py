"""Decisions about exceptions as records on the stream, for command line and console alike."""

import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from common.errors import InvalidRecord
from privacy.encrypt import Encryption
from rating.time.advisories import is_advisory
from schemas.bounds import MOST_TEXT
from sources.mapping.code_map import CODE_MAP, key_of
from streaming.publisher import RecordPublisher
from streaming.topic_reader import read_all
from topics import topic_names
from topics.dead_letter_record import clean
from topics.records import valid

DECISIONS = topic_names.EXCEPTION_DECISIONS
Decision = Literal["waive", "retry"]
_ONE_AT_A_TIME = threading.Lock()  # a code's revisions count up


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a decision, in the revision that the person saw."""

    engagement_id: str
    subject: str
    revision: int


@dataclass(frozen=True, slots=True)
class Why:
    """The person and the reason; `source` is the place of the decision."""

    by: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class CodeMapped:
    """The result of a mapping; `new` is False if the code had that id already."""

    key: str
    canonical_id: str
    revision: int
    new: bool


def refusal(subject: str) -> str | None:
    """Why nothing is decided on a subject, and what helps instead; None where decisions are taken."""
    if subject.startswith("posting:"):
        again = f"hourstream deliveries replay {subject.removeprefix('posting:')}"
        return f"repair the refusal in the system that refused, then `{again}`"
    if subject.startswith("duplicate:"):
        return f"say which it is: `hourstream exceptions decide {subject} both` or `duplicate`, with --engagement"
    if is_advisory(subject):
        return f"{subject} is a warning: it holds nothing back, and resolves by itself once the entries are corrected"
    return None


def publish_decisions(broker: str, decision: Decision, subjects: Iterable[Subject], why: Why, request: str = "") -> int:
    """Publish a decision on each subject; gives their number once the broker has them. Raises KafkaException.

    A `request` that is made again gives its decisions the ids they had.
    """
    publisher = RecordPublisher(broker)
    for each in subjects:
        record = {
            "decision_id": str(_id_of(request, each)),
            "engagement_id": each.engagement_id,
            "subject": each.subject,
            "subject_revision": each.revision,
            "decision": decision,
            "reason": why.reason,
            "by": why.by,
            "source": why.source,
            "revision": 1,
            "occurred_at": _now(),
        }
        publisher.publish(DECISIONS, each.engagement_id, record)
    publisher.finish()
    return publisher.published


def _id_of(request: str, on: Subject) -> uuid.UUID:
    named = "\0".join((request, on.engagement_id, on.subject, str(on.revision)))
    return uuid.uuid5(uuid.NAMESPACE_URL, named) if request else uuid.uuid4()


def map_code(
    broker: str, system: str, kind: str, code: str, canonical_id: str, why: Why, sealing: Encryption | None = None
) -> CodeMapped:
    """Publish the next revision of a code, unless it says nothing new. Raises InvalidRecord, KafkaException.

    With a `sealing`, a person's name is mapped as their token.
    """
    if not (system and code and canonical_id):
        raise InvalidRecord("the system, the code and the id it stands for must not be empty")
    code = code if sealing is None else sealing.code(system, kind, code)
    key = key_of(system, kind, code)
    with _ONE_AT_A_TIME:
        standing = standing_mapping(broker, key)
        if standing is not None and standing["canonical_id"] == canonical_id:
            return CodeMapped(key, canonical_id, int(str(standing["revision"])), new=False)
        revision = 1 if standing is None else int(str(standing["revision"])) + 1
        value = {
            "system": system,
            "kind": kind,
            "code": code,
            "canonical_id": canonical_id,
            "source": why.source,
            "revision": revision,
            "occurred_at": _now(),
        }
        publisher = RecordPublisher(broker, sealing)
        publisher.publish(CODE_MAP, key, value, {"by": why.by, "reason": why.reason})
        publisher.finish()
    return CodeMapped(key, canonical_id, revision, new=True)


def check_text(what: str, text: str) -> None:
    """Raises InvalidRecord for a text that no record may hold (DOMAIN §1.10)."""
    if "\0" in text or len(text) > MOST_TEXT:
        raise InvalidRecord(f"give {what} in at most {MOST_TEXT:,} characters, without U+0000")


def standing_mapping(broker: str, key: str) -> dict[str, object] | None:
    """The winning revision of a code on the code map."""
    of_key = (record for record in read_all(broker, [CODE_MAP]) if record.key == clean(key).encode())
    found = [value for _, value in valid(of_key)]
    return max(found, key=lambda value: int(str(value["revision"])), default=None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
