"""Which accounting period a posting belongs to: the first one open when its charge was decided.

Accounting periods are the months of a legal entity. A close is of its month and of every earlier one; an opening is of
its month alone. A charge goes to the month of its work, or, where that is closed, to the first open one after it. A
reversal goes to no month before that of the posting which it takes back.

An act counts for a charge that was decided after it, and for one that a journal had not read by then: else a charge on
its way would change a period that is closed. Both are facts of the charge, so a journal made anew gives the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rating.model.days import month_bounds

MAIN_JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class PeriodAct:
    """A month closed (with every earlier one) or opened; `ends`: how far each journal had read, by partition."""

    legal_entity: str
    period: str
    closed: bool
    at: datetime
    ends: Mapping[str, Mapping[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Position:
    """When a charge was decided, and where a journal read it."""

    decided_at: datetime
    system: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class BookedCharge:
    """What the posting period of a charge follows from: its month of work, and its position.

    Without a position it is posted now, after every act.
    """

    charge_id: str
    reverses: str | None
    legal_entity: str
    month: str
    position: Position | None


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Closed up to and including a month, but for those opened again."""

    through: str = ""
    opened: frozenset[str] = frozenset()

    def first_open(self, month: str) -> str:
        """The first open month from this one on."""
        if month > self.through:
            return month
        return min((each for each in self.opened if each >= month), default=_next(self.through))


class PostingPeriods:
    """The acts on accounting periods, in their order."""

    def __init__(self, acts: Iterable[PeriodAct]) -> None:
        self._acts: dict[str, list[PeriodAct]] = defaultdict(list)
        for act in acts:
            self._acts[act.legal_entity].append(act)
        self._calendars: dict[tuple[str, tuple[bool, ...]], _Calendar] = {}

    def __bool__(self) -> bool:
        return bool(self._acts)

    def period_of(self, legal_entity: str, month: str, position: Position | None) -> str:
        """The posting period of a charge of a month of work; without a position it is posted now, after every act."""
        acts = self._acts.get(legal_entity)
        if not acts:
            return month
        counts = tuple(position is None or _counts(act, position) for act in acts)
        calendar = self._calendars.get((legal_entity, counts))
        if calendar is None:
            calendar = _calendar([act for act, counted in zip(acts, counts, strict=True) if counted])
            self._calendars[legal_entity, counts] = calendar
        return calendar.first_open(month)

    def is_closed(self, legal_entity: str, month: str) -> bool:
        """Whether a month is closed now."""
        return self.period_of(legal_entity, month, None) != month


def periods_of(charges: Iterable[BookedCharge], acts: PostingPeriods, posted: Mapping[str, str]) -> dict[str, str]:
    """The posting period of each charge, in the order of the ledger; `posted`: those of charges posted before.

    A posted charge keeps its period, and a reversal goes to no month before that of what it takes back.
    """
    found = dict(posted)
    for charge in charges:
        month = max(charge.month, found.get(charge.reverses or "", ""))
        found.setdefault(charge.charge_id, acts.period_of(charge.legal_entity, month, charge.position))
    return found


def _counts(act: PeriodAct, position: Position) -> bool:
    ends = act.ends.get(position.system) or act.ends.get(MAIN_JOURNAL) or {}
    return act.at <= position.decided_at or ends.get(position.partition, 0) <= position.offset


def _calendar(acts: Sequence[PeriodAct]) -> _Calendar:
    through, opened = "", set[str]()
    for act in acts:
        if act.closed:
            through = max(through, act.period)
            opened = {month for month in opened if month > act.period}
        elif act.period <= through:
            opened.add(act.period)
    return _Calendar(through, frozenset(opened))


def _next(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


def is_month(text: str) -> bool:
    """Whether a text is a month, YYYY-MM."""
    return month_bounds(text) is not None
