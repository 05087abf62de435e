"""The check of one row's record: every value against the contract, the bounds, and the items of its lists.

A value that does not fit is replaced by a sound one, so that the bounds of the others are checked in the same run.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas import codec
from schemas.bound_checks import shortened
from schemas.json_codec import from_json
from schemas.models import IS_MISSING, mismatches
from schemas.schema_types import (
    Amount,
    Array,
    AvroRecord,
    Boolean,
    Date,
    Enum,
    Long,
    Optional,
    Text,
    Timestamp,
)
from sources.workbook.assemble import Draft
from sources.workbook.cells import remedy_of
from sources.workbook.layout import GIVEN
from sources.workbook.problems import Problem
from sources.workbook.record_paths import AN_INSTANT, mended, shape_at, value_at
from topics.catalogue import faults, identity, key_of

SOURCE = "workbook"
_WORDS: Mapping[type, str] = {
    Amount: "is no plain number",
    Date: "is no day",
    Timestamp: "is no instant in UTC",
    Long: "is no whole number",
    Boolean: "is neither yes nor no",
    Enum: "is not one of the choices",
    Text: "is no text",
}


@dataclass(frozen=True, slots=True)
class FirmRecord:
    """A record that keeps its contract. `value` is its JSON form, without what publishing gives unless it was given."""

    topic: str
    key: str
    id: str
    value: Mapping[str, Any]
    record: Mapping[str, Any]
    draft: Draft

    @property
    def identity(self) -> tuple[str, str, str]:
        """(topic, engagement of a transaction or empty, id)."""
        return identity_of(self.topic, self.record)


def identity_of(topic: str, record: Mapping[str, Any]) -> tuple[str, str, str]:
    """(topic, engagement of a transaction or empty, id) of a record (DOMAIN.md §1.2)."""
    engagement = "" if topic.startswith("master.") else str(record["engagement_id"])
    return topic, engagement, identity(topic, record)


def checked_record(draft: Draft, value: dict[str, Any], problems: list[Problem]) -> FirmRecord | None:
    """The record of a row with its defaults; None if it has a fault, and then `problems` gets all of them."""
    topic = draft.topic
    full = {"source": SOURCE, "revision": 1, "occurred_at": AN_INSTANT, **value}
    wrong = {each.path: each.reason for each in mismatches(topic, full)}
    for path, reason in wrong.items():
        if not _is_bad(path, draft.bad):
            problems.append(_misfit(draft, topic, path, reason, full))
    if wrong:
        full = mended(topic, full, wrong)
    try:
        record = from_json(topic, full)
        bounded = faults(topic, key_of(topic, record).encode(errors="replace"), record)
    except (ValueError, KeyError):  # a value that has no sound one in its place; its faults are in `problems`
        return None
    for found in bounded:
        if not _is_bad(found.path, wrong) and not _is_bad(found.path, draft.bad) and found.path != "the key":
            problems.append(Problem(draft.place_of(found.path), found.value, "is out of bounds", found.remedy))
        elif found.path == "the key":
            problems.append(Problem(draft.place, found.value, "the key is out of bounds", found.remedy))
    twice = list(_twice(draft, codec.shape(topic), full)) if not wrong else []
    problems += twice
    if wrong or bounded or draft.bad or twice:
        return None
    own = {name: each for name, each in full.items() if name not in GIVEN or name in value}
    return FirmRecord(topic, key_of(topic, record), identity(topic, record), own, record, draft)


def _twice(draft: Draft, shape: AvroRecord, value: Mapping[str, Any], at: str = "") -> Iterator[Problem]:
    """Items of a list that begin with the same field: only the first would count (DOMAIN.md §2)."""
    for each in shape.fields:
        if not isinstance(each.shape, Array):
            continue
        items, held = each.shape.items, value.get(each.name) or []
        first = items.fields[0].name if isinstance(items, AvroRecord) else None
        seen: dict[str, str] = {}
        for place, item in enumerate(held):
            path = f"{at}{each.name}[{place}]"
            own = str(item.get(first) if first is not None and isinstance(item, dict) else item)
            if own in seen and first != "up_to":
                told = draft.place_of(f"{path}.{first}" if first else path)
                what = f"the same {first or each.name} is in {seen[own]} already: only the first would count"
                yield Problem(told, repr(own), what, "remove or correct one of the two")
            seen.setdefault(own, str(draft.place_of(path)))
            if isinstance(items, AvroRecord):
                yield from _twice(draft, items, item, f"{path}.")


def _is_bad(path: str, bad: Iterable[str]) -> bool:
    return any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in bad)


def _misfit(draft: Draft, topic: str, path: str, reason: str, value: Mapping[str, Any]) -> Problem:
    shape = shape_at(codec.shape(topic), path)
    remedy = remedy_of(shape) if not isinstance(shape, AvroRecord | Array | Optional) else "give it"
    if reason == IS_MISSING:
        return Problem(draft.place_of(path), "missing", "a value is needed", remedy)
    what = _WORDS.get(type(shape), "is of a wrong type") if reason.startswith("must be") else reason
    return Problem(draft.place_of(path), shortened(value_at(value, path)), what, remedy)
