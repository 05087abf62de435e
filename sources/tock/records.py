"""The records of Tock's data file, in Tock's own shape, as its own API or a change feed would send them."""

import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sources.mapping.contracts import DeclaredContracts

DATA = Path(__file__).with_name("data-update.json.xz")
MASTERS = Path(__file__).with_name("masters.jsonl")
SECOND_ACT = Path(__file__).with_name("second-act.jsonl")

# Reference data first, lines last: the order of least waiting. Any other gives the same charges.
_ENTITIES = {
    "projects.agency": "agencies",
    "projects.accountingcode": "accounting_codes",
    "projects.project": "projects",
    "employees.employeegrade": "grades",
    "auth.user": "users",
    "employees.userdata": "userdata",
    "hours.reportingperiod": "reporting_periods",
    "hours.timecard": "timecards",
    "hours.timecardobject": "lines",
}


def read(data: Path = DATA) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(topic, key, value) of every record: value = its id and those of its fields that the topic's contract has.

    Raises ValueError where the file holds a record of a kind that Tock's data does not have.
    """
    contracts = DeclaredContracts()
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {entity: [] for entity in _ENTITIES.values()}
    kept: dict[str, frozenset[str]] = {}
    for entity in found:
        shape = contracts.shape(topic_of(entity))
        if shape is None:
            raise LookupError(f"no contract declares {topic_of(entity)}")
        kept[entity] = frozenset(field.name for field in shape.fields)
    with lzma.open(data) as file:
        rows = json.load(file)
    for row in rows:
        if row["model"] not in _ENTITIES:
            raise ValueError(f"{data}: a record of the unknown kind {row['model']!r}")
        entity = _ENTITIES[row["model"]]
        value = {name: content for name, content in row["fields"].items() if name in kept[entity]}
        found[entity].append((str(row["pk"]), {"id": row["pk"], **value}))
    for entity, records in found.items():
        for key, value in records:
            yield topic_of(entity), key, value


def topic_of(entity: str) -> str:
    """The topic of one kind of Tock's records."""
    return f"source.tock.{entity}"
