"""Settle, kept up incrementally: facts in; reversals, charges and exceptions out.

An event settles its coupling scope anew with `rating.settle`, the law itself, and publishes what differs from what
was published last. Which engagements looked at which master is kept in an index, so that a changed master settles
those again and no others (tables.settlement.resettle).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeGuard

from common.timestamps import instant
from rating.model.charge import Charge, Parked, Settled, Settlement, negated, same_billing
from rating.model.facts import BillingPeriod, Decision, Fact, gathered, identity
from rating.model.ids import charge_id
from rating.model.master_data import Cap, Retainer
from rating.model.masters import Masters
from rating.model.rating_context import parks_late_work
from rating.model.revision_order import Verdict, judge
from rating.scope import FEE_PREFIX, Coupling, Scope, coupling_of, months_of_work, sole_coupling
from rating.settle import settle
from rating.time.shared import WHOLE, Shared
from schemas.codec import encode
from streaming.state_tables import StateRows
from tables.settlement.bucket import Published, Told, approved_minutes, name_of, subjects_in
from tables.settlement.bucket_store import LOOKED, OUTCOMES, TIME, Buckets, month_of_outcomes
from tables.settlement.cap_sums import CapSums
from tables.settlement.charge_record import READY, charge_record
from tables.settlement.conflicts import close_conflict, conflict_subject, raise_conflict
from tables.settlement.coupled_groups import buckets_of, periods_of, scope_of_bucket, work_of_month
from tables.settlement.exception_record import (
    EXCEPTIONS,
    OPEN,
    RESOLVED,
    StandingException,
    advance,
    exception_record,
)
from tables.settlement.large_bucket import Bucket, LargeBucket
from tables.settlement.outcome_settling import SettleInOrder, settle_all, settle_some
from tables.settlement.retainer_sums import RetainerSums
from tables.windows import Tally

NOTHING = Published()
_MOST_KNOWN = 200_000  # look-ups remembered as noted, so that memory has an end


class Publication(NamedTuple):
    """One record for `billing.ready` or `billing.exceptions`, keyed by its engagement.

    `outcome` is the name of its live figure: charged, reversed, or the exception's status; `decided_ms` is the append
    time of what caused it.
    """

    topic: str
    engagement_id: str
    value: bytes
    outcome: str
    decided_ms: int


class Settling:
    """One batch's work on one partition. Call `receive` for each fact, then `settle_touched`, then `write`."""

    def __init__(self, state: StateRows, masters: Masters, tally: Tally, known_lookups: set[tuple[str, str]]) -> None:
        self._state, self._masters, self._tally = state, masters, tally
        self._known_lookups = known_lookups  # rows of the index that are certainly there, to spare the look
        self.buckets = Buckets(state)
        self._worked_on: dict[tuple[str, str], Bucket] = {}
        self._retried: set[tuple[str, str]] = set()
        self.publications: list[Publication] = []

    def receive(self, told: Told) -> Verdict:
        """Take one revision in. What it may affect is settled by the next `settle_touched`."""
        fact, now_ms = told.fact, told.record.timestamp_ms
        name = name_of(fact)
        _, standing = self.buckets.find(fact.engagement_id, name)
        verdict = judge(standing, fact)
        if verdict == "conflict":
            self._raise_conflict(fact, now_ms)
        if verdict == "duplicate" and standing is not None and fact.occurred_at < standing.occurred_at:
            self.buckets.place(told, now_ms)  # of equal repeats the earliest counts: it may no longer be late
        if verdict != "replaced":
            return verdict
        self._tally.add(approved_minutes(fact) - approved_minutes(standing), "approved_minutes")
        if standing is not None:
            self._close_conflict(fact, now_ms)
        self.buckets.place(told, now_ms)
        if isinstance(fact, Decision) and fact.decision == "retry":
            self._retried.add((fact.engagement_id, fact.subject))
        return verdict

    def settle_touched(self) -> None:
        """Settle every scope that `receive` touched; append to `publications` what changed, as of what touched it."""
        alone, coupled = list[tuple[Bucket, int]](), dict[tuple[str, Scope], list[tuple[Bucket, int]]]()
        self._touch_what_may_be_late()
        for key, bucket in self.buckets.dirty.items():
            touched_ms = self.buckets.touched_ms[key]
            scope = self.scope_of(bucket)
            if scope is None:
                alone.append((bucket, touched_ms))
            else:
                coupled.setdefault((key[0], scope), []).append((bucket, touched_ms))
        for bucket, touched_ms in alone:
            if _is_in_order(bucket):
                self._settle_in_order(bucket, settle_some, touched_ms)
            else:
                self.settle([bucket], touched_ms)
        for (engagement_id, scope), touched in coupled.items():
            now_ms = max(touched_ms for _, touched_ms in touched)
            if not self._settle_days(engagement_id, [bucket for bucket, _ in touched], now_ms):
                self.settle(self.buckets_of(engagement_id, scope), now_ms)
        self.buckets.dirty.clear()
        self.buckets.touched_ms.clear()
        self._retried.clear()

    def _touch_what_may_be_late(self) -> None:
        """A billing period that changed may make work of its month late, or release it."""
        for (engagement_id, name), bucket in list(self.buckets.dirty.items()):
            engagement = self._masters.engagements.get(engagement_id)
            if name.startswith(FEE_PREFIX) and engagement is not None and parks_late_work(engagement):
                touched_ms = self.buckets.touched_ms[engagement_id, bucket.name]
                for late in work_of_month(self.buckets, engagement_id, name.removeprefix(FEE_PREFIX)):
                    self.buckets.touch(late, None, touched_ms)

    def scope_of(self, bucket: Bucket) -> Scope | None:
        """The scope of a bucket that settles together with others (`buckets_of`); None for one that does not."""
        return scope_of_bucket(bucket.name, self._coupling(bucket.engagement_id))

    def buckets_of(self, engagement_id: str, scope: Scope) -> list[Bucket]:
        """The buckets of a coupled scope."""
        return buckets_of(self.buckets, engagement_id, self._coupling(engagement_id), scope)

    def _coupling(self, engagement_id: str) -> Coupling:
        return coupling_of(self._masters.engagements.get(engagement_id))

    def settle(self, scope: Sequence[Bucket], now_ms: int) -> int:
        """Settle buckets that belong together; returns how many subjects that were."""
        if _is_in_order(bucket := scope[0]):
            return self._settle_in_order(bucket, settle_all, now_ms)
        engagement_id = scope[0].engagement_id
        sums = self._sums(engagement_id) if scope[0].name.startswith(TIME) else None
        if sums is not None:
            sums.clear()
        settled = self._settled(scope, WHOLE if sums is None else sums.shared)
        if sums is not None:
            sums.keep()
        for bucket in scope:
            self._publish_bucket(bucket, settled, now_ms)
        return len(settled.subjects)

    def _sums(self, engagement_id: str) -> CapSums | RetainerSums | None:
        """Sums by which the engagement's days settle one by one, where they can."""
        engagement = self._masters.engagements.get(engagement_id)
        match sole_coupling(engagement) if engagement is not None else None:
            case Cap() as cap if engagement is not None:
                return CapSums(self._state, engagement, cap)
            case Retainer() as retainer if engagement is not None:
                return RetainerSums(self._state, engagement, retainer)
            case _:
                return None

    def _settled(self, scope: Sequence[Bucket], shared: Shared) -> Settled:
        engagement_id = scope[0].engagement_id
        engagement = self._masters.engagements.get(engagement_id)
        facts = gathered(told.fact for bucket in scope for told in bucket.all_told())
        periods = periods_of(self.buckets, engagement, months_of_work(facts, engagement))
        settled = settle(engagement_id, facts, self._masters, periods, shared)
        self.note_lookups(engagement_id, settled.lookups)
        return settled

    def _publish_bucket(self, bucket: Bucket, settled: Settled, now_ms: int) -> None:
        for subject in dict.fromkeys((*bucket.subjects(), *subjects_in(bucket.all_told()))):
            self._publish(bucket, subject, settled.subjects.get(subject), now_ms)
        self._worked_on[bucket.engagement_id, bucket.name] = bucket
        bucket.is_settled()

    def _settle_days(self, engagement_id: str, dirty: Sequence[Bucket], now_ms: int) -> bool:
        """Settle coupled days one by one; False where all of them must be settled together."""
        sums = self._sums(engagement_id)
        if sums is None or not sums.are_kept():
            return False
        found = sums.settle_some(self.buckets, dirty, lambda bucket: self._settled([bucket], sums.shared))
        if found is None:
            return False
        for bucket, settled in found:
            self._publish_bucket(bucket, settled, now_ms)
        sums.keep()
        return True

    def _settle_in_order(self, bucket: LargeBucket, settle: SettleInOrder, now_ms: int) -> int:
        """Settle a month of outcomes; subjects that are not found in what is settled stay as they are."""
        engagement = self._masters.engagements.get(bucket.engagement_id)
        periods: Iterable[BillingPeriod] = ()
        if engagement is not None and parks_late_work(engagement):
            periods = periods_of(self.buckets, engagement, [month_of_outcomes(bucket.name)])
        settled = settle(self._state, bucket, self._masters, tuple(periods))
        self.note_lookups(bucket.engagement_id, settled.lookups)
        for subject in (*settled.subjects, *(bucket.touched - settled.subjects.keys())):
            self._publish(bucket, subject, settled.subjects.get(subject), now_ms)
        self._worked_on[bucket.engagement_id, bucket.name] = bucket
        bucket.is_settled()
        return len(settled.subjects)

    def note_lookups(self, engagement_id: str, lookups: Iterable[str]) -> None:
        """Have the engagement settled again when the answer to one of these look-ups changes."""
        if len(self._known_lookups) > _MOST_KNOWN:
            self._known_lookups.clear()
        for lookup in lookups:
            if (row := (lookup, engagement_id)) not in self._known_lookups:
                LOOKED.put(self._state, True, *row)
                self._known_lookups.add(row)

    def _publish(self, bucket: Bucket, subject: str, found: Settlement | None, now_ms: int) -> None:
        before = bucket.published(subject) or NOTHING
        n, charge, minutes = self._publish_charge(before, subject, found.charge if found else None, now_ms)
        retried = (bucket.engagement_id, subject) in self._retried
        parked = found.parked if found else None
        exception = self._publish_exception(bucket.engagement_id, subject, before.exception, parked, now_ms, retried)
        if charge is not before.charge or exception is not before.exception:
            after = Published(n, charge, minutes, exception)
            bucket.publish(subject, after)
            self._tally_minutes(before, -1)
            self._tally_minutes(after, 1)

    def _publish_charge(
        self, before: Published, subject: str, charge: Charge | None, now_ms: int
    ) -> tuple[int, bytes | None, int]:
        """-> how many charges the subject has had, the record of the present one, its minutes."""
        old = before.read_charge()
        if old is not None and charge is not None and same_billing(old, charge):
            return before.n, before.charge, before.minutes
        if old is not None:
            reverses = charge_id(old.engagement_id, subject, before.n, "charge")
            self._ready(negated(old), before.n, now_ms, reverses)
        if charge is None:
            return before.n, None, 0
        return before.n + 1, self._ready(charge, before.n + 1, now_ms, None), charge.worked_minutes

    def _ready(self, charge: Charge, n: int, now_ms: int, reverses: str | None) -> bytes:
        what = "reversal" if reverses else "charge"
        record = charge_record(charge) | {
            "charge_id": charge_id(charge.engagement_id, charge.subject, n, what),
            "reverses": reverses,
            "decided_at": instant(now_ms),
        }
        value = encode(READY, record)
        outcome = "reversed" if reverses else "charged"
        self.publications.append(Publication(READY, charge.engagement_id, value, outcome, now_ms))
        return value

    def _publish_exception(
        self,
        engagement_id: str,
        subject: str,
        before: StandingException | None,
        found: Parked | None,
        now_ms: int,
        retried: bool,
    ) -> StandingException | None:
        after = advance(before, found, now_ms, retried)
        if after is not before:
            told, status = (after, None) if after is not None else (before, RESOLVED)
            if told is not None:
                self._exception(engagement_id, subject, told, status, now_ms)
        return after

    def _exception(
        self, engagement_id: str, subject: str, told: StandingException, status: str | None, now_ms: int
    ) -> None:
        value = encode(EXCEPTIONS, exception_record(engagement_id, subject, told, status))
        self.publications.append(Publication(EXCEPTIONS, engagement_id, value, status or told.status, now_ms))

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

    def _tell_conflict(self, fact: Fact, told: StandingException, status: str, now_ms: int) -> None:
        engagement_id, topic, id_ = _conflict_key(fact)
        self._exception(engagement_id, conflict_subject(topic, id_), told, status, now_ms)
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


def _conflict_key(fact: Fact) -> tuple[str, str, str]:
    return fact.engagement_id, fact.origin.topic if fact.origin else "", identity(fact)
