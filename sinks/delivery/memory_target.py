"""A target in memory: the shortest implementation of the contract, for tests of deliveries."""

from collections.abc import Sequence
from threading import Lock

from common.errors import Health
from sinks.delivery.target import DeliveryAnswer
from storage.charge_batch import ChargeRecord


class MemoryTarget:
    """Keeps charges by charge_id in the order they came; refuses those without a legal entity, as a ledger must."""

    def __init__(self, name: str = "memory", largest_group: int = 10) -> None:
        self.posted: dict[str, ChargeRecord] = {}
        self._name, self._largest_group = name, largest_group
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The name given."""
        return self._name

    @property
    def largest_group(self) -> int:
        """The number given."""
        return self._largest_group

    def group_of(self, charge: ChargeRecord) -> str:
        """Charges of one currency share a call."""
        return charge["currency"]

    def deliver(self, charges: Sequence[ChargeRecord]) -> Sequence[DeliveryAnswer]:
        """Keep new charges; known charges get their first answer again."""
        with self._lock:
            return [self._take(charge) for charge in charges]

    def _take(self, charge: ChargeRecord) -> DeliveryAnswer:
        charge_id = charge["charge_id"]
        if not charge["legal_entity"]:
            return DeliveryAnswer(charge_id, "refused", reason="no legal entity")
        self.posted.setdefault(charge_id, charge)
        return DeliveryAnswer(charge_id, "posted", reference=f"M-{list(self.posted).index(charge_id) + 1}")

    def health(self) -> Health:
        """Always well."""
        return Health(ok=True, detail="in memory")
