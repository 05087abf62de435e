"""The sheets of a workbook and their columns, made from the contracts: a new field of a topic is a new column.

A record is a row. A nested record is a group of columns (`address.city`). A list is a sheet of its own, whose first
columns name the row that it belongs to: the lines of a rate card are rows of `Rate lines` with a `rate_card_id`.
`source`, `revision` and `occurred_at` are no columns: publishing gives them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from schemas import codec
from schemas.registry import subject_of
from schemas.schema_types import Array, AvroRecord, Boolean, Enum, Leaf, Optional, Shape
from sources.workbook.defaults import default_of
from topics import topic_names
from topics.catalogue import MASTERS, TOPICS, TRANSACTIONS

GIVEN = frozenset({"source", "revision", "occurred_at"})
"""Fields that publishing gives."""
_ANSWERS = (
    topic_names.INVOICE_STATUS,
    topic_names.ERP_POSTINGS,
)  # written by this system and by others, never by people
SHEET_TOPICS = tuple(topic for topic in (*MASTERS, *TRANSACTIONS) if topic not in _ANSWERS)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header, the field's path in the record of its row, and what an empty cell means."""

    name: str
    path: tuple[str, ...]
    leaf: Leaf
    doc: str
    required: bool
    default: str | None
    """What an empty cell stands for, in words; None where it is an absent field."""

    @property
    def choices(self) -> tuple[str, ...]:
        """What a cell may hold, where that is a short list."""
        match self.leaf:
            case Enum(symbols):
                return symbols
            case Boolean():
                return ("yes", "no")
            case _:
                return ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: the records of a topic, or the items of one of their lists."""

    topic: str
    title: str
    file: str
    """Name of its CSV file."""
    path: tuple[str, ...]
    """Where its items are: () for records, (`outcomes`, `tiers`) for the tiers of the outcomes."""
    keys: tuple[Column, ...]
    """The columns that name the row it belongs to; of records, those of their id."""
    columns: tuple[Column, ...]
    doc: str

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Every column in the order of the sheet; those that must be filled come first."""
        own = [each for each in self.columns if each not in self.keys]
        return (*self.keys, *sorted(own, key=lambda column: not column.required))

    @property
    def is_list(self) -> bool:
        """Whether its rows are items of a list of another sheet's row."""
        return bool(self.path)


@cache
def sheets() -> tuple[Sheet, ...]:
    """Every sheet of a workbook, in order: masters, then transactions; lists behind the sheet they belong to."""
    return tuple(sheet for topic in SHEET_TOPICS for sheet in sheets_of(topic))


@cache
def sheets_of(topic: str) -> tuple[Sheet, ...]:
    """The sheets of one topic, that of its records first."""
    schema = codec.REGISTRY.schema_of(codec.REGISTRY.id_of(subject_of(topic)))
    return tuple(_Layout(topic).record(codec.shape(topic), schema, (), ()))


def sheet_for(name: str) -> Sheet | None:
    """The sheet of this title or file name. Case and the marks between words do not count."""
    return {_plain(alias): sheet for sheet in sheets() for alias in (sheet.title, sheet.file)}.get(_plain(name))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().removesuffix(".csv"))


@dataclass(frozen=True, slots=True)
class _Layout:
    """Takes one contract apart."""

    topic: str

    def record(
        self, record: AvroRecord, schema: Mapping[str, Any], path: tuple[str, ...], parents: tuple[Column, ...]
    ) -> Iterator[Sheet]:
        """The sheet of a record, then those of its lists."""
        columns = list(self._columns(record, schema, (), path))
        if path:
            keys, title = parents, f"{_spaced(record.name)}s"
        else:
            wanted = dict.fromkeys((*TOPICS[self.topic].id, *TOPICS[self.topic].key))
            keys = tuple(each for each in columns if each.name in wanted)
            title = _title(self.topic)
        yield Sheet(self.topic, title, _file(title), path, keys, tuple(columns), str(schema.get("doc", "")))
        inner = parents + tuple(columns[:1]) if path else keys
        for field, described in zip(record.fields, schema["fields"], strict=True):
            if isinstance(field.shape, Array):
                yield from self._list(field.shape.items, described, (*path, field.name), inner)

    def _list(
        self, items: Shape, described: Mapping[str, Any], path: tuple[str, ...], parents: tuple[Column, ...]
    ) -> Iterator[Sheet]:
        if isinstance(items, AvroRecord):
            yield from self.record(items, described["type"]["items"], path, parents)
            return
        doc, title = str(described.get("doc", "")), _spaced(path[-1])
        item = Column(path[-1], (), items, doc, required=True, default=None)  # type: ignore[arg-type]
        yield Sheet(self.topic, title, _file(title), path, parents, (item,), doc)

    def _columns(
        self, record: AvroRecord, schema: Mapping[str, Any], inside: tuple[str, ...], path: tuple[str, ...]
    ) -> Iterator[Column]:
        for field, described in zip(record.fields, schema["fields"], strict=True):
            if field.name in GIVEN and not inside and not path:
                continue
            shape, optional = field.shape, False
            if isinstance(shape, Optional):
                shape, optional = shape.inner, True
            at, doc = (*inside, field.name), str(described.get("doc", ""))
            match shape:
                case AvroRecord():
                    for each in self._columns(shape, _inner(described["type"]), at, path):
                        yield each if not optional else _not_alone(each)
                case Array():
                    continue
                case Optional():
                    raise ValueError(f"{self.topic}: {field.name} is optional twice")
                case _:
                    default = default_of(self.topic, ".".join((*path, *at)))
                    yield Column(".".join(at), at, shape, doc, not optional and default is None, default)


def _not_alone(column: Column) -> Column:
    """A column of a group that may be absent as a whole: required only where another of the group is filled."""
    doc = f"{column.doc} Needed where {column.path[0]} is given." if column.required else column.doc
    return Column(column.name, column.path, column.leaf, doc, required=False, default=column.default)


def _inner(schema: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON of a contract
    found: Mapping[str, Any] = schema[1] if isinstance(schema, list) else schema
    return found


def _title(topic: str) -> str:
    return topic.removeprefix("master.").replace("-", " ").replace(".", " ").capitalize()


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").capitalize()


def _file(title: str) -> str:
    return f"{title.lower().replace(' ', '-')}.csv"
