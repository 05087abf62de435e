"""A real Tryton, held to the contract of targets."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from devstack.tryton import TrytonServer
from sinks.delivery.target import Target
from sinks.tryton.target import TrytonTarget
from storage.charge_batch import ChargeRecord
from tests.contract.sinks.sink_charges import charge
from tests.contract.sinks.sink_contract import Ledger
from tests.contract.sinks.target_contract import TargetContract
from tests.tryton_server import asked, client


class TestTrytonTarget(TargetContract):
    """Charges on draft invoices."""

    refusal = "no tax of 77 % for category S"

    @pytest.fixture
    def target(self, tryton: TrytonServer) -> Target:
        self.tryton = tryton
        return TrytonTarget("tryton", client(tryton))

    def held(self, target: Target) -> Ledger:
        held = asked(
            self.tryton,
            "SELECT charge_id, amount, worked_minutes FROM hourstream_charge WHERE released_at IS NULL ORDER BY id",
        )
        assert len(held) == len({charge_id for charge_id, *_ in held})
        return {str(charge_id): (Decimal(str(amount)), int(str(minutes))) for charge_id, amount, minutes in held}

    def refused(self) -> ChargeRecord:
        return charge("refused", tax_rate=Decimal(77))

    @contextmanager
    def unavailable(self, target: Target) -> Iterator[None]:
        self.tryton.kill()
        try:
            yield
        finally:
            self.tryton.run()
