"""A sink in memory: the shortest implementation of the contract, for tests."""

from threading import Lock

from common.errors import Health, SinkFenced
from storage.charge_batch import ChargeRecord, ChargeRow, SinkBatch, Written, settle_outcomes
from storage.isolated_write import SetAside


class MemorySink:
    """Keeps charges by charge_id; refuses those without a legal entity, as a ledger must."""

    def __init__(self, name: str = "memory") -> None:
        self.posted: dict[str, ChargeRecord] = {}
        self._name = name
        self._positions: dict[tuple[str, int], int] = {}
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The name given."""
        return self._name

    def positions(self, topic: str, partition: int) -> int:
        """The next offset to read, 0 before the first batch."""
        return self._positions.get((topic, partition), 0)

    def write(self, batch: SinkBatch, set_aside: SetAside[ChargeRow] | None = None) -> Written:
        """Keep new charges and move the position; raises Fenced."""
        with self._lock:
            at = self.positions(batch.topic, batch.partition)
            if at != batch.start:
                raise SinkFenced(f"{self.name} is at {at} of {batch.topic}-{batch.partition}, not at {batch.start}")
            offered = {row.charge["charge_id"]: row.charge for row in reversed(batch.rows)}
            new = {charge_id: charge for charge_id, charge in offered.items() if charge_id not in self.posted}
            reasons = {charge_id: None if new[charge_id]["legal_entity"] else "NO_LEGAL_ENTITY" for charge_id in new}
            self.posted |= {charge_id: new[charge_id] for charge_id, reason in reasons.items() if reason is None}
            self._positions[batch.topic, batch.partition] = batch.end
            return settle_outcomes(batch.rows, reasons)

    def health(self) -> Health:
        """Always well."""
        return Health(ok=True, detail="in memory")
