"""The target in memory, as a target and under a queue."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from common.errors import Health
from sinks.contract import Sink
from sinks.delivery.memory_target import MemoryTarget
from sinks.delivery.queue import DeliverySink
from sinks.delivery.target import DeliveryAnswer, Target, TargetUnavailable
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import charge
from tests.contract.sinks.sink_contract import Ledger, as_ledger
from tests.contract.sinks.target_contract import DeliveryContract, TargetContract


class Away(MemoryTarget):
    """One that may be away."""

    away = False

    def deliver(self, charges: Sequence[ChargeRecord]) -> Sequence[DeliveryAnswer]:
        if self.away:
            raise TargetUnavailable("it is away")
        return super().deliver(charges)

    def health(self) -> Health:
        return Health(not self.away, "in memory")


class Memory:
    """What both contracts ask of it."""

    @pytest.fixture
    def target(self) -> Target:
        """The target under test."""
        return Away()

    def held(self, target: Target) -> Ledger:
        """What it has posted."""
        assert isinstance(target, MemoryTarget)
        return as_ledger(target.posted.values())


class TestMemoryTarget(Memory, TargetContract):
    """As a target."""

    refusal = "no legal entity"

    def refused(self) -> ChargeRecord:
        return charge("refused", legal_entity="")

    @contextmanager
    def unavailable(self, target: Target) -> Iterator[None]:
        assert isinstance(target, Away)
        target.away = True
        yield
        target.away = False


class TestMemoryDelivery(Memory, DeliveryContract):
    """Under a queue."""

    @staticmethod
    def build(pool: Pool) -> Sink:
        return DeliverySink(pool, MemoryTarget())
