"""Isolation: sets aside a record that cannot be processed, so that the rest of its batch is processed.

A failing batch is halved until single records fail. A batch may always be divided, because its boundaries have no
meaning. Only a fault of the environment (broker, disk, database, fencing) is passed on.
"""

import logging
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

log = logging.getLogger("hourstream.isolation")
_MOST_TRACEBACKS = 1_000  # remembered, so that each is logged once

T = TypeVar("T")
What = Literal["record", "scope", "due"]
"""A record set aside, a scope that cannot be settled, or a due step that failed."""
WHATS: tuple[What, ...] = ("record", "scope", "due")


class Isolated:
    """The records that this process has isolated since its start, for its metrics page, and the logged tracebacks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counter[What]()
        self._logged: set[str] = set()

    def count(self, what: What, n: int = 1) -> None:
        """`n` more."""
        with self._lock:
            self._counts[what] += n

    def counts(self) -> dict[What, int]:
        """All of them, 0 included."""
        with self._lock:
            return {what: self._counts[what] for what in WHATS}

    def log(self, where: str, error: BaseException) -> None:
        """Log the error, with its traceback the first time it comes from that line."""
        at = traceback.extract_tb(error.__traceback__)[-1:]
        name = f"{type(error).__name__} {[(frame.filename, frame.lineno) for frame in at]}"
        with self._lock:
            is_new = name not in self._logged and len(self._logged) < _MOST_TRACEBACKS
            if is_new:
                self._logged.add(name)
        if is_new:
            log.error("%s: %r is isolated", where, error, exc_info=error)
        else:
            log.warning("%s: %r is isolated; its traceback was logged before", where, error)


ISOLATED = Isolated()


def divide(
    items: Sequence[T],
    attempt: Callable[[Sequence[T]], None],
    refuse: Callable[[T, Exception], None],
    passes_on: Callable[[BaseException], bool],
) -> None:
    """Attempt all items, in order; where that fails, each half; refuse a single item that fails.

    `attempt` must leave no trace when it raises. Costs a few attempts for each item refused. Raises what `passes_on`
    accepts.
    """
    if not items:
        return
    try:
        attempt(items)
        return
    except Exception as error:
        if passes_on(error):
            raise
        if len(items) == 1:
            refuse(items[0], error)
            return
    middle = len(items) // 2
    divide(items[:middle], attempt, refuse, passes_on)
    divide(items[middle:], attempt, refuse, passes_on)
