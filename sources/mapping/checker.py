"""Checks the names and types in a mapping: every topic, field, path and constant against a contract.

A checked mapping can still fail on a record (an unmapped code, a text that is no date); that is `Unmappable`.
"""

from collections.abc import Mapping

from schemas.schema_types import Array, AvroRecord, Enum, Field, Long, Optional, Shape, Text
from sources.mapping.ast import (
    NEXT,
    SPLIT,
    Between,
    CanonicalTemplate,
    CodeLookup,
    Collection,
    Constant,
    Each,
    Entity,
    Expression,
    First,
    Group,
    Items,
    LookUp,
    Minutes,
    Path,
    SourceMapping,
    Translate,
    parts,
)
from sources.mapping.code_map import CODE, CODE_MAP
from sources.mapping.contracts import Contracts
from sources.mapping.errors import MappingError
from sources.mapping.file_layout import check_layout
from sources.mapping.type_fit import said, takes, takes_constant
from sources.mapping.yaml_nodes import nearest

_SPLIT_FIELDS = AvroRecord(SPLIT, (Field("date", Text()), Field("minutes", Long())))
_FILLED_BY_INTAKE = ("source", "revision")


def check(mapping: SourceMapping, contracts: Contracts) -> None:
    """Raise MappingError for the first thing in the mapping that cannot mean anything."""
    _Checker(mapping, contracts).check()


