"""Where the batches of one partition are committed: the contract between the plane and what stands behind it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property

from streaming.batch import Batch
from streaming.local_state import StoreUnreadable
from streaming.progress import Progress


class Fenced(RuntimeError):
    """Another process owns this partition now; whatever this one still holds is void."""


class Committer(ABC):
    """State, outputs and source position of one partition number, changed together or not at all.

    All methods but `has_due_work` run in a thread, one at a time, in the order fence, open, process*, close.
    """

    partition: int
    positions: dict[str, int | None]
    follows_markers = False  # whether the position should move over transaction markers that no record follows

    @cached_property
    def progress(self) -> Progress:
        """What is done, counted by whatever takes long or may hang (see streaming.stall_detector)."""
        return Progress()

    def fence(self) -> None:
        """Shut the former owner out, where what it writes would not be refused anyway. Quick; by default nothing."""
        return

    @abstractmethod
    def open(self) -> None:
        """Recover, and set `positions` (next offset per topic; None is the beginning)."""

    @abstractmethod
    def process(self, batch: Batch) -> None:
        """Decide and commit a whole batch, then advance `positions`. Raises if anything is not acknowledged."""

    @abstractmethod
    def close(self) -> None:
        """Release what is held. Never commits."""

    def abandon(self) -> None:
        """Best effort before the process ends: undo what is under way. By default there is nothing."""
        return

    def replace_state(self, error: StoreUnreadable) -> None:
        """Put unreadable local state aside: what opens next restores it. By default there is none."""
        return

    def has_due_work(self) -> bool:
        """Whether an empty batch should be delivered, because work is due that no record brings."""
        return False

    def live_rows(self) -> Mapping[bytes, bytes]:
        """Committed rows of the live figures (see tables.windows), for the metrics page."""
        return {}
