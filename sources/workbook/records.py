"""Every record of a workbook, a folder of CSV files or of JSON lines, and every fault of all of them at once."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas import codec
from schemas.bound_checks import shortened
from sources.workbook.assemble import Draft, drafts
from sources.workbook.defaults import filled
from sources.workbook.grids import Unreadable, read_csv, read_workbook
from sources.workbook.layout import SHEET_TOPICS, sheets
from sources.workbook.problems import Place, Problem
from sources.workbook.record_check import FirmRecord, checked_record
from sources.workbook.rows import Rows, all_rows
from topics import topic_names
from topics.catalogue import TOPICS

OF_THE_ENTITY = ("seller_country", "seller_tax_jurisdiction")


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
        if (made := checked_record(draft, value, data.problems)) is None:
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
