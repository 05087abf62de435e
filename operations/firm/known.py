"""What is known beside the records of a workbook: the winning records of the topics, or nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from privacy.decrypt import Reading, readable
from rating.model.master_records import MASTER_TYPES, master
from rating.model.masters import Masters
from schemas.json_codec import to_json
from sources.workbook.record_check import FirmRecord, identity_of
from streaming.topic_reader import read_valid
from topics.catalogue import identity

Identity = tuple[str, str, str]
"""(topic, engagement of a transaction or empty, id)"""


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """The winning record of an identity: in Python form, and as the JSON form that a person may read."""

    record: Mapping[str, Any]
    value: Mapping[str, Any]

    @property
    def revision(self) -> int:
        """Its revision."""
        return int(self.record["revision"])


@dataclass(frozen=True, slots=True)
class Known:
    """Winning records by identity."""

    records: Mapping[Identity, KnownRecord] = field(default_factory=dict)

    def ids(self, topic: str) -> set[str]:
        """The ids of a topic's records."""
        return {own for of, _, own in self.records if of == topic}


def read_known(broker: str, topics: Iterable[str], look: Reading | None) -> Known:
    """The winning record of every identity on some topics: the highest revision, of equal ones the first."""
    found: dict[Identity, dict[str, Any]] = {}
    topic_of: dict[Identity, str] = {}
    for record, value in read_valid(broker, list(topics)):
        where = identity_of(record.topic, value)
        if where not in found or value["revision"] > found[where]["revision"]:
            found[where], topic_of[where] = value, record.topic
    return Known(
        {where: KnownRecord(value, _shown(look, to_json(topic_of[where], value))) for where, value in found.items()}
    )


def _shown(look: Reading | None, value: dict[str, Any]) -> dict[str, Any]:
    """Texts in clear where this process has the key."""
    return {name: readable(look, each) if isinstance(each, str) else each for name, each in value.items()}


def masters_of(records: Iterable[FirmRecord], known: Known) -> Masters:
    """The masters of a workbook over those that are known."""
    every = [
        (topic, own, master(topic, each.record))
        for (topic, _, own), each in known.records.items()
        if topic in MASTER_TYPES
    ]
    every += [
        (each.topic, identity(each.topic, each.record), master(each.topic, each.record))
        for each in records
        if each.topic in MASTER_TYPES
    ]
    return Masters.empty().with_records(every)
