"""What a workbook changes: its records against those of the topics, with the revision that each would get."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from operations.firm.known import Known, KnownRecord
from schemas.json_codec import to_json
from sources.workbook.layout import GIVEN
from sources.workbook.record_check import FirmRecord


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that differs; None where it is absent."""

    path: str
    before: object
    after: object

    def __str__(self) -> str:
        return f"{self.path} {_said(self.before)} -> {_said(self.after)}"


@dataclass(frozen=True, slots=True)
class Change:
    """A record that is new on the topics, or differs from the one there."""

    record: FirmRecord
    before: KnownRecord | None
    fields: tuple[FieldChange, ...] = ()

    @property
    def revision(self) -> int:
        """The revision that it is published in."""
        return 1 if self.before is None else self.before.revision + 1

    @property
    def name(self) -> str:
        """Topic and id, for people."""
        topic, engagement, own = self.record.identity
        return f"{topic} {f'{engagement} ' if engagement else ''}{own}"


@dataclass(slots=True)
class Changes:
    """The changes of a workbook, and how many records say what the topics say already."""

    new: list[Change] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    same: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)
    """Records of the topics that the workbook does not hold, by topic; they stay as they are."""

    @property
    def every(self) -> list[Change]:
        """New and changed records."""
        return [*self.new, *self.changed]

    @property
    def summary(self) -> str:
        """`+3 ~1 =214`: new, changed, unchanged."""
        return f"+{len(self.new)} ~{len(self.changed)} ={self.same}"


def changes_of(records: Iterable[FirmRecord], known: Known) -> Changes:
    """Compare records with the winning ones of their topics. The source and the times of a record do not count."""
    found = Changes()
    met = set()
    for record in records:
        met.add(record.identity)
        before = known.records.get(record.identity)
        if before is None:
            found.new.append(Change(record, None))
            continue
        fields = tuple(_differences("", content(before.value), content(to_json(record.topic, record.record))))
        if fields:
            found.changed.append(Change(record, before, fields))
        else:
            found.same += 1
    topics = {topic for topic, _, _ in met}
    found.elsewhere = Counter(topic for topic, *rest in known.records if topic in topics and (topic, *rest) not in met)
    return found


def content(value: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says in JSON form: without what publishing gives; an empty text is an absent one."""
    return {name: _bare(each) for name, each in value.items() if name not in GIVEN}


def _bare(value: object) -> object:
    match value:
        case "":
            return None
        case dict():
            return {name: _bare(each) for name, each in value.items()}
        case list():
            return [_bare(each) for each in value]
        case _:
            return value


def _differences(path: str, before: object, after: object) -> Iterator[FieldChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            yield from _differences(f"{path}.{name}" if path else name, before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(path, before, after)
    elif before != after:
        yield FieldChange(path, before, after)


def _of_lists(path: str, before: list[Any], after: list[Any]) -> Iterator[FieldChange]:
    """The first field of an item identifies it where each item has another value there; else its place does."""
    old, new = _named(before), _named(after)
    if old is None or new is None:
        if before != after:
            yield FieldChange(path, f"{len(before)} items", f"{len(after)} items")
        return
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new:
            yield FieldChange(f"{path}[{name}]", _short(old.get(name)), _short(new.get(name)))
        else:
            yield from _differences(f"{path}[{name}]", old[name], new[name])
    if list(old) != [name for name in new if name in old] and set(old) == set(new):
        yield FieldChange(path, "in one order", "in another")


def _named(items: list[Any]) -> dict[str, Any] | None:
    names = [str(next(iter(item.values()), "")) if isinstance(item, dict) else str(item) for item in items]
    return dict(zip(names, items, strict=True)) if len(set(names)) == len(names) else None


def _short(item: object) -> object:
    if not isinstance(item, dict):
        return item
    return ", ".join(f"{name} {value}" for name, value in item.items() if value is not None)


def _said(value: object) -> str:
    return "nothing" if value is None else str(value)
