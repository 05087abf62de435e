"""Numbers canonical records: compares the new result of a source record with its last publication (DOMAIN §1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sources.derive import DerivedRecord
from sources.mapping.contracts import Checked, Contracts, Json
from sources.mapping.errors import Unmappable
from sources.state import PublishedRecord, SourceOrigin
from topics import topic_names

# The status of a withdrawn transaction. Masters and periods have none: their last revision stands.
_GONE: Mapping[str, str] = {
    topic_names.TIME_ENTRIES: "withdrawn",
    topic_names.EXPENSES: "withdrawn",
    topic_names.OUTCOMES: "withdrawn",
    topic_names.ADJUSTMENTS: "withdrawn",
    topic_names.MILESTONES: "reopened",
}


@dataclass(frozen=True, slots=True)
class Canonical:
    """A record to publish: Python form, with the source record it comes from (`ENTITY:ID`) and that one's revision."""

    topic: str
    key: str
    record: dict[str, Any]
    origin: SourceOrigin
    source_record: str
    source_revision: int | str | None


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A canonical record in its new revision; `published` is the value to keep of it."""

    identity: str
    published: PublishedRecord
    checked: Checked


def changes(
    system: str, contracts: Contracts, before: Mapping[str, PublishedRecord], derived: list[DerivedRecord]
) -> tuple[NewRevision, ...]:
    """New revisions, withdrawals first, so that no work counts twice in between.

    Equal content (all but occurred_at) is no change. With an earlier occurred_at it is a repeat of the last revision,
    since the earliest of equal repeats counts (DOMAIN.md §1.4). Unmappable when a record does not fit its contract, or
    when two have the same identity.
    """
    found: dict[str, NewRevision] = {}
    for made in derived:
        change = _numbered(system, contracts, before, made.topic, made.content)
        if change.identity in found:
            raise Unmappable(
                f"two records of {made.topic} with the id {change.checked.identity} are made of one record"
            )
        found[change.identity] = change
    gone = (_withdrawn(system, contracts, before, last) for name, last in before.items() if name not in found)
    renewed = (_to_publish(before.get(change.identity), change) for change in found.values())
    return tuple(change for change in (*gone, *renewed) if change is not None)


def _numbered(
    system: str, contracts: Contracts, before: Mapping[str, PublishedRecord], topic: str, content: dict[str, Json]
) -> NewRevision:
    try:
        checked = contracts.checked(topic, {**content, "source": system, "revision": 1})
    except ValueError as unfit:
        raise Unmappable(str(unfit)) from None
    identity = f"{topic}\0{checked.key}\0{checked.identity}"
    last = before.get(identity)
    revision = 1 if last is None else last.revision + 1
    checked.record["revision"] = revision
    return NewRevision(identity, PublishedRecord(topic, revision, content), checked)


def _withdrawn(
    system: str, contracts: Contracts, before: Mapping[str, PublishedRecord], last: PublishedRecord
) -> NewRevision | None:
    status = _GONE.get(last.topic)
    if status is None or last.content.get("status") == status:
        return None
    return _numbered(system, contracts, before, last.topic, {**last.content, "status": status})


def _to_publish(last: PublishedRecord | None, change: NewRevision) -> NewRevision | None:
    """The change if the content is new, the last revision again if it is earlier; else None."""
    content = change.published.content
    if last is None or {**content, "occurred_at": None} != {**last.content, "occurred_at": None}:
        return change
    if last.topic.startswith("master.") or _occurred_at(content) >= _occurred_at(last.content):
        return None
    change.checked.record["revision"] = last.revision
    return NewRevision(change.identity, PublishedRecord(last.topic, last.revision, content), change.checked)


def _occurred_at(content: Mapping[str, Json]) -> datetime:
    return datetime.fromisoformat(str(content["occurred_at"]))
