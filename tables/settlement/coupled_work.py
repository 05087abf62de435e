"""A bucket of a coupled scope in the steps of the rules, with what sums say of its entries."""

from collections.abc import Iterable, Mapping, Sequence

from rating.model.charge import Settlement
from rating.model.facts import subject_of
from rating.model.money import in_minor_units, minor_money
from rating.steps import Steps
from rating.time.amounts import line_of, weight_on_line
from streaming.state_tables import StateRows
from tables.settlement.cap_sums import CapSums
from tables.settlement.counted import Counted, count, counted_in
from tables.settlement.large_bucket import Bucket
from tables.settlement.line_sums import LineSums, name_of_line
from tables.settlement.retainer_sums import RetainerSums

Place = tuple[str, str]
"""(line, key)"""


class Work:
    """`cover`, `price` and `charge` as sums say. The keys tell what sums hold of it, so that it can be replaced."""

    def __init__(self, bucket: Bucket, steps: Steps, state: StateRows) -> None:
        self.bucket, self._steps, self._state = bucket, steps, state
        self._before = counted_in(state, bucket.engagement_id, bucket.name)
        before = self._before.values()
        self.keys_of_minutes: Iterable[str] = [each.key for each in before if each.minutes is not None]
        self.places_on_lines: Iterable[Place] = [(each.line, each.key) for each in before if each.line is not None]
        self.keys_of_amounts: Iterable[str] = [each.key for each in before if each.amount is not None]
        self._keys = [f"{work.entry.work_date}{subject_of(work.entry)}" for work in steps.time.works]
        self._minutes: dict[str, int] = {}
        self._on_lines: dict[int, tuple[Place, int]] = {}
        self._amounts: dict[str, int] = {}
        self._charged: dict[str, int] = {}
        self._covered: Sequence[int] | None = None
        self._of_lines: Mapping[int, int] | None = None
        self.is_covered_anew = self.is_priced_anew = False

    def minutes(self) -> Mapping[str, int]:
        """The billable minutes of its entries by key, for the sums of a retainer."""
        self._minutes = dict(zip(self._keys, self._steps.time.billable, strict=True))
        self.keys_of_minutes = self._minutes
        return self._minutes

    def cover(self, retainer: RetainerSums | None) -> None:
        """Take the minutes that a retainer covers."""
        covered = [retainer.covered(*each) if retainer is not None else 0 for each in self._minutes.items()]
        if retainer is None:
            covered = [0] * len(self._keys)
        self.is_covered_anew = covered != self._covered
        if self.is_covered_anew:
            self._covered = covered
            self._steps.cover(covered)

    def weights(self) -> Mapping[Place, int]:
        """The weights of its entries that lines round, for their sums."""
        found = dict[int, tuple[Place, int]]()
        for index, (key, item) in enumerate(zip(self._keys, self._steps.priceable, strict=True)):
            line = line_of(item, self._steps.time.works[index].contract.engagement)
            if line is not None:
                found[index] = (name_of_line(line, key), key), weight_on_line(item)
        self._on_lines = found
        weights = dict(found.values())
        self.places_on_lines = weights
        return weights

    def price(self, lines: LineSums | None) -> None:
        """Take the amounts of entries that lines round."""
        of_lines = {
            index: lines.amount(*place, weight)
            for index, (place, weight) in self._on_lines.items()
            if lines is not None
        }
        self.is_priced_anew = self.is_covered_anew or of_lines != self._of_lines
        if self.is_priced_anew:
            self._of_lines = of_lines
            currency = self._steps.currency
            self._steps.price({index: minor_money(units, currency) for index, units in of_lines.items()})

    def amounts(self) -> Mapping[str, int]:
        """The amounts of its claims by key, for the sums of a cap."""
        currency = self._steps.currency
        self._amounts = {
            f"{claim.day}{subject_of(claim.fact)}": in_minor_units(claim.full, currency) for claim in self._steps.claims
        }
        self.keys_of_amounts = self._amounts
        return self._amounts

    def charge(self, cap: CapSums | None) -> Mapping[str, Settlement]:
        """The settlement of each subject."""
        left = None
        if cap is not None:
            left = [minor_money(cap.left(*each), self._steps.currency) for each in self._amounts.items()]
        settled = self._steps.charge(left)
        for key in self._keys:
            charge = settled[key[10:]].charge
            if charge is not None:
                self._charged[key] = in_minor_units(charge.amount, charge.currency)
        return settled

    def changes_of_charges(self) -> Iterable[tuple[str, int]]:
        """By how much the charge of each key changed."""
        for each in self._before.values():
            yield each.key, -each.charged
        yield from self._charged.items()

    def write(self) -> None:
        """Keep what its subjects count for."""
        on_lines = {place[1]: (place[0], weight) for place, weight in self._on_lines.values()}
        counted = {}
        for key in dict.fromkeys((*self._keys, *self._amounts)):
            line, weight = on_lines.get(key, (None, 0))
            counted[key[10:]] = Counted(
                key, self._minutes.get(key), line, weight, self._amounts.get(key), self._charged.get(key, 0)
            )
        count(self._state, self.bucket.engagement_id, self.bucket.name, counted)
