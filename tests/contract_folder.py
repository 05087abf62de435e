"""A copy of `schemas/` whose contracts a test changes as their owner would."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from schemas.registry import FOLDER, subject_of, working_files

Edit = Callable[[dict[str, Any]], None]


def copied(folder: Path) -> Path:
    """The project's contracts, ids and baseline in `folder`."""
    for path in FOLDER.rglob("*.avsc"):
        target = folder / path.relative_to(FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.copy(FOLDER / "ids.json", folder)
    return folder


def change(folder: Path, topic: str, edit: Edit) -> None:
    """Edit a topic's schema in place."""
    path = working_files(folder)[subject_of(topic)]
    schema = orjson.loads(path.read_bytes())
    edit(schema)
    path.write_bytes(orjson.dumps(schema))


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """A field of a record schema."""
    return next(each for each in schema["fields"] if each["name"] == name)


def new_field(name: str, **more: object) -> dict[str, Any]:
    """A field as its owner would write it."""
    return {"name": name, "owner": "finance", "data_class": "internal", "doc": "A test's.", **more}


def optional(name: str) -> dict[str, Any]:
    """A field that may be absent."""
    return new_field(name, type=["null", "string"], default=None)


def rename(was: str, name: str) -> Edit:
    """An edit: another name."""
    return lambda schema: field(schema, was).update(name=name)


def drop(name: str) -> Edit:
    """An edit: without the field."""
    return lambda schema: schema["fields"].remove(field(schema, name))


def add(new: dict[str, Any]) -> Edit:
    """An edit: a further field."""
    return lambda schema: schema["fields"].append(new)


def without_symbol(name: str, symbol: str) -> Edit:
    """An edit: an enum that no longer knows a symbol."""
    return lambda schema: field(schema, name)["type"]["symbols"].remove(symbol)


def with_symbol(name: str, symbol: str) -> Edit:
    """An edit: an enum that knows one more."""
    return lambda schema: field(schema, name)["type"]["symbols"].append(symbol)


def without_default(name: str) -> Edit:
    """An edit: an optional field that must be said."""
    return lambda schema: field(schema, name).pop("default")


def typed(name: str, kind: object) -> Edit:
    """An edit: another type."""
    return lambda schema: field(schema, name).update(type=kind)
