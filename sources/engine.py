"""Intake's engine: a source record in, new revisions of canonical records out; pure over a partition's state.

The canonical records are a function of the present source records, so the order of arrival does not matter (except for
revisions of one record). A record waits for its look-ups. A look-up that arrives, changes or goes maps its dependents
again. A canonical record that is no longer made, also because its source record waits again or cannot be mapped, is
withdrawn.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from sources import reviews
from sources.canonical import Canonical, NewRevision, changes
from sources.derive import DerivedRecord, Deriver
from sources.mapping.ast import Entity, Expression, SourceMapping
from sources.mapping.code_map import CODE
from sources.mapping.contracts import Contracts, DeclaredContracts
from sources.mapping.dependency_routes import Link, links_in, routes_to
from sources.mapping.errors import MissingLookup, Unmappable, Unusable
from sources.mapping.evaluator import RecordScope, link_id
from sources.revision_order import arrived, winner
from sources.state import MappingFault, MappingOutcome, RowState, SourceOrigin, SourceRecordState, SystemRows

__all__ = [
    "CONFLICT",
    "OPEN",
    "RESOLVED",
    "Applied",
    "Canonical",
    "Mapper",
    "MappingProblem",
    "RowState",
    "SourceOrigin",
]

CONFLICT = "SAME_REVISION_DIFFERENT_CONTENT"
OPEN, RESOLVED = "open", "resolved"


@dataclass(frozen=True, slots=True)
class MappingProblem:
    """A change of the exception `source:SYSTEM:ENTITY:ID`; `status` is OPEN or RESOLVED, `missing` (kind, id)."""

    subject: str
    code: str
    message: str
    status: str
    first_seen_ms: int
    attempts: int
    origin: SourceOrigin
    missing: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Applied:
    """The effects of one source record, in the order of publication."""

    canonical: list[Canonical] = field(default_factory=list)
    problems: list[MappingProblem] = field(default_factory=list)


class Mapper:
    """A mapping at work."""

    def __init__(self, mapping: SourceMapping, contracts: Contracts | None = None) -> None:
        self.mapping = mapping
        self._contracts = contracts or DeclaredContracts()
        self._entities = {entity.topic: entity for entity in mapping.entities.values()}
        self._order = {name: place for place, name in enumerate(mapping.entities)}
        self._deriver = Deriver(mapping)
        self._routes = routes_to(mapping)
        self._linked_by = {name: _linked_by(mapping, links_in(self._routes), name) for name in mapping.entities}

    def apply(
        self,
        state: RowState,
        topic: str,
        key: str,
        record: Mapping[str, object] | None,
        origin: SourceOrigin,
        hold: str | None = None,
    ) -> Applied:
        """Take a record of one of the mapping's topics (None: the source deleted it) at its position in Kafka.

        A revision not above the stored one, and equal content where there are no revisions, change nothing; nor does a
        code or review of another system. A record with a `hold` makes nothing until a review of it arrives. Raises
        Unusable for a record that cannot be kept (a dead letter), KeyError for a topic of no entity.
        """
        if topic == reviews.TOPIC:
            return self._review(state, record, origin)
        entity = self._entities[topic]
        if entity.name == CODE and record is not None and record["system"] != self.mapping.system:
            return Applied()
        rows = SystemRows(state, self.mapping.system)
        before = rows.standing(entity.name, key)
        after = None
        if record is not None:
            new = arrived(self.mapping, rows, entity, key, record, origin)
            after = winner(before, msgspec.structs.replace(new, held=hold))
        applied = Applied()
        if after == before:
            return applied
        affected = self._dependents(rows, entity, key, before)
        rows.set_standing(entity.name, key, after)
        self._relink(rows, entity, key, before, after)
        affected |= self._dependents(rows, entity, key, after)
        if self._deriver.publishes(entity.name):
            affected.add((entity.name, key))
        for name, record_id in sorted(affected, key=self._place):
            self._make(rows, name, record_id, origin, applied)
        return applied

    def _review(self, state: RowState, review: Mapping[str, object] | None, origin: SourceOrigin) -> Applied:
        """Take a review, which may come before its record."""
        applied = Applied()
        if review is None or review["system"] != self.mapping.system:
            return applied
        rows, (entity, record_id) = SystemRows(state, self.mapping.system), reviews.review_of(review)
        if entity not in self.mapping.entities:
            raise Unusable(f"{self.mapping.system} has no entity {entity!r}")
        kept = {"verdict": review["verdict"], "message": review["message"]}
        rows.set_standing(reviews.REVIEW, f"{entity}:{record_id}", SourceRecordState(kept, None, origin))
        if self._deriver.publishes(entity) and rows.standing(entity, record_id) is not None:
            self._make(rows, entity, record_id, origin, applied)
        return applied

    def waiting(self, state: RowState) -> dict[str, int]:
        """The number of waiting records, by the entity of the first missing look-up."""
        return SystemRows(state, self.mapping.system).waiting()

    def waiting_records(self, state: RowState) -> Iterator[tuple[str, str, tuple[str, str]]]:
        """(entity, id, (entity, id) missing) of each waiting record, read through all of the state."""
        return SystemRows(state, self.mapping.system).waiting_records()

    def _place(self, record: tuple[str, str]) -> tuple[int, int, str]:
        return self._order[record[0]], len(record[1]), record[1]

    def _dependents(
        self, rows: SystemRows, entity: Entity, record_id: str, standing: SourceRecordState | None
    ) -> set[tuple[str, str]]:
        """The published records made of this one, back along every route that ends here."""
        found: set[tuple[str, str]] = set()
        for route in self._routes[entity.name]:
            *links, last = route.links
            ids = self._owners(rows, last, {record_id: standing})
            for link in reversed(links):
                ids = self._owners(rows, link, {name: rows.standing(link.target, name) for name in ids})
            found.update((route.publisher, publisher_id) for publisher_id in ids)
        return found

    def _owners(self, rows: SystemRows, link: Link, targets: Mapping[str, SourceRecordState | None]) -> set[str]:
        """The ids of the owners of a link to these targets."""
        if not link.is_collection:
            return {owner for target in targets for owner in rows.linked(link.index, target)}
        member, by = self.mapping.entities[link.target], self._by(link)
        owners = {self._link_id(rows, member, name, by, standing) for name, standing in targets.items()}
        return {owner for owner in owners if owner is not None}

    def _by(self, link: Link) -> Expression:
        return self.mapping.entities[link.owner].collections[link.name].by

    def _link_id(
        self,
        rows: SystemRows,
        entity: Entity,
        record_id: str,
        expression: Expression,
        standing: SourceRecordState | None,
    ) -> str | None:
        if standing is None:
            return None
        try:
            return link_id(expression, RecordScope(self.mapping, rows, entity, record_id, standing.record))
        except Unmappable:
            # Not linked; every record made of this one reports it as its own exception.
            return None

    def _relink(
        self,
        rows: SystemRows,
        entity: Entity,
        record_id: str,
        before: SourceRecordState | None,
        after: SourceRecordState | None,
    ) -> None:
        for index, expression in self._linked_by[entity.name]:
            old = self._link_id(rows, entity, record_id, expression, before)
            new = self._link_id(rows, entity, record_id, expression, after)
            if old != new:
                if old is not None:
                    rows.unlink(index, old, record_id)
                if new is not None:
                    rows.link(index, new, record_id)

    def _make(self, rows: SystemRows, entity: str, record_id: str, trigger: SourceOrigin, applied: Applied) -> None:
        """Map a source record again, keep the outcome, and return the changes."""
        standing = rows.standing(entity, record_id)
        before = rows.outcome(entity, record_id)
        origin = trigger if standing is None else standing.origin
        missing: tuple[str, str] | None = None
        fault: Unmappable | None = None
        try:
            counted = standing is not None and reviews.counts(rows, entity, record_id, standing)
            derived = self._deriver.derive(rows, entity, record_id, standing.record) if standing and counted else []
            found = self._changes(before, derived)
        except MissingLookup as look_up:
            missing, found = (look_up.entity, look_up.record_id), self._changes(before, [])
        except Unmappable as unmappable:
            fault, found = unmappable, self._changes(before, [])
        if fault is None and standing is not None and standing.conflict is not None:
            fault = Unmappable(standing.conflict, CONFLICT)
        if fault is None and standing is not None:
            fault = reviews.question(rows, entity, record_id, standing)
        published = before.published | {change.identity: change.published for change in found}
        after = MappingOutcome(published, missing, _fault(before.fault, fault, trigger))
        rows.set_outcome(entity, record_id, before, after)
        revision = None if standing is None else standing.revision
        applied.canonical.extend(
            Canonical(
                change.published.topic,
                change.checked.key,
                change.checked.record,
                origin,
                f"{entity}:{record_id}",
                revision,
            )
            for change in found
        )
        applied.problems.extend(_problems(f"source:{self.mapping.system}:{entity}:{record_id}", before, after, origin))

    def _changes(self, before: MappingOutcome, derived: list[DerivedRecord]) -> tuple[NewRevision, ...]:
        return changes(self.mapping.system, self._contracts, before.published, derived)


def _linked_by(mapping: SourceMapping, links: Iterable[Link], entity: str) -> list[tuple[str, Expression]]:
    """The indexes that hold records of an entity, with the indexed value."""
    found: list[tuple[str, Expression]] = []
    for link in links:
        if not link.is_collection and link.owner == entity:
            found.append((link.index, mapping.entities[entity].look_ups[link.name].id))
        if link.is_collection and link.target == entity:
            found.append((link.index, mapping.entities[link.owner].collections[link.name].by))
    return found


def _fault(before: MappingFault | None, found: Unmappable | None, trigger: SourceOrigin) -> MappingFault | None:
    if found is None:
        return None
    if before is None:
        return MappingFault(found.code, found.message, trigger.timestamp_ms, 1, found.missing)
    return MappingFault(found.code, found.message, before.first_seen_ms, before.attempts + 1, found.missing)


def _problems(
    subject: str, before: MappingOutcome, after: MappingOutcome, origin: SourceOrigin
) -> Iterator[MappingProblem]:
    old, new = before.fault, after.fault
    if new is not None and (old is None or (old.code, old.message) != (new.code, new.message)):
        yield _problem(subject, new, OPEN, origin)
    if new is None and old is not None:
        yield _problem(subject, old, RESOLVED, origin)


def _problem(subject: str, fault: MappingFault, status: str, origin: SourceOrigin) -> MappingProblem:
    return MappingProblem(
        subject, fault.code, fault.message, status, fault.first_seen_ms, fault.attempts, origin, fault.missing
    )
