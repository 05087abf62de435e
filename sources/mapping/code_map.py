"""Codes that people map: `{$code: ...}` in a mapping file as a look-up on `master.code-map` (DOMAIN §1).

The code map is one more entity of the source. So an unmapped code, a code that is mapped later and a code that is
mapped to another id are handled like a look-up that is missing, arrives or changes.
"""

from collections.abc import Mapping
from dataclasses import replace

from sources.mapping.ast import (
    Between,
    CanonicalTemplate,
    CodeLookup,
    Collection,
    Constant,
    Day,
    Each,
    Entity,
    Expression,
    First,
    Group,
    Instant,
    Items,
    LookUp,
    Match,
    Minutes,
    Number,
    Path,
    SourceMapping,
    Template,
    Translate,
    parts,
)
from sources.mapping.errors import MappingError
from topics import topic_names

CODE_MAP = topic_names.MASTER_CODE_MAP
CODE = "code"  # the name of the code map as an entity, and as a missing object in exceptions
UNMAPPED = "UNMAPPED_CODE"


def with_codes(mapping: SourceMapping) -> SourceMapping:
    """The mapping with a path to its canonical id for every code, and the look-ups of these paths.

    Raises MappingError for a code that no look-up can find.
    """
    return _Placing(mapping).placed()


def key_of(system: str, kind: str, code: str) -> str:
    """The key of a code on `master.code-map`."""
    return f"{system}:{kind}:{code}"


def unmapped(key: str) -> str:
    """The message about a code that is not on `master.code-map`."""
    # Neither a system nor a kind has a colon; a code may.
    system, kind, code = key.split(":", 2)
    return f"the {kind} code {code!r} of {system} is not mapped; map it with `hourstream exceptions map`"


class _Placing:
    def __init__(self, mapping: SourceMapping) -> None:
        self._mapping = mapping
        self._look_ups: dict[str, dict[str, LookUp]] = {name: {} for name in mapping.entities}

    def placed(self) -> SourceMapping:
        entities = {}
        for entity in self._mapping.entities.values():
            self._check_entity(entity)
            publish = tuple(self._publication(entity, publication) for publication in entity.publish)
            entities[entity.name] = replace(entity, publish=publish)
        first = next((look_up for found in self._look_ups.values() for look_up in found.values()), None)
        if first is None:
            return self._mapping
        if CODE in entities:
            raise self._wrong(entities[CODE].line, f"`{CODE}` is what $code looks up; give this entity another name")
        for name, found in self._look_ups.items():
            entities[name] = replace(entities[name], look_ups={**entities[name].look_ups, **found})
        return replace(self._mapping, entities={**entities, CODE: _code_map(first.line)})

    def _wrong(self, line: int, message: str) -> MappingError:
        return MappingError(self._mapping.file, line, message)

    def _check_entity(self, entity: Entity) -> None:
        if entity.topic == CODE_MAP:
            raise self._wrong(entity.line, f"{CODE_MAP} is read where $code is used; remove this entity")
        keys = [link.by if isinstance(link, Collection) else link.id for link in entity.links]
        for key in (entity.id, entity.revision, *keys):
            if key is not None and _holds_code(key):
                raise self._wrong(key.line, "a code is mapped in the fields of `publish` only; use the source's own id")

    def _publication(self, entity: Entity, publication: CanonicalTemplate) -> CanonicalTemplate:
        split = publication.split
        if split is not None:
            split = replace(
                split,
                minutes=replace(split.minutes, of=self._replaced(entity, split.minutes.of)),
                first_day=self._replaced(entity, split.first_day),
                last_day=self._replaced(entity, split.last_day),
            )
        differ = tuple(self._replaced(entity, each) for each in publication.differ)
        return replace(publication, fields=self._fields(entity, publication.fields), split=split, differ=differ)

    def _fields(self, entity: Entity, fields: Mapping[str, Expression]) -> dict[str, Expression]:
        return {name: self._replaced(entity, expression) for name, expression in fields.items()}

    def _replaced(self, entity: Entity, expression: Expression) -> Expression:
        """The expression with a path in place of each code."""
        match expression:
            case CodeLookup():
                return self._path(entity, expression)
            case Translate(of) | Minutes(of) | Instant(of) | Day(of) | Number(of) | Match(of):
                return replace(expression, of=self._replaced(entity, of))
            case Between(start, end):
                return replace(expression, start=self._replaced(entity, start), end=self._replaced(entity, end))
            case Group(fields):
                return replace(expression, fields=self._fields(entity, fields))
            case Items(items):
                return replace(expression, items=tuple(self._replaced(entity, item) for item in items))
            case First(choices):
                return replace(expression, choices=tuple(self._replaced(entity, choice) for choice in choices))
            case Each(collection, fields=fields):
                member = self._member(entity, collection)
                return expression if member is None else replace(expression, fields=self._fields(member, fields))
            case Constant() | Path() | Template():
                return expression

    def _member(self, entity: Entity, collection: str) -> Entity | None:
        """The entity of a collection; None if it does not exist, which `sources.mapping.checker` reports."""
        declared = entity.collections.get(collection)
        return None if declared is None else self._mapping.entities.get(declared.entity)

    def _path(self, entity: Entity, code: CodeLookup) -> Path:
        """The path to the canonical id of a code, with its look-up added to the record that has the code."""
        paths = [code.of] if isinstance(code.of, Path) else [part for part in code.of.parts if isinstance(part, Path)]
        ways = {self._way(entity, path) for path in paths}
        if len(ways) != 1:
            raise self._wrong(code.line, f"{code.of} is made of several records; a code is made of the fields of one")
        (way,) = ways
        for step in way:
            entity = self._mapping.entities[entity.look_ups[step].entity]
        own = replace(code, of=_without(code.of, len(way)))
        name = f"{code.kind} {own.of}"  # a path of a file has no blank, so no file's look-up has this name
        self._look_ups[entity.name][name] = LookUp(name, CODE, own, optional=True, missing=UNMAPPED, line=code.line)
        return Path((*way, name, "canonical_id"), code.line)

    def _way(self, entity: Entity, path: Path) -> tuple[str, ...]:
        """The look-ups a path follows from a record of `entity`."""
        way: list[str] = []
        for step in path.steps[:-1]:
            target = self._mapping.entities.get(entity.look_ups[step].entity) if step in entity.look_ups else None
            if target is None:
                break
            entity = target
            way.append(step)
        return tuple(way)


def _without(of: Path | Template, steps: int) -> Path | Template:
    """The same expression, read from the record at the end of these look-ups."""
    if isinstance(of, Path):
        return replace(of, steps=of.steps[steps:])
    pieces = (replace(part, steps=part.steps[steps:]) if isinstance(part, Path) else part for part in of.parts)
    return replace(of, parts=tuple(pieces))


def _holds_code(expression: Expression) -> bool:
    return isinstance(expression, CodeLookup) or any(_holds_code(part) for part in parts(expression))


def _code_map(line: int) -> Entity:
    system, kind, code = (Path((field,), line) for field in ("system", "kind", "code"))
    return Entity(CODE, CODE_MAP, Template((system, ":", kind, ":", code), line), Path(("revision",), line), line)
