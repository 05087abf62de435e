"""Settle, kept up incrementally: facts in; reversals, charges and exceptions out.

An event settles its coupling scope anew with `rating.settle`, the law itself, and publishes what differs from what
was published last. Which engagements looked at which master is kept in an index, so that a changed master settles
those again and no others (tables.settlement.resettle).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import NamedTuple, TypeGuard

from common.isolation import ISOLATED
from rating.exception_record import ExceptionStatus
from rating.model.charge import Settlement
from rating.model.facts import BillingPeriod, Decision, Fact, gathered, identity
from rating.model.masters import Masters
from rating.model.rating_context import parks_late_work
from rating.model.revision_order import Verdict, resolve_revision
from rating.scope import FEE_PREFIX, Coupling, Scope, coupling_of, months_of_work
from rating.settle import settle
from streaming.isolation import is_environment
from streaming.state_tables import StateRows
from tables.settlement.bucket import Published, Told, approved_minutes, name_of, subjects_in
from tables.settlement.bucket_store import BUCKETS, LOOKED, OUTCOMES, Buckets, month_of_outcomes
from tables.settlement.conflicts import close_conflict, conflict_subject, raise_conflict
from tables.settlement.counted import COUNTED, forget, forget_any
from tables.settlement.coupled_groups import buckets_of, periods_of, scope_of_bucket, work_of_month
from tables.settlement.coupled_scope import CoupledScope
from tables.settlement.exception_record import (
    OPEN,
    RESOLVED,
    StandingException,
)
from tables.settlement.large_bucket import Bucket, LargeBucket
from tables.settlement.outcome_settling import SettleInOrder, settle_all, settle_some
from tables.settlement.publications import Publication, exception_publication, publish_exception, published_next
from tables.settlement.unsettled import failed, has_failed, unsettled_minutes
from tables.settlement.waiting import WAITING_COUNT, Waiting, engagements_waiting, wait, woken
from tables.windows import Tally

NOTHING = Published()
_MOST_KNOWN = 200_000  # look-ups remembered as noted, so that memory has an end


class Change(NamedTuple):
    """What is said of a subject of a bucket from now on."""

    bucket: Bucket
    subject: str
    after: Published


class SettledBucket(NamedTuple):
    """What the rules say of subjects of a bucket; None for one that has no charge and no exception."""

    bucket: Bucket
    settlements: Mapping[str, Settlement | None]


class Settling:
    """One batch's work on one partition. Call `receive` for each fact, then `settle_touched`, then `write`."""

    def __init__(
        self,
        state: StateRows,
        masters: Masters,
        tally: Tally,
        known_lookups: set[tuple[str, str]],
        unsound: AbstractSet[str] = frozenset(),
    ) -> None:
        """`unsound` names the engagements whose terms, not their facts, are to blame where a rule fails."""
        self._state, self._masters, self._tally, self._unsound = state, masters, tally, unsound
        self._known_lookups = known_lookups  # rows of the index that are certainly there, to spare the look
        self.buckets = Buckets(state)
        self._worked_on: dict[tuple[str, str], Bucket] = {}
        self._retried: set[tuple[str, str]] = set()
        self._uncoupled: set[str] = set()  # engagements that certainly have no sums
        self._approved = Counter[str]()  # minutes by engagement, to be counted with what settling says of them
        self.publications: list[Publication] = []

    def receive(self, told: Told) -> Verdict:
        """Take one revision in. What it may affect is settled by the next `settle_touched`."""
        fact, now_ms = told.fact, told.record.timestamp_ms
        name = name_of(fact)
        _, standing = self.buckets.find(fact.engagement_id, name)
        verdict = resolve_revision(standing, fact)
        if verdict == "conflict":
            self._raise_conflict(fact, now_ms)
        if verdict == "duplicate" and standing is not None and fact.occurred_at < standing.occurred_at:
            self.buckets.place(told, now_ms)  # of equal repeats the earliest counts: it may no longer be late
        if verdict != "replaced":
            return verdict
        self._approved[fact.engagement_id] += approved_minutes(fact) - approved_minutes(standing)
        if standing is not None:
            self._close_conflict(fact, now_ms)
        self.buckets.place(told, now_ms)
        if isinstance(fact, Decision) and fact.decision == "retry":
            self._retried.add((fact.engagement_id, fact.subject))
        return verdict

    def settle_touched(self, *, waits: bool = False, no_record_to_blame: bool = False) -> int:
        """Settle every scope that `receive` touched; append to `publications` what changed, as of what touched it.

        Coupled scopes wait instead, if `waits`. Returns how many subjects change.
        """
        alone, coupled = list[tuple[Bucket, int]](), dict[tuple[str, Scope], list[tuple[Bucket, int]]]()
        self._touch_what_may_be_late()
        if not waits and WAITING_COUNT.get(self._state):
            for engagement_id in {engagement_id for engagement_id, _ in self.buckets.dirty}:
                self._wake(engagement_id)
        for key, bucket in self.buckets.dirty.items():
            touched_ms = self.buckets.touched_ms[key]
            scope = self.scope_of(*key)
            if scope is None:
                alone.append((bucket, touched_ms))
            elif waits:
                self._wait(bucket, touched_ms)
            else:
                coupled.setdefault((key[0], scope), []).append((bucket, touched_ms))
        changed = sum(self.settle(bucket, ms, no_record_to_blame, only_touched=True) for bucket, ms in alone)
        for (engagement_id, scope), touched in coupled.items():
            now_ms = max(touched_ms for _, touched_ms in touched)
            dirty = [bucket for bucket, _ in touched]
            changed += self.settle_coupled(engagement_id, scope, dirty, now_ms, no_record_to_blame)
        self.buckets.are_settled()
        self._retried.clear()
        self._tally.add(sum(self._approved.values()), "approved_minutes")
        self._approved.clear()
        return changed

    def settle_waiting(self, most: int) -> None:
        """Settle what waits, an engagement at a time, until about so many subjects have changed."""
        if not WAITING_COUNT.get(self._state):
            return
        changed = 0
        for engagement_id in engagements_waiting(self._state):
            changed += self.settle_waiting_of(engagement_id)
            if changed >= most:
                return

    def settle_waiting_of(self, engagement_id: str) -> int:
        """Settle what waits of an engagement; returns how many subjects change."""
        if not WAITING_COUNT.get(self._state):
            return 0
        self._wake(engagement_id)
        return self.settle_touched(no_record_to_blame=True)

    def _wait(self, bucket: Bucket, touched_ms: int) -> None:
        """Have a bucket wait, with what its engagement's facts of this batch are to count for once they are settled."""
        engagement_id = bucket.engagement_id
        retried = {key for key in self._retried if key[0] == engagement_id}
        self._retried -= retried
        minutes = self._approved.pop(engagement_id, 0) if self._coupling(engagement_id).time else 0
        subjects = tuple(subject for _, subject in sorted(retried))
        wait(self._state, engagement_id, bucket.name, Waiting(touched_ms, minutes, subjects))
        self._worked_on[engagement_id, bucket.name] = bucket
        bucket.is_settled()

    def _wake(self, engagement_id: str) -> None:
        rows = woken(self._state, engagement_id)
        kinds = (BUCKETS, COUNTED)
        self._state.load(kind.key(engagement_id, name) for kind in kinds for name, _ in rows)
        for name, row in rows:
            self.buckets.touch(self.buckets.bucket(engagement_id, name), None, row.touched_ms)
            self._approved[engagement_id] += row.minutes
            self._retried |= {(engagement_id, subject) for subject in row.retried}

    def _touch_what_may_be_late(self) -> None:
        """A billing period that changed may make work of its month late, or release it."""
        for (engagement_id, name), bucket in list(self.buckets.dirty.items()):
            engagement = self._masters.engagements.get(engagement_id)
            if name.startswith(FEE_PREFIX) and engagement is not None and parks_late_work(engagement):
                touched_ms = self.buckets.touched_ms[engagement_id, bucket.name]
                for late in work_of_month(self.buckets, engagement_id, name.removeprefix(FEE_PREFIX)):
                    self.buckets.touch(late, None, touched_ms)

    def scope_of(self, engagement_id: str, bucket: str) -> Scope | None:
        """The scope of a bucket that settles together with others (`buckets_of`); None for one that does not."""
        return scope_of_bucket(bucket, self._coupling(engagement_id))

    def buckets_of(self, engagement_id: str, scope: Scope) -> list[Bucket]:
        """The buckets of a coupled scope."""
        return buckets_of(self.buckets, engagement_id, self._coupling(engagement_id), scope)

    def _coupling(self, engagement_id: str) -> Coupling:
        """With terms that cannot even be asked for it, each bucket fails by itself."""
        try:
            return coupling_of(self._masters.engagements.get(engagement_id))
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return coupling_of(None)

    def settle(self, bucket: Bucket, now_ms: int, no_record_to_blame: bool = False, only_touched: bool = False) -> int:
        """Settle a bucket that nothing couples with others; returns how many subjects change.

        With `only_touched` it is enough to settle what the touched facts can change.

        Where that raises, and a record may be to blame, the error is passed on. Where none is (a changed master, or
        a scope that has failed before) the charges stay as they are and each subject is parked, until the next change.
        """
        self.forget_sums(bucket.engagement_id)
        find = partial(self._settled_alone, bucket, only_touched)
        return self._settle(lambda: [find()], lambda: [bucket], now_ms, no_record_to_blame)

    def settle_coupled(
        self, engagement_id: str, scope: Scope, dirty: Sequence[Bucket], now_ms: int, no_record_to_blame: bool = False
    ) -> int:
        """Settle what can differ of a coupled scope because of changed terms and some of its buckets; as `settle`."""
        engagement = self._masters.engagements[engagement_id]

        def whole() -> Sequence[Bucket]:
            return self.buckets_of(engagement_id, scope)

        def find() -> Sequence[SettledBucket]:
            coupled = CoupledScope(self._state, self.buckets, self._masters, engagement, scope)
            buckets = dirty
            if not coupled.are_kept():
                coupled.begin_anew()
                buckets = whole()
            found = [_found_in(bucket, subjects) for bucket, subjects in coupled.settle(buckets)]
            coupled.keep()
            self.note_lookups(engagement_id, coupled.lookups)
            return found

        return self._settle(find, whole, now_ms, no_record_to_blame)

    def forget_sums(self, engagement_id: str) -> None:
        """Forget the sums of an engagement whose terms couple nothing any more."""
        if engagement_id not in self._uncoupled and self._coupling(engagement_id) == coupling_of(None):
            self._uncoupled.add(engagement_id)
            forget_any(self._state, engagement_id)

    def _settle(
        self,
        find: Callable[[], Sequence[SettledBucket]],
        whole: Callable[[], Sequence[Bucket]],
        now_ms: int,
        no_record_to_blame: bool,
    ) -> int:
        """Publish what is found of buckets, or park the `whole` scope they are in."""
        try:
            found = find()
            changes, said = self._changes(found, now_ms)
        except Exception as error:
            scope = whole()
            if scope[0].engagement_id in self._unsound or has_failed(scope):
                no_record_to_blame = True
            if is_environment(error) or not no_record_to_blame:
                raise
            ISOLATED.log(f"{scope[0].engagement_id} {scope[0].name}", error)
            ISOLATED.count("scope")
            changes, said = self._unsettled(scope, error, now_ms)
            self._apply(scope, changes, said)
        else:
            self._apply([bucket for bucket, _ in found], changes, said)
        return len(changes)

    def _settled_alone(self, bucket: Bucket, only_touched: bool) -> SettledBucket:
        """A bucket by itself; one that settles in order with its sums made anew, or only what was touched of it."""
        if _is_in_order(bucket):
            return self._settled_in_order(bucket, settle_some if only_touched else settle_all)
        engagement_id = bucket.engagement_id
        engagement = self._masters.engagements.get(engagement_id)
        facts = gathered(told.fact for told in bucket.all_told())
        periods = periods_of(self.buckets, engagement, months_of_work(facts, engagement))
        settled = settle(engagement_id, facts, self._masters, periods)
        self.note_lookups(engagement_id, settled.lookups)
        return _found_in(bucket, settled.subjects)

    def _settled_in_order(self, bucket: LargeBucket, settle: SettleInOrder) -> SettledBucket:
        """A month of outcomes; subjects that are not found in what is settled stay as they are."""
        engagement = self._masters.engagements.get(bucket.engagement_id)
        periods: Iterable[BillingPeriod] = ()
        if engagement is not None and parks_late_work(engagement):
            periods = periods_of(self.buckets, engagement, [month_of_outcomes(bucket.name)])
        settled = settle(self._state, bucket, self._masters, tuple(periods))
        self.note_lookups(bucket.engagement_id, settled.lookups)
        subjects = (*settled.subjects, *(bucket.touched - settled.subjects.keys()))
        return SettledBucket(bucket, {subject: settled.subjects.get(subject) for subject in subjects})

    def _unsettled(
        self, scope: Sequence[Bucket], error: Exception, now_ms: int
    ) -> tuple[list[Change], list[Publication]]:
        """The exceptions of a scope that cannot be settled; charges stay as they are, sums are made anew next time."""
        changes, said = list[Change](), list[Publication]()
        forget(self._state, scope[0].engagement_id)
        for bucket in scope:
            if isinstance(bucket, LargeBucket):
                bucket.forget_sums()
            for subject, minutes in unsettled_minutes(bucket).items():
                before = bucket.published(subject) or NOTHING
                parked = failed(error, minutes)
                exception = publish_exception(
                    bucket.engagement_id, subject, before.exception, parked, now_ms, False, said
                )
                if exception is not before.exception:
                    after = Published(before.n, before.charge, before.minutes, exception)
                    changes.append(Change(bucket, subject, after))
        return changes, said

    def _changes(self, found: Sequence[SettledBucket], now_ms: int) -> tuple[list[Change], list[Publication]]:
        """What settling changes, with nothing changed yet."""
        said = list[Publication]()
        changes = [
            Change(bucket, subject, after)
            for bucket, settlements in found
            for subject, settlement in settlements.items()
            if (after := self._published_next(bucket, subject, settlement, now_ms, said)) is not None
        ]
        return changes, said

    def _published_next(
        self, bucket: Bucket, subject: str, found: Settlement | None, now_ms: int, said: list[Publication]
    ) -> Published | None:
        before, retried = bucket.published(subject) or NOTHING, (bucket.engagement_id, subject) in self._retried
        return published_next(before, bucket.engagement_id, subject, found, now_ms, retried, said)

    def _apply(self, scope: Sequence[Bucket], changes: Sequence[Change], said: Sequence[Publication]) -> None:
        self.publications += said
        for bucket, subject, after in changes:
            self._tally_minutes(bucket.published(subject) or NOTHING, -1)
            self._tally_minutes(after, 1)
            bucket.publish(subject, after)
        for bucket in scope:
            self._worked_on[bucket.engagement_id, bucket.name] = bucket
            bucket.is_settled()

    def note_lookups(self, engagement_id: str, lookups: Iterable[str]) -> None:
        """Have the engagement settled again when the answer to one of these look-ups changes."""
        if len(self._known_lookups) > _MOST_KNOWN:
            self._known_lookups.clear()
        for lookup in lookups:
            if (row := (lookup, engagement_id)) not in self._known_lookups:
                LOOKED.put(self._state, True, *row)
                self._known_lookups.add(row)

    def _raise_conflict(self, fact: Fact, now_ms: int) -> None:
        engagement = self._masters.engagements.get(fact.engagement_id)
        owner = (engagement.owner if engagement else None) or ""
        told = raise_conflict(self._state, *_conflict_key(fact), fact.revision, owner, now_ms)
        if told is not None:
            self._tell_conflict(fact, told, OPEN, now_ms)

    def _close_conflict(self, fact: Fact, now_ms: int) -> None:
        told = close_conflict(self._state, *_conflict_key(fact))
        if told is not None:
            self._tell_conflict(fact, told, RESOLVED, now_ms)

    def _tell_conflict(self, fact: Fact, told: StandingException, status: ExceptionStatus, now_ms: int) -> None:
        engagement_id, topic, id_ = _conflict_key(fact)
        self.publications.append(
            exception_publication(engagement_id, conflict_subject(topic, id_), told, status, now_ms)
        )
        self._tally_parked(told, 1 if status == OPEN else -1)

    def _tally_minutes(self, published: Published, sign: int) -> None:
        if published.charge is not None:
            self._tally.add(sign * published.minutes, "charged_minutes")
            self._tally.add(sign, "charges")
        if published.exception is not None:
            self._tally_parked(published.exception, sign)

    def _tally_parked(self, standing: StandingException, sign: int) -> None:
        parked = standing.parked
        kind = "parked" if standing.status == OPEN else "waived"
        self._tally.add(sign * parked.minutes, f"{kind}_minutes")
        self._tally.add(sign, kind, parked.code, parked.region)
        self._tally.add(sign * parked.minutes, f"{kind}_minutes_by_code", parked.code, parked.region)

    def write(self) -> None:
        """Put every bucket worked on back into the state."""
        for bucket in {**self.buckets.grown, **self._worked_on}.values():
            self.buckets.write(bucket)
        self.buckets.grown.clear()
        self._worked_on.clear()


def _is_in_order(bucket: Bucket) -> TypeGuard[LargeBucket]:
    """Whether it settles by sums of what stands before each of its facts."""
    return isinstance(bucket, LargeBucket) and bucket.name.startswith(OUTCOMES)


def _found_in(bucket: Bucket, settled: Mapping[str, Settlement]) -> SettledBucket:
    subjects = dict.fromkeys((*bucket.subjects(), *subjects_in(bucket.all_told())))
    return SettledBucket(bucket, {subject: settled.get(subject) for subject in subjects})


def _conflict_key(fact: Fact) -> tuple[str, str, str]:
    return fact.engagement_id, fact.origin.topic if fact.origin else "", identity(fact)
