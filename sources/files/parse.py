"""Parses a whole file: every row becomes a source record, part of one, or a bad row with its reason."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sources.engine import Canonical
from sources.files.conventions import Order, conventions_of, told
from sources.files.detect import Recognised, recognise
from sources.files.dry_run import Trial
from sources.files.records import MOST_ROW_BYTES, Joined, Recorder, SourceRow, Unfit
from sources.files.tables import BadRow, FileTable, Row
from sources.mapping.ast import SourceMapping
from sources.mapping.contracts import Contracts, DeclaredContracts
from sources.mapping.errors import NotRecognised

__all__ = ["BadRow", "NotRecognised", "SourceRow", "Taken", "take"]


@dataclass(slots=True)
class Taken:
    """The content of a file. Of its `read` rows, `good` are records, `joined` belong to an earlier one, the rest are
    `bad`. Beside them are `blank` rows and those `left_out` by the mapping: (line, why).

    `made` is the result of the mapping with every code standing for itself; `codes` counts the rows that need each
    code, `unmapped` are columns without a reader, `waiting` the records that look up others outside the file.
    """

    name: str
    sha256: str
    system: str
    entities: tuple[str, ...]
    read: int = 0
    good: int = 0
    joined: int = 0
    records: list[SourceRow] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    made: list[Canonical] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    mapped: dict[str, tuple[str, ...]] = field(default_factory=dict)  # header -> ENTITY.FIELD
    unmapped: tuple[str, ...] = ()
    waiting: dict[str, int] = field(default_factory=dict)
    blank: int = 0
    left_out: list[tuple[int, str]] = field(default_factory=list)
    readings: tuple[str, ...] = ()
    says: Mapping[str, str] = field(default_factory=dict)
    reviews: list[dict[str, object]] = field(default_factory=list)  # of source records, to publish with the file


def take(
    mapping: SourceMapping, name: str, data: bytes, contracts: Contracts | None = None, dates: Order | None = None
) -> Taken:
    """Take a file. Raises NotRecognised for one the source does not know; nothing of that is taken.

    `dates` says the order of day and month, where a person knows it.
    """
    contracts = contracts or DeclaredContracts()
    table, recognised = recognise(mapping, contracts, data)
    entities = tuple(each.entity.name for each in recognised)
    taken = Taken(name, hashlib.sha256(data).hexdigest(), mapping.system, entities, says=mapping.says)
    _note_columns(taken, table, recognised)
    trial = Trial(mapping, contracts)
    found = [(each, conventions_of(each, table.rows, dates)) for each in recognised]
    taken.readings = tuple(dict.fromkeys(line for each, conventions in found for line in told(each, conventions)))
    recorders = [Recorder(each, contracts, conventions) for each, conventions in found]
    for row in table.rows:
        if isinstance(row, Row) and not row.values:
            taken.blank += 1
            continue
        if isinstance(row, Row) and (why := _left_out(recognised, row)):
            taken.left_out.append((row.line, why))
            continue
        taken.read += 1
        if isinstance(row, BadRow):
            taken.bad.append(row)
        elif why := _take_row(taken, trial, recorders, row):
            taken.bad.append(BadRow(row.line, row.raw, why, recorders[0].of.entity.topic, recorders[0].said(row)))
    taken.made, taken.codes, taken.waiting = trial.made, trial.codes, trial.waiting()
    return taken


def _left_out(recognised: tuple[Recognised, ...], row: Row) -> str | None:
    """Why the mapping leaves a row out, if it does."""
    values = {header.casefold(): (header, value) for header, value in row.values.items()}
    for each in recognised:
        for name, words in each.layout.leave_out.items():
            header, value = values.get(name.casefold(), (name, None))
            if isinstance(value, str) and value.strip().casefold() in words:
                return f"{header} is {value.strip()}"
    return None


def _take_row(taken: Taken, trial: Trial, recorders: list[Recorder], row: Row) -> str | None:
    """Take a row whole, or say why not."""
    try:
        found = [recorder.made(row) for recorder in recorders]
    except Unfit as unfit:
        return str(unfit)
    records = [each for each in found if not isinstance(each, Joined)]
    why = _unfit(trial.contracts, row, records) or trial.judge(records)
    if why is not None:
        return why
    kept_with_another = b"" if records else b"\n" + row.raw
    for recorder, each in zip(recorders, found, strict=True):
        recorder.keep(each, kept_with_another)
    taken.records += records
    taken.good += bool(records)
    taken.joined += not records
    return None


def _unfit(contracts: Contracts, row: Row, records: list[SourceRow]) -> str | None:
    """Why a row cannot be published on its source's topics, whatever the mapping makes of it."""
    if len(row.raw) > MOST_ROW_BYTES:
        return f"has {len(row.raw):,} bytes; at most {MOST_ROW_BYTES:,} are taken"
    for each in records:
        try:
            contracts.checked(each.topic, each.record)
        except ValueError as unfit:
            return str(unfit)
    return None


def _note_columns(taken: Taken, table: FileTable, recognised: tuple[Recognised, ...]) -> None:
    readers: dict[str, list[str]] = {}
    for each in recognised:
        for field_name, header in each.headers.items():
            readers.setdefault(header, []).append(f"{each.entity.name}.{field_name}")
    taken.mapped = {header: tuple(readers[header]) for header in table.headers if header in readers}
    filters = {name.casefold() for each in recognised for name in each.layout.leave_out}
    taken.unmapped = tuple(
        header for header in table.headers if header and header not in readers and header.casefold() not in filters
    )
