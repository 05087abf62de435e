"""The catalogue is complete, and holds records to what their schemas cannot say."""

from datetime import date
from decimal import Decimal

import pytest
from sound_records import sound

from common.errors import InvalidRecord
from schemas import codec
from schemas.registry import topic_of
from topics import catalogue
from topics.catalogue import MASTERS, SETTLE_INPUTS, TOPICS, TRANSACTIONS, Topic, check, identity, key_of

# DOMAIN.md §1, in its order.
DOMAIN_MASTERS = [
    "master.clients",
    "master.legal-entities",
    "master.consultants",
    "master.engagements",
    "master.tasks",
    "master.rate-cards",
    "master.expense-policies",
    "master.per-diems",
    "master.tax-rules",
    "master.fx-rates",
    "master.calendars",
    "master.code-map",
]
DOMAIN_TRANSACTIONS = [
    "time.entries",
    "expenses",
    "milestones",
    "outcomes",
    "adjustments",
    "billing.periods",
    "exception.decisions",
    "billing.holds",
    "invoice.status",
    "erp.postings",
]
BESIDE = {
    "billing.ready",
    "billing.seals",
    "billing.exceptions",
    "charge.states",
    "dead.letters",
    "masters.current",
    "time.by-consultant",
    "time.overlaps",
} | {"files.taken"}
TASK = sound("master.tasks", task_id="T1", engagement_id="E1")
ENTRY = sound("time.entries", entry_id="t1", engagement_id="E1")
RATE = sound("master.fx-rates", base="EUR", quote="USD", date=date(2024, 1, 31))
PERIOD = sound("billing.periods", engagement_id="E1", period="2024-01")
CODE = sound("master.code-map", system="tempo", kind="task", code="x")
LETTER = sound("dead.letters", topic="expenses", partition=3, offset=9)
ENGAGEMENT = sound("master.engagements", engagement_id="E1")
NO_INCREMENT = {"increment_minutes": 0, "mode": "up", "scope": "entry"}


def test_the_catalogue_has_every_topic_of_the_domain() -> None:
    assert list(MASTERS) == DOMAIN_MASTERS
    assert list(TRANSACTIONS) == DOMAIN_TRANSACTIONS
    others = {name for name in TOPICS if not name.startswith("source.")} - {*MASTERS, *TRANSACTIONS}
    assert others == BESIDE
    assert set(SETTLE_INPUTS) < set(TRANSACTIONS)


def test_every_topic_but_one_has_the_schema_of_its_name() -> None:
    assert {name for name, topic in TOPICS.items() if topic.subject is None} == {"masters.current"}
    assert {topic.subject for topic in TOPICS.values() if topic.subject} == set(codec.REGISTRY.subjects())
    assert all(topic_of(topic.subject) == name for name, topic in TOPICS.items() if topic.subject)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_every_topic_is_documented_owned_and_classified(topic: Topic) -> None:
    assert topic.doc.endswith(".")
    assert topic.owner
    assert topic.data_class in {"public", "internal", "confidential", "personal"}


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_only_state_is_compacted_and_nothing_expires(topic: Topic) -> None:
    assert topic.config["message.timestamp.type"] == "LogAppendTime"
    if topic.name == "masters.current":
        assert topic.config["cleanup.policy"] == "compact"
    else:
        assert (topic.config["cleanup.policy"], topic.config["retention.ms"]) == ("delete", "-1")


@pytest.mark.parametrize("topic", [topic for topic in TOPICS.values() if topic.subject], ids=lambda topic: topic.name)
def test_keys_and_identities_are_fields_that_cannot_be_absent(topic: Topic) -> None:
    required = {field.name for field in codec.shape(topic.name).fields if type(field.shape).__name__ != "Maybe"}
    assert set(topic.key) <= required
    assert set(topic.id) <= required


def test_topics_keyed_by_engagement_are_spread_and_what_is_read_beside_them() -> None:
    spread = {name for name, topic in catalogue.spread_over(12).items() if topic.partitions == 12}
    keyed_by_engagement = {*TRANSACTIONS, "billing.ready", "billing.exceptions", "charge.states", "time.overlaps"}
    assert spread == keyed_by_engagement | {"source.billing.statuses", "time.by-consultant"}
    assert all(TOPICS[name].key == ("engagement_id",) for name in keyed_by_engagement)
    assert all(topic.partitions == 1 for name, topic in catalogue.spread_over(12).items() if name not in spread)


def test_a_changelog_is_compacted_and_as_wide_as_its_inputs() -> None:
    changelog = catalogue.changelog_of("settle", 6)
    assert (changelog.name, changelog.partitions) == ("hourstream.settle.changelog", 6)
    assert changelog.config["cleanup.policy"] == "compact"


@pytest.mark.parametrize(
    ("topic", "record", "key", "id_"),
    [
        ("master.tasks", TASK, "T1", "T1"),
        ("master.fx-rates", RATE, "EUR:USD:2024-01-31", "EUR:USD:2024-01-31"),
        ("master.code-map", CODE, "tempo:task:x", "tempo:task:x"),
        ("time.entries", ENTRY, "E1", "t1"),
        ("billing.periods", PERIOD, "E1", "2024-01"),
        ("dead.letters", LETTER, "expenses:3:9", "expenses:3:9"),
        ("source.tock.lines", sound("source.tock.lines", id=48), "48", "48"),
        ("billing.exceptions", sound("billing.exceptions", exception_id="x", engagement_id=""), "", "x"),
    ],
)
def test_keys_and_identities(topic: str, record: dict[str, object], key: str, id_: str) -> None:
    assert (key_of(topic, record), identity(topic, record)) == (key, id_)
    check(topic, key.encode(), record)


def test_the_key_on_masters_current_names_topic_and_id() -> None:
    assert catalogue.current_key("master.fx-rates", identity("master.fx-rates", RATE)) == (
        "master.fx-rates:EUR:USD:2024-01-31"
    )


@pytest.mark.parametrize(
    ("topic", "key", "record", "said"),
    [
        ("time.entries", b"E2", ENTRY, "the key is 'E2': give the value's own, 'E1'"),
        ("time.entries", None, ENTRY, "the key is missing"),
        ("time.entries", b"\xff", ENTRY, r"the key is '\\\\xff'"),
        ("time.entries", b"E1", ENTRY | {"entry_id": ""}, "entry_id is '': give 1 to 200"),
        ("time.entries", b"", ENTRY | {"engagement_id": ""}, "engagement_id is '': give 1 to 200"),
        ("time.entries", b"E1", ENTRY | {"revision": 0}, "revision is 0: give 1 or more"),
        ("billing.periods", b"E1", PERIOD | {"period": ""}, "period is '': give 1"),
        ("master.tasks", b"", TASK | {"task_id": ""}, "task_id is '': give 1"),
        ("master.tasks", b"T1", TASK | {"engagement_id": ""}, "engagement_id is '': give 1 to 200"),
        ("master.fx-rates", b":USD:2024-01-31", RATE | {"base": ""}, "base is '': give a currency"),
        ("master.engagements", b"E1", ENGAGEMENT | {"hours_per_day": Decimal("0.99")}, "hours_per_day is 0.99: give"),
        ("master.engagements", b"E1", ENGAGEMENT | {"rounding": NO_INCREMENT}, "increment_minutes is 0: give"),
    ],
)
def test_what_the_domain_calls_a_dead_letter_is_refused(
    topic: str, key: bytes | None, record: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidRecord, match=f"^{topic}: .*{said}"):
        check(topic, key, record)


def test_a_sound_engagement_passes() -> None:
    check("master.engagements", b"E1", ENGAGEMENT)
