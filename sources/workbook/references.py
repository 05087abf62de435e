"""Which fields name a record of another topic, and which lists inside records name one."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from topics import topic_names as names

REFERENCES: Mapping[tuple[str, str], str] = {
    (names.MASTER_CLIENTS, "default_rate_card_id"): names.MASTER_RATE_CARDS,
    (names.MASTER_ENGAGEMENTS, "client_id"): names.MASTER_CLIENTS,
    (names.MASTER_ENGAGEMENTS, "legal_entity"): names.MASTER_LEGAL_ENTITIES,
    (names.MASTER_ENGAGEMENTS, "rate_card_id"): names.MASTER_RATE_CARDS,
    (names.MASTER_ENGAGEMENTS, "holiday_calendar"): names.MASTER_CALENDARS,
    (names.MASTER_ENGAGEMENTS, "expense_policy_id"): names.MASTER_EXPENSE_POLICIES,
    (names.MASTER_TASKS, "engagement_id"): names.MASTER_ENGAGEMENTS,
    (names.MASTER_RATE_CARDS, "lines.consultant_id"): names.MASTER_CONSULTANTS,
    (names.MASTER_RATE_CARDS, "lines.task_id"): names.MASTER_TASKS,
    (names.TIME_ENTRIES, "engagement_id"): names.MASTER_ENGAGEMENTS,
    (names.TIME_ENTRIES, "task_id"): names.MASTER_TASKS,
    (names.TIME_ENTRIES, "consultant_id"): names.MASTER_CONSULTANTS,
    (names.EXPENSES, "engagement_id"): names.MASTER_ENGAGEMENTS,
    (names.EXPENSES, "consultant_id"): names.MASTER_CONSULTANTS,
    (names.MILESTONES, "engagement_id"): names.MASTER_ENGAGEMENTS,
    (names.OUTCOMES, "engagement_id"): names.MASTER_ENGAGEMENTS,
    (names.ADJUSTMENTS, "engagement_id"): names.MASTER_ENGAGEMENTS,
    (names.BILLING_PERIODS, "engagement_id"): names.MASTER_ENGAGEMENTS,
    (names.EXCEPTION_DECISIONS, "engagement_id"): names.MASTER_ENGAGEMENTS,
    (names.BILLING_HOLDS, "engagement_id"): names.MASTER_ENGAGEMENTS,
}
"""(topic, path of the field, without places in lists) -> the topic whose id it is."""

_KINDS: Mapping[str, str] = {
    "client": names.MASTER_CLIENTS,
    "consultant": names.MASTER_CONSULTANTS,
    "engagement": names.MASTER_ENGAGEMENTS,
    "task": names.MASTER_TASKS,
}


class Reference(NamedTuple):
    """A field that names a record: its path with places in lists, the record's topic and its id."""

    path: str
    topic: str
    id: str


def references_of(topic: str, record: Mapping[str, Any]) -> Iterator[Reference]:
    """Every reference of a record in JSON form; what is no text names nothing."""
    for (of_topic, path), wanted in REFERENCES.items():
        if of_topic == topic:
            yield from (Reference(at, wanted, value) for at, value in _values(record, path) if value)
    if topic == names.MASTER_CODE_MAP and (kind := _KINDS.get(str(record.get("kind")))) is not None:
        yield from (Reference("canonical_id", kind, value) for _, value in _values(record, "canonical_id") if value)


def _values(record: object, path: str) -> Iterator[tuple[str, str]]:
    head, _, rest = path.partition(".")
    held = record.get(head) if isinstance(record, Mapping) else None
    if not rest:
        if isinstance(held, str):
            yield head, held
        return
    for place, item in enumerate(held if isinstance(held, list) else ()):
        yield from ((f"{head}[{place}].{at}", value) for at, value in _values(item, rest))
