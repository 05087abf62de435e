"""The contract of every sink: how charges leave the stream for a system of record (DESIGN: sinks; DOMAIN.md §5).

A sink with its own database writes its postings, its position and its announcements in ONE database transaction. The
position moves only from the start of the batch. A batch that is read twice, or by a process that has lost its
partition, is therefore fenced and not posted. In addition charges are idempotent by charge_id: the same charge at
another offset is a duplicate.
"""

from typing import Protocol

from common.errors import Health
from storage.charge_batch import ChargeRow, SinkBatch, Written
from storage.isolated_write import SetAside


class Sink(Protocol):
    """A target of charges. Methods may be called from several threads, one per partition."""

    @property
    def name(self) -> str:
        """The system's name: that of its positions and of `system` on `erp.postings`."""

    def positions(self, topic: str, partition: int) -> int:
        """The next offset to read, 0 before the first batch. Raises Unreachable."""

    def write(self, batch: SinkBatch, set_aside: SetAside[ChargeRow] | None = None) -> Written:
        """Write the whole batch and its end position, or nothing; rows that the target cannot hold go to `set_aside`.

        Raises Fenced, Unreachable, Misconfigured.
        """

    def health(self) -> Health:
        """Whether the target answers now; never raises."""
