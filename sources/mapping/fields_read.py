"""The fields that a mapping reads of its source's records: the contract of an intake, taken from its file."""

from collections.abc import Iterator, Mapping

from sources.mapping.ast import Each, Entity, Expression, LookUp, Path, SourceMapping, expressions, parts


def fields_read(mapping: SourceMapping) -> Mapping[str, tuple[str, ...]]:
    """{topic: names of the fields that the mapping reads of its records}, sorted."""
    found: dict[str, set[str]] = {entity.topic: set() for entity in mapping.entities.values()}
    for entity in mapping.entities.values():
        for expression in _of_entity(entity):
            for topic, name in _fields(mapping, entity, expression):
                found[topic].add(name)
    return {topic: tuple(sorted(names)) for topic, names in found.items()}


def _of_entity(entity: Entity) -> Iterator[Expression]:
    yield entity.id
    if entity.revision is not None:
        yield entity.revision
    for look_up in entity.look_ups.values():
        yield look_up.id
    for publication in entity.publish:
        yield from expressions(publication)


def _fields(mapping: SourceMapping, entity: Entity, expression: Expression) -> Iterator[tuple[str, str]]:
    """(topic, field) of every value that an expression takes from a record of `entity` and its look-ups."""
    if isinstance(expression, Path):
        yield from _along(mapping, entity, expression)
    if isinstance(expression, Each):
        collection = entity.collections[expression.collection]
        members = mapping.entities[collection.entity]
        for inner in (collection.by, expression.order_by, *expression.fields.values()):
            yield from _fields(mapping, members, inner)
    for part in parts(expression):
        yield from _fields(mapping, entity, part)


def _along(mapping: SourceMapping, entity: Entity, path: Path) -> Iterator[tuple[str, str]]:
    here, steps = entity, list(path.steps)
    while len(steps) > 1 and isinstance(look_up := here.look_ups.get(steps[0]), LookUp):
        here, steps = mapping.entities[look_up.entity], steps[1:]
    if steps[0] not in ("split", "next"):
        yield here.topic, steps[0]
