"""Every topic of the project: its key, owner, retention and schema.

Keys and identities are those of DOMAIN.md §1. Only compacted state ever expires: a position that retention deleted
would be a loss.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from common.errors import InvalidRecord
from schemas import bounds
from schemas.bound_checks import Fault, fault, shortened
from schemas.registry import released_ids, subject_of, topic_of, working_files
from topics import topic_names

DEFAULT_PARTITIONS = 4
# Bytes of a record. Kafka's own limit is 1,048,588; a row of state holds a whole record and something beside it.
LARGEST_RECORD = 1_000_000
LARGEST_UPSTREAM = 500_000  # of a source record: the state holds it together with its results

# Windows and metrics go by the time of the append; the broker sets it.
_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}
KEPT: Mapping[str, str] = {**_APPEND_TIME, "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
COMPACTED: Mapping[str, str] = {**_APPEND_TIME, "cleanup.policy": "compact"}


@dataclass(frozen=True)
class Topic:
    """A declaration; `key` and `id` name the fields that make them, joined by ":"."""

    name: str
    key: tuple[str, ...]
    id: tuple[str, ...]
    subject: str | None
    partitions: int
    config: Mapping[str, str]
    owner: str
    data_class: str
    doc: str


def _spread(name: str, id_field: str, owner: str, data_class: str, doc: str) -> Topic:
    """Keyed by engagement, in as many partitions as the setting says: all of an engagement shares one."""
    return Topic(
        name, ("engagement_id",), (id_field,), subject_of(name), DEFAULT_PARTITIONS, KEPT, owner, data_class, doc
    )


def _single(name: str, id_fields: str, owner: str, data_class: str, doc: str) -> Topic:
    """Keyed by its own id, in one partition: one total order."""
    fields = tuple(id_fields.split(":"))
    return Topic(name, fields, fields, subject_of(name), 1, KEPT, owner, data_class, doc)


_MASTERS = (
    _single("master.clients", "client_id", "sales", "confidential", "Clients: who is invoiced."),
    _single("master.legal-entities", "legal_entity_id", "finance", "internal", "Companies of the firm that sell."),
    _single("master.consultants", "consultant_id", "people", "personal", "Consultants and their grades."),
    _single("master.engagements", "engagement_id", "delivery", "confidential", "Contracts and how they are billed."),
    _single("master.tasks", "task_id", "delivery", "internal", "Tasks of engagements."),
    _single("master.rate-cards", "rate_card_id", "finance", "confidential", "Prices of work over time."),
    _single("master.expense-policies", "expense_policy_id", "finance", "internal", "What expenses are passed on."),
    _single("master.per-diems", "per_diem_id", "finance", "public", "Daily rates of places for lodging and meals."),
    _single("master.tax-rules", "tax_rule_id", "finance", "public", "Tax rates of jurisdictions over time."),
    _single("master.fx-rates", "base:quote:date", "finance", "public", "Exchange rates by day."),
    _single("master.calendars", "calendar_id", "people", "public", "Public holidays."),
    _single("master.code-map", "system:kind:code", "operations", "internal", "Codes of systems, for intake only."),
)
_TRANSACTIONS = (
    _spread("time.entries", "entry_id", "delivery", "personal", "Minutes worked."),
    _spread("expenses", "expense_id", "delivery", "personal", "Money spent for engagements."),
    _spread("milestones", "milestone_id", "delivery", "internal", "Milestones reached or taken back."),
    _spread("outcomes", "outcome_id", "delivery", "internal", "Quantities of agreed metrics."),
    _spread("adjustments", "adjustment_id", "finance", "confidential", "Amounts added, minutes replaced."),
    _spread("billing.periods", "period", "finance", "internal", "Months opened and closed for billing."),
    _spread("exception.decisions", "decision_id", "finance", "internal", "What people decided on parked subjects."),
    _spread("billing.holds", "hold_id", "finance", "confidential", "Charges kept out of invoices for a while."),
    _spread("invoice.status", "invoice_id", "finance", "confidential", "Statuses of invoices."),
    _spread("erp.postings", "posting_id", "finance", "internal", "Answers of ERPs to charges."),
)
_PUBLISHED = (
    _spread("billing.ready", "charge_id", "finance", "confidential", "Charges and reversals, append-only."),
    _spread("billing.exceptions", "exception_id", "finance", "confidential", "States of parked subjects."),
    _spread("charge.states", "charge_id", "finance", "confidential", "The state of each charge."),
)
# The advisories agent's own way from entries to persons and back: nothing else reads or writes them.
_ADVISORY = (
    Topic(
        name="time.by-consultant",
        key=("consultant_id",),
        id=("engagement_id", "entry_id"),
        subject=subject_of("time.by-consultant"),
        partitions=DEFAULT_PARTITIONS,
        config=KEPT,
        owner="delivery",
        data_class="personal",
        doc="Approved time by person, over all engagements; internal.",
    ),
    _spread("time.overlaps", "entry_id", "delivery", "personal", "Entries that overlap another one; internal."),
)
_SEALS = (
    _single("billing.seals", "topic:partition:end", "finance", "internal", "Hash chains over append-only topics."),
)
# Reports of other systems on our own work. Billing events are read beside `billing.ready`, so they have as many
# partitions.
_FEEDBACK = (
    Topic(
        name="source.billing.statuses",
        key=("system", "invoice"),
        id=("system", "event_id"),
        subject=subject_of("source.billing.statuses"),
        partitions=DEFAULT_PARTITIONS,
        config=KEPT,
        owner="finance",
        data_class="confidential",
        doc="What billing systems say of invoices: statuses and payments.",
    ),
    _single("source.control", "source:entity:period", "operations", "internal", "How much each source says it sent."),
    _single("source.reviews", "system:entity:record_id", "operations", "internal", "Which source records count."),
)
_TOCK = tuple(
    _single(f"source.tock.{entity}", "id", "delivery", data_class, doc)
    for entity, data_class, doc in (
        ("agencies", "internal", "Tock's client agencies."),
        ("accounting_codes", "internal", "Tock's accounting codes."),
        ("projects", "internal", "Tock's projects."),
        ("users", "personal", "Tock's users, names only."),
        ("userdata", "personal", "Tock's employment data."),
        ("grades", "personal", "Tock's employee grades."),
        ("reporting_periods", "internal", "Tock's weeks."),
        ("timecards", "personal", "Tock's timecards."),
        ("lines", "personal", "Tock's hours by project."),
    )
)
_TAKEN = _single(
    "files.taken", "system:sha256", "operations", "internal", "Files and messages whose rows were published."
)


def _upstream(known: frozenset[str]) -> tuple[Topic, ...]:
    """A topic for each schema of an upstream system not declared above: a new source needs its schemas only."""
    found = []
    files = working_files()  # as they are, so that `hourstream schemas check` can start on an unreleased schema
    for subject in dict.fromkeys((*released_ids(), *sorted(files))):
        name = topic_of(subject)
        if name.startswith("source.") and name not in known:
            schema = json.loads(files[subject].read_bytes())
            found.append(_single(name, "id", str(schema["owner"]), str(schema["data_class"]), str(schema["doc"])))
    return tuple(found)


_KEPT_BY_THE_PLANE = (
    _single("dead.letters", "topic:partition:offset", "operations", "personal", "Records no agent can use, and why."),
    Topic(
        name="masters.current",
        key=(),
        id=(),
        subject=None,
        partitions=1,
        config=COMPACTED,
        owner="operations",
        data_class="personal",
        doc="The winning revision of every master record: key `current_key`, value that record's own bytes.",
    ),
)

_DECLARED = (
    *_MASTERS,
    *_TRANSACTIONS,
    *_PUBLISHED,
    *_ADVISORY,
    *_SEALS,
    *_FEEDBACK,
    *_TOCK,
    *_KEPT_BY_THE_PLANE,
    _TAKEN,
)
TOPICS: dict[str, Topic] = {
    topic.name: topic for topic in (*_DECLARED, *_upstream(frozenset(topic.name for topic in _DECLARED)))
}
MASTERS = tuple(topic.name for topic in _MASTERS)
TRANSACTIONS = tuple(topic.name for topic in _TRANSACTIONS)
SETTLE_INPUTS = (
    "time.entries",
    "expenses",
    "milestones",
    "outcomes",
    "adjustments",
    "billing.periods",
    "exception.decisions",
)
LIFECYCLE_INPUTS = ("billing.ready", "erp.postings", "invoice.status")
ADVISORY_INPUTS = ("time.entries", "time.by-consultant", "time.overlaps", "billing.holds")
METRICS_INPUTS = (
    "time.entries",
    "adjustments",
    "exception.decisions",
    "billing.ready",
    "billing.exceptions",
    "erp.postings",
    "charge.states",
)
FACTS = frozenset({*MASTERS, *TRANSACTIONS})
_SHOWN_FAULTS = 20


def spread_over(partitions: int) -> dict[str, Topic]:
    """The catalogue with every topic of more than one partition in that many (the setting `partitions`)."""
    return {
        name: replace(topic, partitions=partitions) if topic.partitions > 1 else topic for name, topic in TOPICS.items()
    }


def changelog_of(agent: str, partitions: int) -> Topic:
    """The compacted changelog of an agent's state; as many partitions as its inputs have."""
    return Topic(
        name=f"hourstream.{agent}.changelog",
        key=(),
        id=(),
        subject=None,
        partitions=partitions,
        config=COMPACTED,
        owner="operations",
        data_class="personal",
        doc=f"State of the {agent} agent, row by row; its keys and values are the agent's own.",
    )


