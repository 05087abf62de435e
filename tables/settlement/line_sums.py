"""Amounts of time that is rounded by lines, by sums of the weights before it (DOMAIN.md §2 rule 8b)."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256

from rating.model.master_data import Engagement
from rating.model.money import half_up, minor_units
from rating.time.amounts import UNITS, Line, rate_per_minute
from streaming.state_tables import StateRows
from tables.settlement.ordered_numbers import MONTH, OrderedNumbers

LINES = "line:"  # begins the name of each line


def name_of_line(line: Line, key: str) -> str:
    """The name of a line, given the key of an entry on it: its month, its rate, and the rest as a digest."""
    who = f"{line.task_id}\0{'' if line.labor_category is None else f'={line.labor_category}'}"
    return f"{LINES}{key[:MONTH]}:{line.rate.normalize():f}:{sha256(who.encode()).hexdigest()[:32]}"


class LineSums:
    """Weights of entries by the line that rounds them, and their amounts in minor units (DOMAIN.md §2 rule 8b)."""

    def __init__(self, state: StateRows, engagement: Engagement) -> None:
        self._state, self._engagement = state, engagement
        self._lines: dict[str, OrderedNumbers] = {}

    def replace(self, old: Iterable[tuple[str, str]], new: Mapping[tuple[str, str], int]) -> None:
        """Have the weights of these (line, key), and none of the others of `old`."""
        by_line: dict[str, tuple[list[str], dict[str, int]]] = {}
        for line, key in old:
            by_line.setdefault(line, ([], {}))[0].append(key)
        for (line, key), weight in new.items():
            by_line.setdefault(line, ([], {}))[1][key] = weight
        for line, (old_keys, weights) in by_line.items():
            self._of(line).replace(old_keys, weights)

    def amount(self, line: str, key: str, weight: int) -> int:
        """The amount of an entry."""
        price, before = self._price(line), self._of(line).tree.before(key).total
        return _rounded(before + weight, price) - _rounded(before, price)

    def displaced(self) -> Iterator[str]:
        """The keys whose amount is another one now."""
        for line, numbers in self._lines.items():
            if numbers.before:
                yield from _otherwise_rounded(numbers, self._price(line))

    def write(self) -> None:
        """Put what changed into the state."""
        for numbers in self._lines.values():
            numbers.tree.write()

    def _of(self, line: str) -> OrderedNumbers:
        numbers = self._lines.get(line)
        if numbers is None:
            numbers = self._lines[line] = OrderedNumbers(self._state, self._engagement.engagement_id, line)
        return numbers

    def _price(self, line: str) -> Fraction:
        """Minor units of a unit of weight; the line's name says the rate."""
        terms = self._engagement
        a_minute = rate_per_minute(Decimal(line.split(":")[2]), "hour", terms.hours_per_day, terms.discount_percent)
        return a_minute * Fraction(10 ** minor_units(terms.currency), UNITS)


def _otherwise_rounded(numbers: OrderedNumbers, price: Fraction) -> Iterator[str]:
    """The keys behind the first change whose amount is another one, until all amounts have moved by whole units."""
    changed = sorted(numbers.before)
    moved = 0  # what the changes before a key add to the sum
    at = 0
    for item, before in numbers.tree.items(changed[0]):
        while at < len(changed) and changed[at] < item.key:  # taken out
            moved -= numbers.before[changed[at]] or 0
            at += 1
        if at < len(changed) and changed[at] == item.key:
            moved += item.amount - (numbers.before[item.key] or 0)
            at += 1
            continue
        if at == len(changed) and (price * moved).denominator == 1:
            return
        now = _rounded(before + item.amount, price) - _rounded(before, price)
        if now != _rounded(before - moved + item.amount, price) - _rounded(before - moved, price):
            yield item.key


def _rounded(weight: int, price: Fraction) -> int:
    return half_up(weight * price.numerator, price.denominator)
