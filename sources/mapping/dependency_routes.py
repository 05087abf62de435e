"""Routes from a look-up back to the source records that depend on it, computed once per mapping.

`time.entries` is made of a line, its timecard and that timecard's period; so a period's change must find all lines of
all timecards of that period. A route lists the links from the publishing entity to the one looked up.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sources.mapping.ast import Each, Entity, Expression, Path, SourceMapping, expressions, parts


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A look-up (`owner` names the target by id) or a collection (the members name the owner by id)."""

    owner: str
    name: str
    target: str
    is_collection: bool

    @property
    def index(self) -> str:
        """The name of the index that is kept of it: of the records that hold the id."""
        return f"{self.owner}.{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """The links from a publishing entity to the one looked up."""

    publisher: str
    links: tuple[Link, ...]


def routes_to(mapping: SourceMapping) -> dict[str, tuple[Route, ...]]:
    """For every entity, the routes that end there, in a fixed order."""
    found: dict[str, set[Route]] = {name: set() for name in mapping.entities}
    for entity in mapping.entities.values():
        for publication in entity.publish:
            for expression in expressions(publication):
                for links in _links(mapping, entity, expression):
                    for length in range(1, len(links) + 1):
                        found[links[length - 1].target].add(Route(entity.name, links[:length]))
    return {name: tuple(sorted(routes)) for name, routes in found.items()}


def links_in(routes: dict[str, tuple[Route, ...]]) -> tuple[Link, ...]:
    """Every link of every route: what indexes are kept of."""
    return tuple(sorted({link for found in routes.values() for route in found for link in route.links}))


def _links(mapping: SourceMapping, entity: Entity, expression: Expression) -> Iterator[tuple[Link, ...]]:
    """The chains of links an expression follows from a record of `entity`."""
    if isinstance(expression, Path):
        yield _along(mapping, entity, expression)
    if isinstance(expression, Each):
        collection = entity.collections[expression.collection]
        first = Link(entity.name, collection.name, collection.entity, is_collection=True)
        yield (first,)
        for inner in expression.fields.values():
            for links in _links(mapping, mapping.entities[collection.entity], inner):
                yield (first, *links)
    for part in parts(expression):
        yield from _links(mapping, entity, part)


def _along(mapping: SourceMapping, entity: Entity, path: Path) -> tuple[Link, ...]:
    links: list[Link] = []
    here = entity
    for step in path.steps[:-1]:
        if step not in here.look_ups:
            break
        target = here.look_ups[step].entity
        links.append(Link(here.name, step, target, is_collection=False))
        here = mapping.entities[target]
    return tuple(links)