class _Checker:
    def __init__(self, mapping: SourceMapping, contracts: Contracts) -> None:
        self._mapping = mapping
        self._contracts = contracts
        self._used: set[tuple[str, str]] = set()

    def check(self) -> None:
        topics: set[str] = set()
        for entity in self._mapping.entities.values():
            if entity.topic in topics:
                raise self._wrong(entity.line, f"topic {entity.topic} is another entity's already; merge the two")
            topics.add(entity.topic)
            self._check_links(entity)
            if entity.name != CODE:
                check_layout(self._mapping.file, entity, self._shape(entity.topic, entity.line))
        for entity in self._mapping.entities.values():
            for publication in entity.publish:
                self._check_publication(entity, publication)
        self._check_all_used()

    def _wrong(self, line: int, message: str) -> MappingError:
        return MappingError(self._mapping.file, line, message)

    def _shape(self, topic: str, line: int) -> AvroRecord:
        shape = self._contracts.shape(topic)
        if shape is None:
            raise self._wrong(line, f"no contract declares the topic {topic!r}; add its schema, or correct the name")
        return shape

    def _check_links(self, entity: Entity) -> None:
        """The look-ups and collections of an entity, its id and its revision: all by the record's own fields."""
        own = self._shape(entity.topic, entity.line)
        self._check_own(entity, own, entity.id)
        if entity.revision is not None:
            self._check_own(entity, own, entity.revision)
        for look_up in entity.look_ups.values():
            self._target(look_up)
            self._check_own(entity, own, look_up.id)
        for collection in entity.collections.values():
            target = self._target(collection)
            self._check_own(target, self._shape(target.topic, target.line), collection.by)
        for name in (SPLIT, NEXT):
            if name in entity.look_ups:
                raise self._wrong(
                    entity.look_ups[name].line, f"`{name}` is a word of the language; rename this look-up"
                )

    def _target(self, link: LookUp | Collection) -> Entity:
        if link.entity not in self._mapping.entities:
            hint = nearest(link.entity, self._mapping.entities)
            known = ", ".join(self._mapping.entities)
            raise self._wrong(link.line, f"{link.name} names the entity {link.entity!r}{hint}; there are {known}")
        return self._mapping.entities[link.entity]

    def _check_own(self, entity: Entity, own: AvroRecord, expression: Expression) -> None:
        # An index of these is kept as records arrive, so they cannot depend on other records.
        if isinstance(expression, Path):
            self._field(entity, own, expression.steps, expression)
        if isinstance(expression, CodeLookup):
            self._check_kind(expression)
        for part in parts(expression):
            self._check_own(entity, own, part)

    def _check_kind(self, code: CodeLookup) -> None:
        shapes = {field.name: field.shape for field in self._shape(CODE_MAP, code.line).fields}
        kinds = shapes["kind"]
        if isinstance(kinds, Enum) and code.kind not in kinds.symbols:
            hint = nearest(code.kind, kinds.symbols)
            raise self._wrong(code.line, f"kind is {code.kind!r}{hint}; it must be {said(kinds)}")

    def _check_publication(self, entity: Entity, publication: CanonicalTemplate) -> None:
        shape = self._shape(publication.topic, publication.line)
        names = {field.name for field in shape.fields}
        if not names.issuperset((*_FILLED_BY_INTAKE, "occurred_at")):
            raise self._wrong(
                publication.line,
                f"{publication.topic} is no canonical topic; publish to master.* or a transaction such as time.entries",
            )
        for name in _FILLED_BY_INTAKE:
            if name in publication.fields:
                line = publication.fields[name].line
                raise self._wrong(line, f"intake fills `{name}` itself; remove it")
        wanted = AvroRecord(shape.name, tuple(field for field in shape.fields if field.name not in _FILLED_BY_INTAKE))
        locals_ = {} if publication.split is None else {SPLIT: _SPLIT_FIELDS}
        self._check_fields(entity, publication.topic, wanted, publication.fields, publication.line, locals_)
        for expression in publication.differ:
            if not isinstance(expression, Constant):
                self._produced(entity, expression, locals_)
        if publication.split is not None:
            for expression in (
                *parts(publication.split.minutes),
                publication.split.first_day,
                publication.split.last_day,
            ):
                self._produced(entity, expression, {})

    def _check_fields(
        self,
        entity: Entity,
        what: str,
        wanted: AvroRecord,
        given: Mapping[str, Expression],
        line: int,
        locals_: Mapping[str, AvroRecord],
    ) -> None:
        shapes = {field.name: field.shape for field in wanted.fields}
        for name, expression in given.items():
            if name not in shapes:
                raise self._wrong(
                    expression.line, f"{what} has no field `{name}`{nearest(name, shapes)}; correct or remove it"
                )
            self._check_value(entity, f"{what}.{name}", shapes[name], expression, locals_)
        for name, shape in shapes.items():
            if name not in given and not isinstance(shape, Optional):
                raise self._wrong(line, f"{what} needs the field `{name}`; add it")

    def _check_value(
        self, entity: Entity, what: str, wanted: Shape, expression: Expression, locals_: Mapping[str, AvroRecord]
    ) -> None:
        match wanted, expression:
            case Optional(), Constant(None):
                return
            case Optional(inner), _:
                self._check_value(entity, what, inner, expression, locals_)
            case AvroRecord(), Group(fields):
                self._check_fields(entity, what, wanted, fields, expression.line, locals_)
            case Array(items), Items(given):
                for item in given:
                    self._check_value(entity, f"{what}[]", items, item, locals_)
            case Array(AvroRecord() as item), Each():
                self._check_each(entity, what, item, expression)
            case _, First(choices):
                for choice in choices:
                    self._check_value(entity, what, Optional(wanted), choice, locals_)
            case _, Constant(value):
                if not takes_constant(wanted, value):
                    raise self._wrong(expression.line, f"{what} must be {said(wanted)}, not {value!r}")
            case _, Translate(of, to, other=other):
                self._produced(entity, of, locals_)
                for value in (*to.values(), *(() if other is None else (other.value,))):
                    self._check_value(entity, what, Optional(wanted), Constant(value, expression.line), locals_)
            case _:
                produced = self._produced(entity, expression, locals_)
                if not takes(wanted, produced):
                    raise self._wrong(expression.line, f"{what} must be {said(wanted)}, not {said(produced)}")

    def _check_each(self, entity: Entity, what: str, item: AvroRecord, each: Each) -> None:
        collection = entity.collections.get(each.collection)
        if collection is None:
            hint = nearest(each.collection, entity.collections)
            raise self._wrong(each.line, f"{entity.name} has no collection {each.collection!r}{hint}; declare it")
        self._used.add((entity.name, collection.name))
        member = self._mapping.entities[collection.entity]
        own = self._shape(member.topic, member.line)
        self._field(member, own, each.order_by.steps, each.order_by)
        self._check_fields(member, what, item, each.fields, each.line, {NEXT: own})

    def _produced(self, entity: Entity, expression: Expression, locals_: Mapping[str, AvroRecord]) -> Shape:
        """The shape an expression has, its paths checked on the way."""
        match expression:
            case Path():
                return self._at(entity, expression, locals_)
            case Group() | Items() | Each() | Constant():
                raise self._wrong(expression.line, "a path or text is needed here")
        for part in parts(expression):
            self._produced(entity, part, locals_)
        return Long() if isinstance(expression, Minutes | Between) else Text()

    def _at(self, entity: Entity, path: Path, locals_: Mapping[str, AvroRecord]) -> Shape:
        first, *rest = path.steps
        if rest and first in locals_:
            return self._field(entity, locals_[first], tuple(rest), path)
        here, steps = entity, path.steps
        while len(steps) > 1 and steps[0] in here.look_ups:
            self._used.add((here.name, steps[0]))
            here, steps = self._mapping.entities[here.look_ups[steps[0]].entity], steps[1:]
        return self._field(here, self._shape(here.topic, here.line), steps, path)

    def _field(self, entity: Entity, shape: AvroRecord, steps: tuple[str, ...], written: Path) -> Shape:
        found: Shape = shape
        for step in steps:
            inner = found.inner if isinstance(found, Optional) else found
            fields = {field.name: field.shape for field in inner.fields} if isinstance(inner, AvroRecord) else {}
            if step not in fields:
                known = [*fields, *entity.look_ups]
                hint = nearest(step, known)
                raise self._wrong(
                    written.line, f"{written}: {entity.name} has no field or look-up `{step}`{hint}; correct the path"
                )
            found = fields[step]
        return found

    def _check_all_used(self) -> None:
        for entity in self._mapping.entities.values():
            for link in entity.links:
                if (entity.name, link.name) not in self._used:
                    raise self._wrong(link.line, f"{entity.name}.{link.name} is never used; use or remove it")
        looked_at = {link.entity for entity in self._mapping.entities.values() for link in entity.links}
        for entity in self._mapping.entities.values():
            if not entity.publish and entity.name not in looked_at:
                raise self._wrong(entity.line, f"{entity.name} publishes nothing and nothing looks there; remove it")
