"""Finds the fields of a record that another schema cannot read.

Avro's own checker decides whether two schemas fit. Our own walk finds the place of the fault. It is stricter in two
ways that Avro does not check: a changed scale of a decimal changes money, and a default, once given, stays.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from common.json_types import Json

Path = tuple[str, ...]
Kind = Literal["missing", "renamed", "symbols", "type", "empty", "default", "rule"]


class Break(NamedTuple):
    """An incompatibility: the field `path` of the reader, and its kind.

    `detail` is for `renamed` the writer's name, for `symbols` those unknown to the reader, for `type` "the writer's to
    the reader's", for `rule` Avro's own message.
    """

    path: Path
    kind: Kind
    detail: str = ""

    @property
    def field(self) -> str:
        """The path as people write it: `lines.amount`."""
        return ".".join(self.path)


def unreadable(reader: Mapping[str, Json], writer: Mapping[str, Json]) -> list[Break]:
    """The faults that keep `reader` from reading records of `writer`; empty if it reads them all."""
    found = list(_values(dict(reader), dict(writer), ()))
    if not found and (said := _refused_by_avro(reader, writer)):
        found = [Break((), "rule", said)]
    return found


def lost_defaults(new: Mapping[str, Json], old: Mapping[str, Json]) -> list[Break]:
    """Fields of both that had a default and have none: what leaves them out could no longer be read."""
    return list(_lost_defaults(dict(new), dict(old), ()))


def _refused_by_avro(reader: Mapping[str, Json], writer: Mapping[str, Json]) -> str:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(parse(json.dumps(reader)), parse(json.dumps(writer)))
    if result.compatibility is SchemaCompatibilityType.compatible:
        return ""
    return "; ".join(sorted(result.messages)) or "not compatible"


def _values(reader: Json, writer: Json, path: Path) -> Iterator[Break]:
    may_miss, read = of_union(reader)
    may_be_missing, written = of_union(writer)
    if may_be_missing and not may_miss:
        yield Break(path, "empty")
    was, wanted = kind_of(written), kind_of(read)
    if was != wanted:
        yield Break(path, "type", f"{was} to {wanted}")
    elif isinstance(read, dict) and isinstance(written, dict):
        yield from _parts(read, written, path)


def _parts(reader: dict[str, Json], writer: dict[str, Json], path: Path) -> Iterator[Break]:
    match reader["type"]:
        case "record":
            yield from _records(reader, writer, path)
        case "array":
            yield from _values(reader["items"], writer["items"], path)
        case "enum":
            unknown = [symbol for symbol in _list(writer["symbols"]) if symbol not in _list(reader["symbols"])]
            if unknown:
                yield Break(path, "symbols", ", ".join(map(str, unknown)))


def _records(reader: dict[str, Json], writer: dict[str, Json], path: Path) -> Iterator[Break]:
    reads, writes = fields_of(reader), fields_of(writer)
    for name, field in reads.items():
        if name in writes:
            yield from _values(field["type"], writes[name]["type"], (*path, name))
        elif "default" not in field:
            same = (n for n, other in writes.items() if n not in reads and _same(other["type"], field["type"]))
            if (renamed := next(same, None)) is not None:
                yield Break((*path, name), "renamed", renamed)
            else:
                yield Break((*path, name), "missing")


def _lost_defaults(new: Json, old: Json, path: Path) -> Iterator[Break]:
    new, old = of_union(new)[1], of_union(old)[1]
    if not isinstance(new, dict) or not isinstance(old, dict) or new["type"] != old["type"]:
        return
    if new["type"] == "array":
        yield from _lost_defaults(new["items"], old["items"], path)
    elif new["type"] == "record":
        now = fields_of(new)
        for name, field in fields_of(old).items():
            if name in now:
                if "default" in field and "default" not in now[name]:
                    yield Break((*path, name), "default")
                yield from _lost_defaults(now[name]["type"], field["type"], (*path, name))


def fields_of(record: Mapping[str, Json]) -> dict[str, dict[str, Json]]:
    """The fields of a record schema by name."""
    return {str(field["name"]): field for field in _list(record["fields"]) if isinstance(field, dict)}


def of_union(schema: Json) -> tuple[bool, Json]:
    """(whether it may be null, the schema of the value)."""
    if isinstance(schema, list):
        rest = [branch for branch in schema if branch != "null"]
        return len(rest) < len(schema), rest[0] if len(rest) == 1 else {"type": "union", "of": rest}
    return False, schema


def _same(one: Json, other: Json) -> bool:
    return kind_of(of_union(one)[1]) == kind_of(of_union(other)[1])


def kind_of(schema: Json) -> str:
    if not isinstance(schema, dict):
        return str(schema)
    match schema.get("logicalType"):
        case "decimal":
            return f"decimal({schema.get('precision')},{schema.get('scale')})"
        case str(logical):
            return logical
        case _:
            return str(schema["type"])


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise ValueError(f"a list is wanted, not {value!r}")
    return value
