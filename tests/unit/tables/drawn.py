"""What decides how contents are drawn, and the small world they are about.

`Pick` decides: from bytes that Hypothesis draws and shrinks, or from a seeded `random.Random` for large files. The
first of the options is always the plainest, so that a shrunk example says only what matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol, TypeVar

T = TypeVar("T")
INSTANTS = (
    "2024-03-01T00:00:00.000Z",
    "2024-02-20T12:00:00.000Z",
    "2024-02-20T12:00:00.001Z",
    "2024-03-02T00:00:00.000Z",
)
NOBODY = "-NONE"  # ends the ids of what never comes


class Pick(Protocol):
    """One of some options."""

    def __call__(self, options: Sequence[T], /) -> T: ...


class Bytes:
    """Picks by one byte after another; the first option once there are none left."""

    def __init__(self, drawn: bytes) -> None:
        self._left = iter(drawn)

    def __call__(self, options: Sequence[T], /) -> T:
        return options[next(self._left, 0) * len(options) >> 8]


@dataclass(frozen=True, slots=True)
class World:
    """The ids that contents are about. Each engagement has the tasks 1 and 2, and the client of its number modulo."""

    engagements: Sequence[str] = ("E1", "E2")
    consultants: Sequence[str] = ("C1", "C2")
    clients: Sequence[str] = ("CL",)
    first_day: date = date(2024, 1, 30)  # a Tuesday, two days before its month ends
    days: int = 6
    ids: int = 6  # of each kind of fact, an engagement

    def day(self, pick: Pick) -> str:
        """One of the days on which things happen."""
        return (self.first_day + timedelta(pick(range(self.days)))).isoformat()

    def month(self, pick: Pick) -> str:
        """The month of such a day."""
        return self.day(pick)[:7]

    def instant(self, pick: Pick) -> str:
        """When something happened: before, at, or after a month may be closed."""
        return pick(INSTANTS)

    def id(self, pick: Pick) -> str:
        """One of the few ids of a kind of facts."""
        return str(pick(range(self.ids)) + 1)

    def client_of(self, engagement_id: str) -> str:
        """Whose engagement it is."""
        return self.clients[self.engagements.index(engagement_id) % len(self.clients)]