def current_key(master_topic: str, identity: str) -> str:
    """The key of a master record on `masters.current`."""
    return f"{master_topic}:{identity}"


def identity(topic: str, record: Mapping[str, object]) -> str:
    """The record's id: of a master unique in its topic, of a transaction within its engagement (DOMAIN.md §1)."""
    return _joined(TOPICS[topic].id, record)


def key_of(topic: str, record: Mapping[str, object]) -> str:
    """The Kafka key of a record, to be sent as UTF-8."""
    return _joined(TOPICS[topic].key, record)


def _joined(fields: tuple[str, ...], record: Mapping[str, object]) -> str:
    if len(fields) == 1:
        return str(record[fields[0]])
    return ":".join(str(record[field]) for field in fields)


def check(topic: str, key: bytes | None, record: Mapping[str, object]) -> None:
    """Hold a decoded record to what its schema cannot say: its key (DOMAIN.md §1.8) and its bounds (§1.10).

    Raises InvalidRecord with all of its faults, for what DOMAIN.md §1.9 calls a dead letter.
    """
    if found := faults(topic, key, record):
        more = f"; and {len(found) - _SHOWN_FAULTS:,} more" if len(found) > _SHOWN_FAULTS else ""
        raise InvalidRecord(f"{topic}: {'; '.join(map(str, found[:_SHOWN_FAULTS]))}{more}")


