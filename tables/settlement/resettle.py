"""A changed master settles again exactly the engagements that looked there, in chunks that survive a crash.

The cursor row is committed with each chunk: everything of `masters.current` before `applied` is settled everywhere, by
the rules of version `rules`; a sweep towards `target` has finished every bucket before (`engagement`, `bucket`). A new
version of the rules settles everything again, once.
"""

from dataclasses import dataclass

from rating.model.charge import RULES_VERSION
from rating.scope import Scope
from streaming.state_tables import StateRows, StateTable
from tables.settlement.bucket_store import LOOKED
from tables.settlement.engine import Settling
from tables.settlement.masters_snapshot import Snapshot
from topics import state_keys

CHUNK_SUBJECTS = 20_000


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
    engagements = _engagements(state, snapshot.touched_since(cursor.applied) if by_these_rules else None, cursor)
    done = 0
    for engagement_id in engagements:
        start = cursor.bucket if engagement_id == cursor.engagement else ""
        stopped_at = _sweep_engagement(settling, engagement_id, start, now_ms, budget - done)
        done += stopped_at.subjects
        if stopped_at.bucket is not None:
            CURSOR.put(state, ResettleCursor(cursor.applied, target, engagement_id, stopped_at.bucket, cursor.rules))
            return False
    CURSOR.put(state, ResettleCursor(target, rules=RULES_VERSION))
    return target >= snapshot.end


def _engagements(state: StateRows, lookups: frozenset[str] | None, cursor: ResettleCursor) -> list[str]:
    """Who looked there (None: anywhere), from where the cursor stands on."""
    if lookups is None:
        looked = {engagement for (_, engagement), _ in LOOKED.scan(state)}
    else:
        looked = {engagement for lookup in lookups for (_, engagement), _ in LOOKED.scan(state, lookup)}
    return sorted(engagement for engagement in looked if engagement >= cursor.engagement)


@dataclass(frozen=True, slots=True)
class _Stop:
    subjects: int
    bucket: str | None  # the last bucket done, when the budget ended before the engagement did


def _sweep_engagement(settling: Settling, engagement_id: str, after: str, now_ms: int, budget: int) -> _Stop:
    subjects, done = 0, set[Scope]()
    for bucket in settling.buckets.from_name(engagement_id, after):
        scope = settling.scope_of(bucket)
        if bucket.name == after or scope in done:
            continue
        if scope is None:
            subjects += settling.settle(bucket, now_ms, no_record_to_blame=True)
        else:
            done.add(scope)
            together = settling.buckets_of(engagement_id, scope)
            subjects += settling.settle_coupled(engagement_id, scope, together, now_ms, no_record_to_blame=True)
        if subjects >= budget and scope is None:  # a coupled scope is never cut in two
            return _Stop(subjects, bucket.name)
    return _Stop(subjects, None)
