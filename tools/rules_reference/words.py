"""The words that a contract, a rate card or a record chooses between: enumerations of the schemas, as they stand."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDERS = ("masters", "delivery", "finance")
_PASSIVE = ("charge.states", "erp.postings", "invoice.status")  # reports about charges, which decide none


@dataclass(frozen=True, slots=True)
class Choice:
    """A field of a topic, its words, and what the schema says of it."""

    topic: str
    field: str
    words: tuple[str, ...]
    doc: str


def choices(checkout: Path) -> list[Choice]:
    """Every enumeration of the records that bills are made of, by topic and field."""
    found = []
    for folder in _FOLDERS:
        for file in sorted((checkout / "schemas" / folder).glob("*.avsc")):
            topic = file.stem
            if topic not in _PASSIVE:
                found += list(_of(topic, json.loads(file.read_text(encoding="utf-8")), ""))
    return found


def _of(topic: str, schema: Any, path: str) -> Iterator[Choice]:  # noqa: ANN401 - an Avro schema
    if isinstance(schema, list):
        for branch in schema:
            yield from _of(topic, branch, path)
    elif isinstance(schema, dict) and schema.get("type") == "record":
        for field in schema["fields"]:
            inner = f"{path}.{field['name']}" if path else str(field["name"])
            for each in _of(topic, field["type"], inner):
                yield each if each.doc else Choice(each.topic, each.field, each.words, str(field.get("doc", "")))
    elif isinstance(schema, dict) and schema.get("type") == "enum":
        yield Choice(topic, path, tuple(schema["symbols"]), "")
    elif isinstance(schema, dict):
        yield from _of(topic, schema.get("items", schema["type"]), path)
