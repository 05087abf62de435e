"""The interface of a system outside that takes charges. An adapter implements only this.

The target is idempotent: the same charges offered again, in the same or in other groups, get the same answers and
create nothing twice. The deliverer does everything else: rate, retries, order, announcements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from common.errors import Health, SinkError
from storage.charge_batch import ChargeRecord


@dataclass(frozen=True, slots=True)
class DeliveryAnswer:
    """The target's answer for one charge."""

    charge_id: str
    result: Literal["posted", "refused"]
    reference: str | None = None  # the target's own number for it
    reason: str | None = None  # the reason of a refusal, in the target's words


class TargetUnavailable(SinkError):
    """It is not known whether the charges were taken: the same ones are offered again.

    `retry_after` is the number of seconds the target asked for, None where it asked for none.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TargetUnclear(TargetUnavailable):
    """An unmapped answer: the charge is offered again a few times, then it counts as refused."""


class TargetMisconfigured(TargetUnavailable):
    """Only a person can repair it: credentials, rights, an address. Calls stop for the longest pause."""


class GroupRefused(SinkError):
    """A call was refused as a whole. Each of several charges is offered alone, at once; a single one is refused."""


class Target(Protocol):
    """A system outside that takes charges. Methods may be called from several threads."""

    @property
    def name(self) -> str:
        """The system's name: that of `system` on `erp.postings`."""

    @property
    def largest_group(self) -> int:
        """The number of charges that one call may carry, at least 1."""

    def group_of(self, charge: ChargeRecord) -> str:
        """Charges of equal groups may share a call; within one they are in the order they are offered in."""

    def deliver(self, charges: Sequence[ChargeRecord]) -> Sequence[DeliveryAnswer]:
        """One answer for each charge, in the order of the charges, all of one group.

        Raises TargetUnavailable, GroupRefused.
        """

    def health(self) -> Health:
        """Whether the target answers now; never raises."""
