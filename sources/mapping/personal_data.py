"""Checks that a mapping works on encrypted personal data: it passes an erasable field on and does not read it.

Intake cannot read an encrypted text. It may stand in a field or in text, and be the person's code; no number, day,
look-up or id can be made of it.
"""

from collections.abc import Iterator

from schemas.persons import persons_of
from sources.mapping.ast import (
    CodeLookup,
    Collection,
    Each,
    Entity,
    Expression,
    First,
    Group,
    Items,
    Path,
    SourceMapping,
    Template,
    parts,
)
from sources.mapping.code_map import CODE
from sources.mapping.errors import MappingError

CONSULTANT = "consultant"  # the kind of codes that are persons


def check_personal(mapping: SourceMapping) -> None:
    """Raise MappingError for the first use of a field that cannot be made once the field is sealed."""
    for entity in mapping.entities.values():
        for link in entity.links:
            if isinstance(link, Collection):
                _check_unused(mapping, mapping.entities[link.entity], link.by)
            elif link.entity == CODE and isinstance(link.id, CodeLookup):
                _check_code(mapping, entity, link.id)
            else:
                _check_unused(mapping, entity, link.id)
        for own in (entity.id, entity.revision):
            if own is not None:
                _check_unused(mapping, entity, own)
        for publication in entity.publish:
            for expression in publication.fields.values():
                _check_passed_on(mapping, entity, expression)
            if publication.split is not None:
                for each in (publication.split.minutes, publication.split.first_day, publication.split.last_day):
                    _check_unused(mapping, entity, each)


def _check_passed_on(mapping: SourceMapping, entity: Entity, expression: Expression) -> None:
    match expression:
        case Path() | Template():
            return
        case First() | Group() | Items():
            for part in parts(expression):
                _check_passed_on(mapping, entity, part)
        case Each(collection, fields=fields):
            member = mapping.entities[entity.collections[collection].entity]
            for field in fields.values():
                _check_passed_on(mapping, member, field)
        case _:
            _check_unused(mapping, entity, expression)


def _check_unused(mapping: SourceMapping, entity: Entity, expression: Expression) -> None:
    for path, field in _erasable(mapping, entity, expression):
        raise MappingError(
            mapping.file,
            path.line,
            f"{path}: `{field}` is erased with its person, so nothing can be made of it; pass it on as it is, or take "
            "`erasable` from its schema",
        )


def _check_code(mapping: SourceMapping, entity: Entity, code: CodeLookup) -> None:
    """A code of a person must be the person's identity; otherwise the mapped and the erased person would differ."""
    persons = persons_of(entity.topic)
    written = str(code.of) if isinstance(code.of, Template) else f"${{{'.'.join(code.of.steps)}}}"
    for path, field in _erasable(mapping, entity, code):
        if persons is None or written != persons.person or code.kind != CONSULTANT:
            raise MappingError(
                mapping.file,
                path.line,
                f"the code {code.of} holds `{field}`, which is erased with its person; the code must be that person, "
                f"of kind {CONSULTANT}, as {entity.topic}'s schema says: {persons.person if persons else 'no person'}",
            )


def _erasable(mapping: SourceMapping, entity: Entity, expression: Expression) -> Iterator[tuple[Path, str]]:
    """The paths in an expression that end at a field erased with its person."""
    if isinstance(expression, Path):
        here, steps = entity, expression.steps
        while len(steps) > 1 and steps[0] in here.look_ups:
            here, steps = mapping.entities[here.look_ups[steps[0]].entity], steps[1:]
        persons = persons_of(here.topic)
        if persons is not None and steps[0] in persons.erasable:
            yield expression, steps[0]
    for part in parts(expression):
        yield from _erasable(mapping, entity, part)
