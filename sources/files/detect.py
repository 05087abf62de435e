"""Detects the kinds of records in a file by its columns."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.schema_types import Optional
from sources.files.tables import FileTable, UnreadableFile, read_table
from sources.mapping.ast import Entity, Layout, SourceMapping
from sources.mapping.contracts import Contracts
from sources.mapping.errors import NotRecognised
from sources.mapping.yaml_nodes import nearest


@dataclass(frozen=True, slots=True)
class Recognised:
    """An entity that a file holds records of; `headers` gives the header of each of its fields that the file has."""

    entity: Entity
    layout: Layout
    headers: dict[str, str]


def recognise(mapping: SourceMapping, contracts: Contracts, data: bytes) -> tuple[FileTable, tuple[Recognised, ...]]:
    """The file's rows, and every entity that takes them. Raises NotRecognised."""
    refusals: list[tuple[int, str]] = []
    for entity in mapping.entities.values():
        if entity.file is None:
            continue
        try:
            table = read_table(data, entity.file)
        except UnreadableFile as unreadable:
            refusals.append((len(entity.file.columns) + 1, f"{entity.name}: {unreadable}"))
            continue
        lacking = _lacking(entity, entity.file, contracts, table.headers)
        if not lacking:
            found = _all_alike(mapping, contracts, entity.file, table)
            _refuse_twins(mapping.system, found, table.headers)
            return table, found
        refusals.append((len(lacking), f"{entity.name}: the file lacks {', '.join(lacking)}"))
    if not refusals:
        raise NotRecognised(f"{mapping.system} has no entity with a `file`: nothing of it comes in files", 1_000)
    refusals.sort()
    raise NotRecognised(f"{mapping.system} does not know this file. {refusals[0][1]}", refusals[0][0])


def _refuse_twins(system: str, recognised: tuple[Recognised, ...], headers: tuple[str, ...]) -> None:
    """Raise NotRecognised where two columns have the header of one field: which of them counts cannot be told."""
    places: dict[str, list[int]] = {}
    for place, header in enumerate(headers, 1):
        places.setdefault(header.casefold(), []).append(place)
    wanted = {header.casefold(): header for each in recognised for header in each.headers.values()}
    wanted |= {header.casefold(): header for each in recognised for header in each.layout.leave_out}
    twins = [
        f"{header!r} is the header of columns {' and '.join(map(str, places[folded]))}"
        for folded, header in wanted.items()
        if len(places.get(folded, ())) > 1
    ]
    if twins:
        raise NotRecognised(f"{system} cannot read this file: {'; '.join(twins)}; remove or rename all but one", 0)


def _all_alike(
    mapping: SourceMapping, contracts: Contracts, layout: Layout, table: FileTable
) -> tuple[Recognised, ...]:
    """Every entity that reads files of this form and finds its columns: a row may hold several."""
    found = []
    for entity in mapping.entities.values():
        other = entity.file
        if other is None or (other.format, other.records, other.skip) != (layout.format, layout.records, layout.skip):
            continue
        if not _lacking(entity, other, contracts, table.headers):
            found.append(Recognised(entity, other, dict(_headers(other, table.headers))))
    return tuple(found)


def _headers(layout: Layout, there: Iterable[str]) -> Iterable[tuple[str, str]]:
    """(field, header) of the fields whose column is there; letter case does not count."""
    known = {header.casefold(): header for header in there}
    for field, names in layout.columns.items():
        header = next((known[name.casefold()] for name in names if name.casefold() in known), None)
        if header is not None:
            yield field, header


def _lacking(entity: Entity, layout: Layout, contracts: Contracts, there: tuple[str, ...]) -> list[str]:
    """The columns a record cannot do without and that are not there, as the mapping names them."""
    shape = contracts.shape(entity.topic)
    if shape is None:
        return [f"a contract of {entity.topic}"]
    found = dict(_headers(layout, there))
    needed = {field.name for field in shape.fields if not isinstance(field.shape, Optional)}
    missing = [layout.columns[name] for name in layout.columns if name in needed and name not in found]
    if layout.format == "json" and not there:
        return []  # a list of no records says nothing of its columns, and needs none
    return [f"{names[0]!r}{nearest(names[0], there)}" for names in missing]
