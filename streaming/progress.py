"""What a partition has got done, counted, so that a watchdog can compare two looks at it.

A step is whatever ends in bounded time when nothing hangs: a fence, a chunk of a restore, a decision, a commit, a
failed attempt at a database that is away. A partition that waits for the others (for a thread, or for its turn to
decide) advances when any of them does.
"""


class Progress:
    """Counts the steps of one partition, and in `everyones` those of all partitions of the process."""

    everyones = 0

    def __init__(self) -> None:
        self.waits = True  # for the others
        self._own = 0

    def step(self) -> None:
        """Something is done."""
        self._own += 1
        Progress.everyones += 1

    def mark(self) -> tuple[int, int | None]:
        """Differs from an earlier mark when something was done since."""
        return self._own, Progress.everyones if self.waits else None
