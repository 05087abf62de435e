"""Every record of a workbook, a folder of CSV files or of JSON lines, and every fault of all of them at once."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas import codec
from schemas.bound_checks import shortened
from schemas.json_codec import from_json
from schemas.models import model_of
from schemas.schema_types import (
    Amount,
    Array,
    AvroRecord,
    Boolean,
    Bytes,
    Date,
    Enum,
    Leaf,
    Long,
    Optional,
    Shape,
    Text,
    Timestamp,
)
from sources.workbook.assemble import Draft, drafts
from sources.workbook.cells import remedy_of
from sources.workbook.defaults import filled
from sources.workbook.grids import Unreadable, read_csv, read_workbook
from sources.workbook.layout import GIVEN, SHEET_TOPICS, sheets
from sources.workbook.problems import Place, Problem
from sources.workbook.rows import Rows, all_rows
from topics import topic_names
from topics.catalogue import TOPICS, faults, identity, key_of

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
OF_THE_ENTITY = ("seller_country", "seller_tax_jurisdiction")
_AT = "2000-01-01T00:00:00Z"  # in place of what publishing gives, for the checks


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


@dataclass(slots=True)
class FirmData:
    """What a workbook holds."""

    records: list[FirmRecord] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    rows: int = 0
    drafts: list[tuple[Draft, Mapping[str, Any]]] = field(default_factory=list)
    """Every row with its value, also those with a fault."""

    @staticmethod
    def order(sheet: str | None) -> int:
        """The place of a sheet among all."""
        titles = [each.title for each in sheets()]
        return titles.index(sheet) if sheet in titles else len(titles)

    def of(self, topic: str) -> list[FirmRecord]:
        """The records of a topic."""
        return [each for each in self.records if each.topic == topic]


def read_firm(path: Path, entities: Mapping[str, Mapping[str, Any]] | None = None) -> FirmData:
    """The records of a workbook (.xlsx), a CSV or JSON lines file, or a folder of them. Raises Unreadable.

    Of a folder with workbooks and other files, all are read. `entities` are legal entities known beside it, by id, in
    JSON form: an engagement takes its seller's country from there.
    """
    files = _files(path)
    grids = (grid for file in files if file.suffix != ".jsonl" for grid in _grids(file))
    rows = all_rows(grids)
    found = [draft for topic in SHEET_TOPICS for draft in drafts(topic, codec.shape(topic), rows)]
    found += [draft for file in files if file.suffix == ".jsonl" for draft in _lines(file, rows)]
    return _checked(found, rows, entities or {})


def _files(path: Path) -> list[Path]:
    kinds = (".xlsx", ".csv", ".jsonl")
    if path.is_file():
        if path.suffix.lower() in kinds:
            return [path]
        raise Unreadable(f"{path} is none of {', '.join(kinds)}")
    files = [
        each
        for each in sorted(path.iterdir())
        if each.suffix.lower() in kinds and not each.name.startswith(("~$", "."))
    ]
    if not files:
        raise Unreadable(f"{path} holds no workbook, CSV or JSON lines: `hourstream init {path}` writes a sample firm")
    return files


def _grids(file: Path) -> Iterable[Any]:
    return read_workbook(file) if file.suffix.lower() == ".xlsx" else [read_csv(file)]


def _lines(file: Path, rows: Rows) -> Iterator[Draft]:
    """The records of JSON lines: {"topic", "value"}; a "key" is checked with the value."""
    for number, raw in enumerate(file.read_bytes().splitlines(), 1):
        if not raw.strip():
            continue
        place = Place(file.name, None, number)
        try:
            line = json.loads(raw)
        except (ValueError, RecursionError) as error:
            rows.problems.append(Problem(place, None, f"no JSON: {error}", "write one JSON object a line"))
            continue
        topic = line.get("topic") if isinstance(line, dict) else None
        if topic not in SHEET_TOPICS or not isinstance(line.get("value"), dict):
            what = f"{shortened(topic)} is no topic of facts" if topic is not None else "no record"
            remedy = 'write {"topic": …, "value": {…}}; the topics are those of `hourstream topics list`'
            rows.problems.append(Problem(place, None, what, remedy))
            continue
        yield Draft(topic, place, line["value"])


def _checked(found: list[Draft], rows: Rows, known_entities: Mapping[str, Mapping[str, Any]]) -> FirmData:
    """Defaults, contract, bounds and identities of all drafts."""
    data = FirmData(problems=rows.problems, rows=len(found))
    topic = topic_names.MASTER_LEGAL_ENTITIES
    entities = {name: dict(each) for name, each in known_entities.items()}
    entities |= {
        str(each.value.get("legal_entity_id")): filled(topic, codec.shape(topic), each.value, {})
        for each in found
        if each.topic == topic
    }
    seen: dict[tuple[str, str, str], FirmRecord] = {}
    data.problems += _repeated(found)
    for draft in found:
        value = filled(draft.topic, codec.shape(draft.topic), draft.value, entities)
        data.drafts.append((draft, value))
        if draft.topic == topic_names.MASTER_ENGAGEMENTS and str(value.get("legal_entity")) not in entities:
            draft.bad |= {name for name in OF_THE_ENTITY if value.get(name) is None}  # told as a reference
        if (made := _record(draft, value, data.problems)) is None:
            continue
        _add(made, seen)
    data.records = list(seen.values())
    return data


def _add(made: FirmRecord, seen: dict[tuple[str, str, str], FirmRecord]) -> None:
    """Keep a record; of one identity the highest revision that JSON lines give."""
    before = seen.get(made.identity)
    if before is None or _revision(made.value) > _revision(before.value):
        seen[made.identity] = made


def _repeated(found: list[Draft]) -> Iterator[Problem]:
    """Rows with the id of a row before them, in the same revision where lines give one."""
    seen: dict[tuple[object, ...], Draft] = {}
    for draft in found:
        names = dict.fromkeys((*TOPICS[draft.topic].id, *TOPICS[draft.topic].key))
        own = tuple(draft.value.get(name) for name in names)
        if not all(isinstance(each, str) for each in own):
            continue
        before = seen.setdefault((draft.topic, *own, _revision(draft.value)), draft)
        if before is not draft:
            field_name = TOPICS[draft.topic].id[-1]
            what = f"the same id is in {before.place} already"
            remedy = "give each record an id of its own"
            yield Problem(draft.place_of(field_name), repr(draft.value[field_name]), what, remedy)


def _revision(value: Mapping[str, Any]) -> int:
    given = value.get("revision")
    return given if isinstance(given, int) else 0


def _record(draft: Draft, value: dict[str, Any], problems: list[Problem]) -> FirmRecord | None:
    """The record, or None with all its faults told."""
    topic = draft.topic
    full = {"source": SOURCE, "revision": 1, "occurred_at": _AT, **value}
    wrong = _misfits(topic, full)
    for path, reason in wrong.items():
        if not _is_bad(path, draft.bad):
            problems.append(_misfit(draft, topic, path, reason, full))
    if wrong:
        full = _mended(topic, full, wrong)
    try:
        record = from_json(topic, full)
        bounded = faults(topic, key_of(topic, record).encode(errors="replace"), record)
    except (ValueError, KeyError):  # not to be mended: what does not fit is told above
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


def _misfits(topic: str, value: Mapping[str, Any]) -> dict[str, str]:
    """{path: reason} of all that does not fit the contract."""
    try:
        model_of(topic).model_validate(dict(value))
    except ValidationError as error:
        return {
            _path(each["loc"]): "is missing" if each["type"] == "missing" else each["msg"]
            for each in error.errors(include_url=False, include_input=False)
        }
    return {}


def _path(steps: tuple[int | str, ...]) -> str:
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _misfit(draft: Draft, topic: str, path: str, reason: str, value: Mapping[str, Any]) -> Problem:
    shape = _shape_at(codec.shape(topic), path)
    remedy = remedy_of(shape) if not isinstance(shape, AvroRecord | Array | Optional) else "give it"
    if reason == "is missing":
        return Problem(draft.place_of(path), "missing", "a value is needed", remedy)
    what = _WORDS.get(type(shape), "is of a wrong type") if reason.startswith("must be") else reason
    return Problem(draft.place_of(path), shortened(_value_at(value, path)), what, remedy)


def _steps(path: str) -> list[int | str]:
    steps: list[int | str] = []
    for part in path.replace("[", ".[").split("."):
        if part:
            steps.append(int(part[1:-1]) if part.startswith("[") else part)
    return steps


def _value_at(value: Any, path: str) -> Any:  # noqa: ANN401 - JSON of any shape
    for step in _steps(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _shape_at(shape: Shape, path: str) -> Shape:
    for step in _steps(path):
        shape = _bare(shape)
        if isinstance(shape, Array):
            shape = shape.items
        elif isinstance(shape, AvroRecord):
            shape = next(each.shape for each in shape.fields if each.name == step)
    return _bare(shape)


def _bare(shape: Shape) -> Shape:
    return shape.inner if isinstance(shape, Optional) else shape


def _mended(topic: str, value: dict[str, Any], wrong: Iterable[str]) -> dict[str, Any]:
    """The record with a sound value in place of each that does not fit, so that the others can be checked too."""
    mended: dict[str, Any] = json.loads(json.dumps(value, default=str))
    for path in wrong:
        *inside, last = _steps(path)
        held: Any = mended
        for step in inside:
            held = held[step]
        held[last] = _sound(_shape_at(codec.shape(topic), path))
    return mended


@cache
def _sound(shape: Shape) -> Any:  # noqa: ANN401 - JSON of any shape
    match shape:
        case AvroRecord(_, fields):
            return {each.name: _sound(each.shape) for each in fields}
        case Array():
            return []
        case Optional():
            return None
        case _:
            return _sound_leaf(shape)


def _sound_leaf(leaf: Leaf) -> object:
    match leaf:
        case Text():
            return "x"
        case Long():
            return 1
        case Boolean():
            return True
        case Date():
            return "2000-01-01"
        case Timestamp():
            return _AT
        case Amount():
            return "1"
        case Enum(symbols):
            return symbols[0]
        case Bytes():
            return ""


def present_form(value: object) -> object:
    """A value of a record as a cell or a message shows it."""
    match value:
        case Decimal():
            return format(value.normalize(), "f")
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case _:
            return value
