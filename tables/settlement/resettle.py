"""A changed master settles again exactly the engagements that looked there, in chunks that survive a crash.

The cursor row is committed with each chunk: everything of `masters.current` before `applied` is settled everywhere, by
the rules of version `rules`; a sweep towards `target` has finished every bucket before (`engagement`, `bucket`). A new
version of the rules settles everything again, once. Of an engagement it settles what tables.settlement.affected says.
"""

from dataclasses import dataclass

from rating.model.charge import RULES_VERSION
from rating.scope import Scope
from streaming.state_tables import StateRows, StateTable
from tables.settlement.affected import Affected
from tables.settlement.bucket_store import LOOKED
from tables.settlement.engine import Settling
from tables.settlement.masters_snapshot import Snapshot
from topics import state_keys

CHUNK_SUBJECTS = 20_000
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class ResettleCursor:
    """How far a partition has applied `masters.current`, by which rules, and where a sweep under way stands."""

    applied: int = 0
    target: int | None = None
    engagement: str = ""
    bucket: str = ""
    rules: str = ""

    def is_behind(self, snapshot: Snapshot) -> bool:
        """Whether anything may have to be settled again."""
        return self.applied < snapshot.end or self.rules != RULES_VERSION


CURSOR = StateTable(state_keys.CURSOR, ResettleCursor)  # () -> the cursor; a live row, so that status pages see it


def sweep(state: StateRows, snapshot: Snapshot, settling: Settling, budget: int = CHUNK_SUBJECTS) -> bool:
    """Settle the next chunk of what changed masters touch; True when nothing is left to do.

    With a snapshot ahead of the target the chunk is simply settled with newer masters: settle does not depend on
    order, and the next sweep finds nothing to change there.
    """
    cursor = CURSOR.get(state) or ResettleCursor()
    if not cursor.is_behind(snapshot):
        return True
    target = snapshot.end if cursor.target is None else cursor.target
    by_these_rules = cursor.rules == RULES_VERSION
    now_ms = snapshot.changed_at_ms(cursor.applied if by_these_rules else 0)
    engagements = _engagements(state, snapshot.touched_since(cursor.applied) if by_these_rules else None)
    done = 0
    for engagement_id in sorted(each for each in engagements if each >= cursor.engagement):
        start = cursor.bucket if engagement_id == cursor.engagement else ""
        affected = Affected.by(engagement_id, engagements[engagement_id])
        stopped_at = _sweep_engagement(settling, engagement_id, affected, start, now_ms, budget - done)
        done += stopped_at.subjects
        if stopped_at.place is not None:
            CURSOR.put(state, ResettleCursor(cursor.applied, target, engagement_id, stopped_at.place, cursor.rules))
            return False
    CURSOR.put(state, ResettleCursor(target, rules=RULES_VERSION))
    return target >= snapshot.end


def _engagements(state: StateRows, lookups: frozenset[str] | None) -> dict[str, set[str] | None]:
    """Who looked where of these look-ups; None for an engagement of which everything is to be settled."""
    if lookups is None:
        return {engagement: None for (_, engagement), _ in LOOKED.scan(state)}
    found: dict[str, set[str] | None] = {}
    for lookup in lookups:
        for (_, engagement), _ in LOOKED.scan(state, lookup):
            looked = found.setdefault(engagement, set())
            if looked is not None:
                looked.add(lookup)
    return found


@dataclass(frozen=True, slots=True)
class _Stop:
    subjects: int
    place: str | None  # the last bucket or scope done, when the budget ended before the engagement did


def _sweep_engagement(
    settling: Settling, engagement_id: str, affected: Affected, after: str, now_ms: int, budget: int
) -> _Stop:
    """First the buckets that settle by themselves, then the scopes, in order: the place says what is done."""
    subjects, scopes = settling.settle_waiting_of(engagement_id), dict[Scope, list[str]]()
    for name in affected.names(settling.buckets):
        scope = settling.scope_of(engagement_id, name)
        if scope is not None:
            scopes.setdefault(scope, []).append(name)
        elif name > after:
            bucket = settling.buckets.bucket(engagement_id, name)
            subjects += settling.settle(bucket, now_ms, no_record_to_blame=True)
            if subjects >= budget:
                return _Stop(subjects, name)
    for scope in sorted(scopes, key=_place):
        if _place(scope) > after:
            dirty = [
                settling.buckets.bucket(engagement_id, name)
                for name in affected.of_scope(settling.buckets, scopes[scope])
            ]
            subjects += settling.settle_coupled(engagement_id, scope, dirty, now_ms, no_record_to_blame=True)
            if subjects >= budget:
                return _Stop(subjects, _place(scope))
    return _Stop(subjects, None)


def _place(scope: Scope) -> str:
    """A coupled scope among the places of an engagement: after every bucket."""
    return "".join((_LAST, *scope.of))
