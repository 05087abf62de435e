"""A coupled scope settled incrementally: only what can differ (DESIGN.md §3).

The steps of the rules (`rating.steps`) are taken bucket by bucket, and sums answer between them what falls on each.
What they say is displaced is taken in too, until nothing more is. The result equals `rating.settle` over the scope.
"""

from collections.abc import Container, Iterable, Mapping, Sequence

from rating.items.minimums import minimum_terms
from rating.model.charge import Settlement
from rating.model.facts import gathered
from rating.model.master_data import Engagement
from rating.model.masters import Masters
from rating.model.money import exact, minor_money
from rating.model.rating_context import context_of
from rating.scope import FEE_PREFIX, Scope, months_of_work
from rating.settle import settle
from rating.steps import Steps
from rating.time.amounts import rounds_lines
from streaming.state_tables import StateRows
from tables.settlement.bucket_store import Buckets
from tables.settlement.cap_sums import CapSums
from tables.settlement.counted import CHARGED, SUMMED, forget
from tables.settlement.coupled_groups import periods_of
from tables.settlement.coupled_work import Work
from tables.settlement.large_bucket import Bucket
from tables.settlement.line_sums import LineSums
from tables.settlement.ordered_numbers import DAY, MONTH
from tables.settlement.retainer_sums import RetainerSums
from tables.settlement.shared_terms import SharedTerms, shared_terms


class CoupledScope:
    """The scope while a batch works on it. `settle`, then `keep` what it changed in sums."""

    def __init__(
        self, state: StateRows, buckets: Buckets, masters: Masters, engagement: Engagement, scope: Scope
    ) -> None:
        self._state, self._buckets, self._masters = state, buckets, masters
        self._engagement, self._scope = engagement, scope
        self._id, self._terms = engagement.engagement_id, shared_terms(engagement)
        self.lookups = set[str]()
        self._works: dict[str, Work] = {}
        self._charged: dict[str, int] = {}  # by month, where it is another sum now
        self._has_minimum = minimum_terms(engagement) is not None
        self._open(SUMMED.get(state, self._id, *scope.of))

    def _open(self, terms: SharedTerms | int | None) -> None:
        engagement, now = self._engagement, self._terms
        before = terms if isinstance(terms, SharedTerms) else now
        has_retainer = engagement.billing_method == "retainer" and engagement.retainer is not None
        self._retainer = RetainerSums(self._state, engagement, before.retainer, now.retainer) if has_retainer else None
        self._lines = LineSums(self._state, engagement) if rounds_lines(engagement) else None
        has_cap = engagement.cap is not None
        self._cap = CapSums(self._state, self._id, before.cap_units, now.cap_units) if has_cap else None

    def are_kept(self) -> bool:
        """Whether there are sums by these terms, or by terms of which a number only was another one."""
        terms = SUMMED.get(self._state, self._id, *self._scope.of)
        if self._scope.of and SUMMED.get(self._state, self._id) is not None:
            return False  # of the whole engagement, from when its terms were others
        return isinstance(terms, SharedTerms) and terms.others == self._terms.others

    def begin_anew(self) -> None:
        """Forget the sums; all buckets of the scope are to be settled next."""
        if not self._scope.of or SUMMED.get(self._state, self._id) is not None:
            forget(self._state, self._id)
        else:
            forget(self._state, self._id, *self._scope.of)
        self._open(None)

    def settle(self, buckets: Iterable[Bucket]) -> list[tuple[Bucket, Mapping[str, Settlement]]]:
        """What can differ because of these buckets and of changed terms: theirs, and what that displaces."""
        pending, periods = list[Bucket](), dict[str, Bucket]()
        for bucket in buckets:
            if bucket.name.startswith(FEE_PREFIX):
                periods[bucket.name] = bucket
            else:
                pending.append(bucket)
        pending += self._displaced({bucket.name for bucket in pending})  # by terms that changed
        while pending:
            new = [Work(bucket, self._steps(bucket), self._state) for bucket in pending]
            self._works |= {work.bucket.name: work for work in new}
            self._share(new)
            pending = self._displaced(self._works)
        found = [(work.bucket, self._charge(work)) for work in self._works.values()]
        if self._has_minimum:
            for month, charged in self._charged.items():
                period = self._buckets.bucket(self._id, f"{FEE_PREFIX}{month}")
                if charged != (CHARGED.get(self._state, self._id, month) or 0) and period.subjects():
                    periods[period.name] = period
        found += [(bucket, self._settle_period(bucket)) for bucket in periods.values()]
        return found

    def keep(self) -> None:
        """Put what changed into the state."""
        for sums in (self._retainer, self._lines, self._cap):
            if sums is not None:
                sums.write()
        for work in self._works.values():
            work.write()
        for month, charged in self._charged.items():
            CHARGED.put(self._state, charged, self._id, month)
        SUMMED.put(self._state, self._terms, self._id, *self._scope.of)

    def _steps(self, bucket: Bucket) -> Steps:
        facts = gathered(told.fact for told in bucket.all_told())
        periods = periods_of(self._buckets, self._engagement, months_of_work(facts, self._engagement))
        case = context_of(self._id, self._masters, facts.decisions, periods)
        steps = Steps(case, facts)
        self.lookups |= case.lookups.names
        return steps

    def _share(self, new: Sequence[Work]) -> None:
        """Have the sums hold the numbers of new work, and all work what they say of it."""
        works = self._works.values()
        if self._retainer is not None:
            old = [key for work in new for key in work.keys_of_minutes]
            self._retainer.replace(old, {key: n for work in new for key, n in work.minutes().items()})
        for work in works:
            work.cover(self._retainer)
        if self._lines is not None:
            again = [work for work in works if work.is_covered_anew]
            places = [place for work in again for place in work.places_on_lines]
            self._lines.replace(places, {place: n for work in again for place, n in work.weights().items()})
        for work in works:
            work.price(self._lines)
        if self._cap is not None:
            again = [work for work in works if work.is_priced_anew]
            old = [key for work in again for key in work.keys_of_amounts]
            self._cap.replace(old, {key: n for work in again for key, n in work.amounts().items()})

    def _displaced(self, known: Container[str]) -> list[Bucket]:
        """The buckets, but for known ones, of entries on which something else falls now."""
        found = dict[str, Bucket]()
        for sums in (self._retainer, self._lines, self._cap):
            for key in sums.displaced() if sums is not None else ():
                bucket, _ = self._buckets.find(self._id, key[DAY:])
                if bucket is not None and bucket.name not in known:
                    found[bucket.name] = bucket
        return list(found.values())

    def _charge(self, work: Work) -> Mapping[str, Settlement]:
        settled = work.charge(self._cap)
        if self._has_minimum:
            for key, change in work.changes_of_charges():
                month = key[:MONTH]
                if month not in self._charged:
                    self._charged[month] = CHARGED.get(self._state, self._id, month) or 0
                self._charged[month] += change
        return settled

    def _settle_period(self, bucket: Bucket) -> Mapping[str, Settlement]:
        """A fee, and the minimum of its month."""
        month = bucket.name.removeprefix(FEE_PREFIX)
        units = self._charged.get(month)
        if units is None:
            units = CHARGED.get(self._state, self._id, month) or 0
        charged = {month: exact(minor_money(units, self._engagement.currency))}
        settled = settle(self._id, gathered(told.fact for told in bucket.all_told()), self._masters, (), charged)
        self.lookups |= settled.lookups
        return settled.subjects
