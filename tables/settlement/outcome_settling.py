"""A month's outcomes of one metric, settled one by one: only those whose charge can differ (DOMAIN.md §2 O2 to O5).

A sum tree holds the quantity of every outcome that passed its checks, in canonical order. So the quantity before an
outcome is known without reading the others, and so are the outcomes near the end of a tier, which alone can change
when others move. By volume every share depends on the month's total; the tree then also keeps each outcome's amount,
and the shares that change are found by arithmetic over it. The result equals `rating.settle` over all outcomes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

import msgspec

from rating.amount_limits import park_oversized
from rating.items.outcomes import Billable, canonical, charge_outcome, check_outcome, terms_of
from rating.items.tiers import UNITS, amount_at, shared_up_to, volume_due
from rating.model.charge import Settled, Settlement
from rating.model.decisions import waivers
from rating.model.facts import BillingPeriod, Decision, Facts, Outcome
from rating.model.master_data import OutcomeTerms
from rating.model.masters import Masters
from rating.model.money import in_minor_units, minor_money
from rating.model.rating_context import Contract, RatingContext, context_of
from streaming.state_tables import StateRows
from tables.settlement.large_bucket import LargeBucket
from tables.settlement.sum_tree import Item, Moved, SumTree

_DAY = 10  # characters of a key before the id


SettleInOrder: TypeAlias = Callable[[StateRows, LargeBucket, Masters, Sequence[BillingPeriod]], Settled]


def settle_some(state: StateRows, bucket: LargeBucket, masters: Masters, periods: Sequence[BillingPeriod]) -> Settled:
    """The settlements that can differ because of the facts that were touched; of all where no sums are kept yet.

    `periods` are those by which the outcomes may be late.
    """
    anew = bucket.all_touched or not bucket.head.summed
    return _Month(state, bucket, context_of(bucket.engagement_id, masters, (), periods), anew=anew).settle()


def settle_all(state: StateRows, bucket: LargeBucket, masters: Masters, periods: Sequence[BillingPeriod]) -> Settled:
    """The settlement of every outcome, with sums made anew."""
    return _Month(state, bucket, context_of(bucket.engagement_id, masters, (), periods), anew=True).settle()


class _Month:
    """One bucket being settled."""

    def __init__(self, state: StateRows, bucket: LargeBucket, case: RatingContext, *, anew: bool) -> None:
        self._bucket, self._case, self._anew = bucket, case, anew
        self._tree = SumTree(state, bucket.engagement_id, bucket.name)
        self._decisions: list[Decision] = []
        self._settled: dict[str, Settlement] = {}
        self._billable: dict[str, Billable] = {}  # by key

    def settle(self) -> Settled:
        """Take in what was touched, then charge what that changes."""
        if self._anew:
            self._tree.clear()
        total, first = self._tree.all().total, self._tree.first()
        moved = Moved()
        for name in self._touched():
            self._take(name, moved)
        contract, metric = self._case.contract, self._bucket.name.split(":", 2)[2]
        terms = None
        if isinstance(contract, Contract) and not contract.is_non_billable:
            terms = terms_of(contract.engagement, metric)
        if terms is not None and isinstance(contract, Contract):
            self._charge(_Prices(self._tree, terms, contract.engagement.currency), moved, first, total)
        self._tree.write()
        self._bucket.head = msgspec.structs.replace(self._bucket.head, summed=True)
        outcomes = [told.fact for name in self._settled if (told := self._bucket.told(name)) is not None]
        facts = Facts(outcomes=tuple(fact for fact in outcomes if isinstance(fact, Outcome)))
        park_oversized(replace(self._case, waivers=waivers(self._decisions)), facts, self._settled)
        return Settled(self._settled, frozenset(self._case.lookups.names))

    def _touched(self) -> Iterable[str]:
        """Subjects to look at: those of facts that came, changed or went, and those that decisions are about."""
        names = set(self._bucket.subjects() if self._anew else ()) | self._bucket.touched
        facts = {name: told.fact for name in names if (told := self._bucket.told(name)) is not None}
        return sorted(names | {fact.subject for fact in facts.values() if isinstance(fact, Decision)})

    def _take(self, name: str, moved: Moved) -> None:
        """Check a subject, and have the tree say what it adds to its month."""
        found = self._check(name)
        key = canonical(found.outcome) if isinstance(found, Billable) else None
        old_key = None if self._anew else self._bucket.key(name)
        old = self._tree.get(old_key) if old_key is not None else None
        if old is not None and old.key != key:
            self._tree.remove(old.key)
            moved.note(old.key, -old.amount)
            old = None
        if isinstance(found, Billable) and key is not None:
            self._billable[key] = found
            quantity = int(found.outcome.quantity * UNITS)
            before = old or Item(key, 0)
            if old is None or old.amount != quantity:
                self._tree.put(Item(key, quantity, before.kept))
                moved.note(key, quantity - before.amount)
        self._bucket.order(name, key)

    def _check(self, name: str) -> Billable | None:
        """The outcome to be charged; of any other the settlement is noted."""
        told = self._bucket.told(name)
        if told is None or not isinstance(told.fact, Outcome):
            return None
        found = check_outcome(self._case_of(name), told.fact)
        if isinstance(found, Settlement):
            self._settled[name] = found
            return None
        return found

    def _case_of(self, subject: str) -> RatingContext:
        speakers = [fact for fact in self._bucket.speakers(subject) if isinstance(fact, Decision)]
        self._decisions += speakers
        return replace(self._case, waivers=waivers(speakers)) if speakers else self._case

    def _charge(self, prices: "_Prices", moved: Moved, first: str | None, total_before: int) -> None:
        """Charge the touched outcomes, and the others whose amount is another one now."""
        whole = Decimal(self._tree.all().total).scaleb(-6)
        for item, minor in list(prices.candidates(self._billable.keys(), moved, first, total_before)):
            one = self._billable.get(item.key)
            if minor == item.kept and one is None:
                continue
            # An outcome that fails its checks by masters of this moment is settled again by the sweep under way.
            one = one or self._check(f"outcome:{item.key[_DAY:]}")
            if minor != item.kept:
                self._tree.keep(item.key, minor)
            if one is not None:
                amount = minor_money(minor, prices.currency)
                self._settled[f"outcome:{one.outcome.outcome_id}"] = charge_outcome(one, amount, whole)


@dataclass(frozen=True, slots=True)
class _Prices:
    """What the outcomes of a tree cost, in minor units."""

    tree: SumTree
    terms: OutcomeTerms
    currency: str

    def candidates(
        self, touched: Iterable[str], moved: Moved, first: str | None, total_before: int
    ) -> Iterable[tuple[Item, int]]:
        """The outcomes whose amount may be another than the one kept, with the amount they have now."""
        if self.terms.model == "volume":
            return self._shares(touched, moved, total_before)
        keys = set(touched)
        if self.terms.model == "graduated":
            now_first = self.tree.first()
            keys |= {key for key in (first, now_first) if key is not None}
            keys |= self._at_ends_of_tiers(moved)
            first = now_first
        found = ((key, self.tree.get(key)) for key in sorted(keys))
        return [(item, self._one(item, key == first)) for key, item in found if item is not None]

    def _one(self, item: Item, is_first: bool) -> int:
        reached = self.tree.before(item.key).total if self.terms.model == "graduated" else 0
        amount = amount_at(_quantity(item.amount), _quantity(reached), is_first, self.terms, self.currency)
        return in_minor_units(amount, self.currency)

    def _at_ends_of_tiers(self, moved: Moved) -> set[str]:
        """Outcomes that reached the end of a tier before the changes, or reach one now."""
        ends = [int(tier.up_to * UNITS) for tier in self.terms.tiers[:-1] if tier.up_to is not None]
        return {item.key for end in ends for item, _ in self.tree.crossing(end, end, moved)}

    def _shares(self, touched: Iterable[str], moved: Moved, total_before: int) -> Iterable[tuple[Item, int]]:
        """Every share that the month's total, or its own place, can have changed."""
        whole = self.tree.all().total
        due = self._due(whole)
        start = ""
        if whole and total_before and due * total_before == self._due(total_before) * whole:
            start = min([*touched, *([moved.start] if moved.start is not None else [])], default="")
        last = None
        for item, before in self.tree.items(start):
            if whole:
                share = shared_up_to(due, before + item.amount, whole) - shared_up_to(due, before, whole)
                yield item, share
            else:
                if last is not None:
                    yield last, 0
                last = item
        if last is not None:
            yield last, due

    def _due(self, total: int) -> int:
        return in_minor_units(volume_due(_quantity(total), self.terms.tiers, self.currency), self.currency)


def _quantity(units: int) -> Fraction:
    return Fraction(units, UNITS)