def faults(topic: str, key: bytes | None, record: Mapping[str, object]) -> list[Fault]:
    """All faults of a decoded record, its key's first."""
    wanted = key_of(topic, record)
    found = (
        [] if key == _encoded(wanted) else [Fault("the key", _shown(key), f"give the value's own, {shortened(wanted)}")]
    )
    if len(wanted) > bounds.MOST_ID and topic in FACTS:
        found.append(fault("the key", wanted, f"give at most {bounds.MOST_ID} characters"))
    return found + bounds.faults(topic, record, own_fields(topic), fact=topic in FACTS)


def check_size(topic: str, size: int) -> None:
    """Raises InvalidRecord for a record of more bytes (key, value and headers) than a row of state could hold."""
    most = LARGEST_UPSTREAM if topic.startswith(bounds.UPSTREAM) else LARGEST_RECORD
    if size > most:
        raise InvalidRecord(f"{topic}: the record has {size:,} bytes; at most {most:,} are taken")


def own_fields(topic: str) -> tuple[str, ...]:
    """The fields of a record's id and key that must not be empty."""
    if topic in FACTS:
        return tuple(dict.fromkeys((*TOPICS[topic].id, "engagement_id")))
    return TOPICS[topic].id if topic.startswith(bounds.UPSTREAM) else ()


def _encoded(text: str) -> bytes | None:
    """The bytes of a key; None for a text that has none (a surrogate without its other half)."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def _shown(key: bytes | None) -> str:
    return "missing" if key is None else shortened(key[:1_000].decode(errors="backslashreplace"))


CHARGES_TOPIC = topic_names.BILLING_READY


def owners_of(topics: Iterable[str]) -> tuple[str, ...]:
    """The owners of some topics, sorted: who answers for an exception that records of these topics heal."""
    return tuple(sorted({TOPICS[topic].owner for topic in topics}))
