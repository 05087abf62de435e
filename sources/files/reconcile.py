"""Compares the rows of an export without ids with what its source has standing, before anything is published.

An id made of a row's values changes with them, so a corrected row looks like another one. Of each person:

- A row that stands under another id with equal content is the same: nothing is published.
- A row that is new beside one that is gone (of the same day and engagement, or of as much time and near text within a
  week) is a proposed correction: it waits, and the old one stays, until a person decides.
- A row that is gone without one in its place is a question to a person, where the file's days and engagements include
  it.

With `closes` the file is complete for a month: what is gone is withdrawn, and what takes its place counts. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from sources.reviews import AGAIN, ASK, HOLD, PUBLISH, WITHDRAW, Hold, Verdict
from sources.similarity import likeness

_NEAR_TEXT = 75.0  # of 100
_NEAR_DAYS = 7
# A person decided that a `kept` record counts, and that a `refused` one, which waited, does not.
State = Literal["published", "kept", "asked", "held", "withdrawn", "refused"]


@dataclass(slots=True)
class Work:
    """What one row is about. `quantity` is minutes or an amount with its currency, `said` where a person finds it."""

    id: str
    kind: str
    person: str
    day: date
    engagement: str
    task: str
    quantity: str
    note: str
    said: str
    content: tuple[tuple[str, str], ...] = ()
    state: State = "published"


@dataclass(slots=True)
class Plan:
    """What to do: rows to hold or to leave out, and reviews to publish: {id: (verdict, message, replaced ids)}."""

    holds: dict[str, Hold] = field(default_factory=dict)
    same: set[str] = field(default_factory=set)
    reviews: dict[str, tuple[Verdict, str, tuple[str, ...]]] = field(default_factory=dict)


def compare(new: Iterable[Work], standing: Mapping[str, Work], closes: str | None = None) -> Plan:
    """The plan for the rows of a file. `closes` is a month YYYY-MM for which the file is complete."""
    rows = list(new)
    return _Comparing(rows, standing, closes).plan() if rows or closes else Plan()


class _Comparing:
    def __init__(self, rows: list[Work], standing: Mapping[str, Work], closes: str | None) -> None:
        self._rows, self._standing, self._closes = rows, standing, closes
        here = {row.id for row in rows}
        self._gone = {
            each.id: each
            for each in standing.values()
            if each.id not in here and each.state not in ("withdrawn", "refused")
        }
        self._persons = {row.person for row in rows}
        self._engagements = {row.engagement for row in rows}
        self._first = min((row.day for row in rows), default=date.max)
        self._last = max((row.day for row in rows), default=date.min)
        self._plan = Plan()

    def plan(self) -> Plan:
        fresh = [row for row in self._rows if self._state(row) in (None, "withdrawn", "refused")]
        fresh = [row for row in fresh if not self._is_same(row)]
        for row in self._rows:
            if self._state(row) == "asked":
                self._review(row, PUBLISH, AGAIN)
        by_person: dict[str, list[Work]] = defaultdict(list)
        for each in self._gone.values():
            by_person[each.person].append(each)
        for row in fresh:
            self._place(row, by_person[row.person])
        for each in self._gone.values():
            self._vanished(each)
        return self._plan

    def _state(self, row: Work) -> State | None:
        standing = self._standing.get(row.id)
        return None if standing is None else standing.state

    def _is_same(self, row: Work) -> bool:
        """Whether a row stands under another id."""
        found = next((each for each in self._gone.values() if each.content == row.content), None)
        if found is None or self._state(row) in ("withdrawn", "refused"):
            return False
        del self._gone[found.id]
        self._plan.same.add(row.id)
        if found.state == "asked":
            self._review(found, PUBLISH, AGAIN)
        return True

    def _place(self, row: Work, candidates: list[Work]) -> None:
        """Hold a new row that may correct one that is gone; publish any other."""
        fitting = [each for each in candidates if each.id in self._gone and each.state != "held" and _may_be(row, each)]
        before = max(fitting, key=lambda each: _likeness(row, each), default=None)
        again = self._state(row) == "withdrawn"
        if before is not None:
            del self._gone[before.id]
        if self._state(row) == "refused":
            return
        if before is None or self._closes:
            if before is not None:
                self._review(before, WITHDRAW, f"{row.said} takes its place in an export that closes {self._closes}")
            if again:
                self._review(row, PUBLISH, AGAIN)
            return
        message = _correction(row, before)
        if again:
            self._plan.reviews[row.id] = (HOLD, message, (before.id,))
        else:
            self._plan.holds[row.id] = Hold(message, (before.id,))

    def _vanished(self, each: Work) -> None:
        if self._closes:
            if each.day.isoformat().startswith(self._closes):
                self._review(each, WITHDRAW, f"it is not in the export that closes {self._closes}")
        elif each.person in self._persons and each.engagement in self._engagements:
            if not self._first <= each.day <= self._last:
                return
            if each.state == "held":
                self._review(each, WITHDRAW, "it waited for a decision and is not in the export any more")
            elif each.state == "published":
                self._review(each, ASK, f"{each.said} is not in a later export of the same days; is it withdrawn?")

    def _review(self, each: Work, verdict: Verdict, message: str) -> None:
        self._plan.reviews[each.id] = (verdict, message, ())


def _may_be(row: Work, before: Work) -> bool:
    """Whether a new row may be what has become of one that is gone."""
    apart = abs((row.day - before.day).days)
    if row.kind != before.kind or apart > _NEAR_DAYS:
        return False
    if apart == 0 and row.engagement == before.engagement:
        return True
    return row.quantity == before.quantity and _near(row.note, before.note)


def _near(one: str, other: str) -> bool:
    return one == other or likeness(one, other) >= _NEAR_TEXT


def _likeness(row: Work, before: Work) -> tuple[int, int, int, float]:
    return (
        row.engagement == before.engagement and row.task == before.task,
        row.quantity == before.quantity,
        -abs((row.day - before.day).days),
        likeness(row.note, before.note),
    )


def _correction(row: Work, before: Work) -> str:
    then, now = dict(before.content), dict(row.content)
    changed = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
    fields = f" in {', '.join(changed)}" if changed else ""
    return (
        f"{row.said} differs{fields} from {before.said}, which is not in this export: decide whether it corrects that "
        "one (correction), is work of its own (both) or a duplicate"
    )
