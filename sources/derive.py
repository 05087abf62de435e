"""Applies a mapping to one source record, field by field; it numbers and compares nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from sources.mapping.ast import SPLIT, CanonicalTemplate, Each, Expression, Path, SourceMapping, Split, parts
from sources.mapping.contracts import Json
from sources.mapping.evaluator import RecordScope, evaluate, fields_of
from sources.mapping.split import divided, weekdays
from sources.state import SystemRows


@dataclass(frozen=True, slots=True)
class DerivedRecord:
    """A canonical record as the mapping makes it, in JSON form, without `source` and `revision`."""

    topic: str
    content: dict[str, Json]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A publication, its fields parted into those of the whole record and those of each day."""

    topic: str
    fixed: Mapping[str, Expression]
    daily: Mapping[str, Expression]
    split: Split | None
    differ: tuple[Expression, ...]


class Deriver:
    """The publications of a mapping."""

    def __init__(self, mapping: SourceMapping) -> None:
        self._mapping = mapping
        self._plans = {
            entity.name: tuple(_plan(publication) for publication in entity.publish)
            for entity in mapping.entities.values()
        }

    def publishes(self, entity: str) -> bool:
        """Whether the mapping publishes records of this entity."""
        return bool(self._plans[entity])

    def derive(self, rows: SystemRows, entity: str, record_id: str, record: Mapping[str, Json]) -> list[DerivedRecord]:
        """The canonical records of a source record. Raises Missing or Unmappable."""
        scope = RecordScope(self._mapping, rows, self._mapping.entities[entity], record_id, record)
        return [made for plan in self._plans[entity] for made in _made(plan, scope)]


def _plan(publication: CanonicalTemplate) -> _Plan:
    daily = {name: value for name, value in publication.fields.items() if _is_daily(value)}
    fixed = {name: value for name, value in publication.fields.items() if name not in daily}
    return _Plan(publication.topic, fixed, daily, publication.split, publication.differ)


def _is_daily(expression: Expression) -> bool:
    if isinstance(expression, Path):
        return len(expression.steps) > 1 and expression.steps[0] == SPLIT
    return not isinstance(expression, Each) and any(_is_daily(part) for part in parts(expression))


def _made(plan: _Plan, scope: RecordScope) -> list[DerivedRecord]:
    if plan.differ:
        first, *others = (evaluate(each, scope) for each in plan.differ)
        if first in others:
            return []
    fixed = fields_of(plan.fixed, scope)
    if plan.split is None:
        return [DerivedRecord(plan.topic, fixed)]
    return [DerivedRecord(plan.topic, {**fixed, **daily}) for daily in _each_day(plan.split, plan.daily, scope)]


def _each_day(split: Split, fields: Mapping[str, Expression], scope: RecordScope) -> list[dict[str, Json]]:
    minutes = evaluate(split.minutes, scope)
    try:
        days = weekdays(str(evaluate(split.first_day, scope)), str(evaluate(split.last_day, scope)))
    except ValueError as no_period:
        raise scope.unmappable(str(no_period)) from None
    found = []
    for day, share in zip(days, divided(_as_int(minutes), len(days)), strict=True):
        scope.locals[SPLIT] = {"date": day, "minutes": share}
        found.append(fields_of(fields, scope))
    return found


def _as_int(value: Json) -> int:
    # `Minutes` returns nothing else; repeated for the type checker.
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no number of minutes")
    return value
